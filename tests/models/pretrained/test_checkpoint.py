"""Files of weights are read as data: what Torch wrote is understood, and nothing else ever happens."""

import argparse
import io
import json
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import save

from robust.core.errors import ModelError
from robust.models.pretrained import checkpoint, pickled, safetensors, torch_files
from robust.models.pretrained.tensor import BFLOAT16

STORED = Path(__file__).parent / "references"
TINY = ["tiny.legacy.pth", "tiny.zip.pth", "tiny.safetensors"]
FORMS = ["legacy", "zip", "safetensors"]
SAMPLE = {"conv.weight": np.arange(12, dtype=np.float32).reshape(2, 3, 1, 2), "steps": np.array(3, np.int64)}
RELAXED = settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def read(tmp_path):
    """`read(bytes)`: the values of all tensors of a file with these bytes."""

    def values(content):
        (tmp_path / "file").write_bytes(content)
        return {name: tensor.values() for name, tensor in checkpoint.read(tmp_path / "file").items()}

    return values


def refusal(read, content):
    with pytest.raises(ModelError) as error:
        read(content)
    return str(error.value)


@pytest.mark.parametrize("name", TINY)
def test_what_torch_itself_wrote_is_read(name, formula):
    found = {key: tensor.values() for key, tensor in checkpoint.read(STORED / name).items()}
    for key, shape in (("conv.weight", (2, 3, 1, 2)), ("conv.bias", (2,)), ("bn.num_batches_tracked", ())):
        np.testing.assert_array_equal(found[key], formula.weight(key, shape))
        assert found[key].shape == shape
    np.testing.assert_array_equal(found["turned"], formula.weight("turned", (3, 2)).T)
    np.testing.assert_allclose(found["half"], formula.weight("half", (2, 2)), rtol=2**-8)  # as bfloat16
    assert {value.dtype for value in found.values()} == {np.dtype(np.float32)} and len(found) == 5


ARRAYS = st.sampled_from([np.float32, np.float64, np.int64]).flatmap(
    lambda kind: hnp.arrays(kind, hnp.array_shapes(min_dims=0, min_side=0), elements=st.integers(-1000, 1000))
)


@pytest.mark.slow
@RELAXED
@given(tensors=st.dictionaries(st.text(st.characters(codec="utf-8")), ARRAYS, min_size=1, max_size=4))
@pytest.mark.parametrize("kind", FORMS)
def test_every_shape_name_and_number_comes_back(kind, tensors, form, read):
    tensors = {f"x{name}": array for name, array in tensors.items()}
    found = read(form[kind](tensors))
    assert found.keys() == tensors.keys()
    for name, array in tensors.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.slow
@RELAXED
@given(data=st.data())
@pytest.mark.parametrize("name", [*TINY, *FORMS])
def test_damaged_files_are_read_or_refused_and_nothing_else(name, data, form, read):
    content = bytearray((STORED / name).read_bytes() if name in TINY else form[name](SAMPLE))
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        start = data.draw(st.integers(0, len(content) - 1))
        content[start:] = data.draw(st.sampled_from([b"", bytes(content[start // 2 :]), bytes(40)]))
    try:
        values = read(bytes(content))
    except ModelError:
        return
    assert sum(value.size for value in values.values()) <= 8 * len(content)


@RELAXED
@given(content=st.binary(max_size=300))
@pytest.mark.parametrize("start", [b"", b"PK\x03\x04", b"\x80\x02", b"\x50" + bytes(7) + b"{"])
def test_noise_is_refused(start, content, read):
    refusal(read, start + content)


@pytest.mark.parametrize(
    ("wrapped", "names"),
    [
        ({"epoch": 3, "state_dict": {"a": "A"}}, {"a": "A"}),
        ({"model": {"a": "A"}, "optimizer": {"b": "B"}}, {"a": "A"}),
        ({"state_dict": {"a": "A"}, "state_dict_ema": {"a": "B"}}, {"a": "B"}),
        (
            {"model": {"a": "A"}, "model_ema": {"n_averaged": "A", "module.b": "B"}},
            {"n_averaged": "A", "module.b": "B"},
        ),
        ({"epoch": 3, "model": {"state_dict": {"a": "A"}}}, {"a": "A"}),
        ({"mine": {"a": "A"}, "epoch": 3}, {"a": "A"}),
        *[({key: {"a": "A"}, "epoch": 3, "optimizer": {"b": "B"}}, {"a": "A"}) for key in checkpoint.WRAPPERS],
        ({"module.a": "A", "b": "B"}, {"module.a": "A", "b": "B"}),
        ({"state_dict": "A", "b": "B"}, {"state_dict": "A", "b": "B"}),
    ],
)
def test_checkpoints_of_trainings_are_understood(wrapped, names, pickle_of, tensor, read):
    arrays = {"A": np.zeros(2, np.float32), "B": np.ones(3, np.float32)}
    keys = {"A": tensor("A", arrays["A"], None), "B": tensor("B", arrays["B"], None)}

    def placed(tree):
        return {k: placed(v) if isinstance(v, dict) else keys.get(v, v) for k, v in tree.items()}

    head = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, placed(wrapped))
    used = [key for key in arrays if f"'{key}'" in str(wrapped)]
    raw = b"".join(arrays[key].size.to_bytes(8, "little") + arrays[key].tobytes() for key in used)
    found = read(b"".join(map(pickle_of, (*head, used))) + raw)
    assert {name: "AB"[int(value[0])] for name, value in found.items()} == names


@pytest.mark.parametrize(
    "beside", [argparse.Namespace(lr=0.1, folder="x"), np.float64(0.3), np.int64(3), np.arange(3.0)]
)
def test_arguments_and_scalars_beside_the_tensors_are_passed_over(beside, form, read, raw):
    pickled = pickle.dumps(beside, 2)
    assert list(read(form["legacy"]({"a": np.zeros(2, np.float32), "args": raw(pickled[2:-1])}))) == ["a"]


def test_a_file_that_stands_in_for_another_is_named(read):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    assert "is a pointer of Git LFS" in refusal(read, pointer)
    assert "is a page (HTML or XML)" in refusal(read, b"\n<!DOCTYPE html><html></html>")


class Malice:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("kind", ["bare", "legacy", "zip"])
def test_code_in_a_pickle_is_refused_by_name_and_not_run(kind, protocol, tmp_path, form, read, raw):
    target = tmp_path / "touched"
    pickled = pickle.dumps(Malice(target), protocol)
    content = pickled
    if kind == "legacy":
        content = form["legacy"]({"weight": raw(pickled[2:-1] if protocol > 1 else pickled[:-1])})
    if kind == "zip":
        with zipfile.ZipFile(tmp_path / "z", "w") as archive:
            archive.writestr("archive/data.pkl", pickled)
        content = (tmp_path / "z").read_bytes()
    message = refusal(read, content)
    assert "refers to 'posix.system'" in message or "holds the operation" in message  # an old protocol's
    assert not target.exists()
    pickle.loads(pickled)  # which would have been run
    assert target.exists()


def test_what_is_refused_says_what_to_do(read):
    message = refusal(read, pickle.dumps({"args": Path("a")}, 2))
    parts = (
        "it refers to 'pathlib.PosixPath'",
        "nothing of it was imported or run",
        "torch.save(model.state_dict(), file), or as .safetensors",
    )
    assert all(part in message for part in parts)


def safe(header: bytes, body: bytes = b"") -> bytes:
    return len(header).to_bytes(8, "little") + header + body


FLOAT = b'"dtype": "F32", "shape": [1]'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as weights (ValueError: cannot mmap an empty file)"),
        (safe(b"{}"), "it holds no tensors"),
        (safe(b'{"a": 3}'), "cannot be read as weights (SafetensorError"),
        (safe(b'{"__metadata__": {"a": 3}}'), "cannot be read as weights (SafetensorError"),
        ((1 << 62).to_bytes(8, "little") + b"{}", "its header has 4,611,686,018,427,387,904 bytes; at "
         "most 8,000,000"),
        ((1 << 22).to_bytes(8, "little") + b"{}", "cannot be read as weights (SafetensorError"),
        (safe(b'{"a": {%s, "data_offsets": [0, 4]}}' % FLOAT), "file not fully covered); is it whole?"),
        (safe(b'{"a": {%s, "data_offsets": [0, 4]}}' % FLOAT, bytes(8)), "file not fully covered"),
        (safe(b'{"a": {%s, "data_offsets": [4, 8]}}' % FLOAT, bytes(8)), "invalid offset for tensor `a`"),
        (safe(b'{"a": {%s, "data_offsets": [0, 4]}, "b": {%s, "data_offsets": [0, 4]}}' % (FLOAT, FLOAT), bytes(4)),
         "invalid offset for tensor"),
        (safe(b'{"a": {%s, "data_offsets": [0, 8]}}' % FLOAT, bytes(8)), "invalid shape, data type, or offset"),
        (safe(b'{"a": {"dtype": "F32", "shape": [-1, -1], "data_offsets": [0, 4]}}', bytes(4)),
         "invalid value: integer `-1`, expected usize"),
        (safe(b'{"a": {"dtype": "F32", "shape": [1, 1, 1, 1, 1, 1, 1, 1, 1], "data_offsets": [0, 4]}}', bytes(4)),
         "'a' has 9 dimensions; at most 8"),
        (safe(b'{"a": {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [0, 4]}}', bytes(4)),
         "'a' has numbers of type 'F8_E4M3'; allowed: F64, F32, F16, BF16, "),
    ],
)  # fmt: skip
def test_a_safetensors_file_that_does_not_add_up_is_refused(content, message, read):
    assert message in refusal(read, content)


def test_a_zip_that_torch_would_not_write_is_refused(form, read):
    message = refusal(read, form["zip"](SAMPLE, zipfile.ZIP_DEFLATED))
    assert "is compressed; torch.save writes zips that are not" in message
    assert "its numbers are in the byte order b'big'" in refusal(read, form["zip"](SAMPLE, order="big"))
    flipped = form["zip"](SAMPLE).replace(SAMPLE["conv.weight"].tobytes(), bytes(48), 1)
    assert "'archive/data/0' is damaged: its checksum does not fit" in refusal(read, flipped)
    assert "file: cannot be read as weights (BadZipFile" in refusal(read, form["zip"](SAMPLE)[:-30])


def test_an_older_file_that_is_cut_short_or_does_not_add_up_is_refused(form, read):
    whole = form["legacy"](SAMPLE)
    assert "cannot be read as weights (ValueError" in refusal(read, whole[:-20])
    assert "the storage '0' is not as long as declared" in refusal(
        read, whole.replace((12).to_bytes(8, "little") + bytes(4), (13).to_bytes(8, "little") + bytes(4))
    )
    assert "its numbers are big-endian" in refusal(read, whole.replace(b"little_endian\x88", b"little_endian\x89"))
    assert "neither a file of torch.save nor a .safetensors file" in refusal(read, pickle.dumps(3, 2) * 2)


@pytest.mark.parametrize(
    ("offset", "shape", "strides", "message"),
    [
        (1, (12,), (1,), "a tensor of shape (12,) reaches beyond its 12 numbers"),
        (0, (2, 6), (12, 1), "reaches beyond"),
        (0, (10**12,), (0,), "reaches beyond"),
        (-1, (2,), (1,), "offset, shape or strides are not whole numbers >= 0"),
        (0, (-2,), (1,), "offset, shape or strides are not whole numbers >= 0"),
        (0, (2,), (-1,), "offset, shape or strides are not whole numbers >= 0"),
        (0, (2, 2), (1,), "not of one length"),
        (0, (1,) * 40, (1,) * 40, "not of one length"),
    ],
)
def test_a_tensor_that_reaches_beyond_its_storage_is_refused(offset, shape, strides, message, form, read, viewed):
    assert message in refusal(read, form["legacy"]({**SAMPLE, "view": viewed(offset, shape, strides)}))


@pytest.mark.slow
def test_a_file_of_more_tensors_than_any_network_has_is_refused(read):
    many = {f"t{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(20_001)}
    assert "its header declares 20,001 tensors; at most 20,000" in refusal(read, safe(json.dumps(many).encode()))
    assert len(read(safe(json.dumps(dict(list(many.items())[:20_000])).encode()))) == 20_000


def test_a_header_longer_than_any_network_needs_is_refused_before_it_is_read(read):
    entry = b'{"a": {%s, "data_offsets": [0, 4]}}' % FLOAT
    assert list(read(safe(entry.ljust(safetensors.HEADER), bytes(4)))) == ["a"]
    assert "its header has 8,000,001 bytes; at most 8,000,000" in refusal(
        read, safe(entry.ljust(safetensors.HEADER + 1), bytes(4))
    )


def test_every_bfloat16_comes_out_as_the_upper_half_of_a_float(read):
    halves = np.arange(2**16, dtype="<u2").reshape(2, -1)
    found = read(save({"a": halves.view(BFLOAT16)}))["a"]
    np.testing.assert_array_equal(found.view(np.uint32), halves.astype(np.uint32) << 16)


def test_tables_that_name_one_table_many_times_are_not_spelled_out(monkeypatch, form, read):
    table = {"step": 3}
    for _ in range(3):
        table = {f"k{i}": table for i in range(5)}
    monkeypatch.setattr(torch_files, "_ENTRIES", 279)
    assert "its tables have more than 279 entries" in refusal(read, form["legacy"](table))
    monkeypatch.setattr(torch_files, "_ENTRIES", 280)  # 5 + 25 + 125 tables, and 125 times what the last one holds
    assert "it holds no tensors" in refusal(read, form["legacy"](table))


def laughing(width):
    """A pickle of tables in tables, each of which is written once and named many times."""

    def key(number):
        return b"X\x04\x00\x00\x00" + f"{number:04}".encode()

    def table(level):
        inner = table(level - 1) if level else b"K\x01"
        again = b"".join(key(i) + b"h" + bytes([level - 1]) for i in range(1, width)) if level else b""
        return b"}q" + bytes([level]) + b"(" + key(0) + inner + again + b"u"

    return b"\x80\x02" + table(3) + b"."


def test_a_milliard_of_entries_in_33_kilobytes_is_refused(read):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("archive/data.pkl", laughing(1000))
    assert len(content.getvalue()) < 50_000
    assert "its tables have more than 100,000 entries" in refusal(read, content.getvalue())


def test_a_pickle_that_makes_more_than_any_checkpoint_is_refused(monkeypatch, form, read):
    monkeypatch.setattr(pickled, "MADE", 1)
    for kind in ("legacy", "zip"):
        assert "the pickle makes more than 1 tensors and entries of tables" in refusal(read, form[kind](SAMPLE))


def _zipped(instructions):
    with zipfile.ZipFile(file := io.BytesIO(), "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02" + instructions + b".")
        archive.writestr("a/version", "3")
    return file.getvalue()


LIST = b"](" + b"".join(b"J" + i.to_bytes(4, "little") + b"N\x86" for i in range(2000)) + b"eq\x00"
HEADER = b'{"__metadata__": {"a": [' + b"[]," * 3_000_000 + b"[]]}}"


@pytest.mark.slow_after_first
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (_zipped(LIST + b"ccollections\nOrderedDict\nh\x00\x85R" * 500), "more than 100,000 tensors and entries"),
        (_zipped(b"}" * 3_000_000), "more than 2,000,000 operations"),
        (safe(HEADER), "its header has 9,000,029 bytes; at most 8,000,000"),
    ],
    ids=["one list, many tables", "many tables", "a header of lists"],
)
def test_a_small_file_does_not_take_much_memory(read, content, why, frugal):
    with frugal(250):
        assert why in refusal(read, content)
