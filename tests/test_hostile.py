"""What others send is looked at before memory is taken for it: each is an error of ours, in little memory."""

import io
import json
import os
import signal
import struct
import tracemalloc
import zipfile
from contextlib import contextmanager

import h5py
import keras
import numpy as np
import pytest
from PIL import Image

from robust import (
    archives,
    cells,
    cli,
    files,
    keras_file,
    pictures,
    quantities,
    record,
    schema,
    toml,
    trees,
    typed,
    wordnet,
)
from robust.datasets import checks
from robust.datasets.arrays import arrays
from robust.datasets.dataset import from_arrays
from robust.datasets.folder import folder as read_folder
from robust.datasets.prepare import prepared
from robust.errors import DataError, ModelError, ReportError, RobustError, SuiteError
from robust.loading import load
from robust.report import gallery
from robust.suite import load as load_suite
from robust.suite.classes import names as class_names

GIGA = 2**30


@contextmanager
def frugal(megabytes=150):
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < megabytes * 2**20
    finally:
        tracemalloc.stop()


def zeros(path, name, size, head=b"", **more):
    """A zip file with a member of so many zeros, packed."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for other, content in more.items():
            archive.writestr(other.replace("__", "."), content)
        with archive.open(name, "w", force_zip64=True) as member:
            member.write(head)
            for _ in range(size // 2**24):
                member.write(bytes(2**24))
    return path


def header(shape, kind="|u1"):
    said = repr({"descr": kind, "fortran_order": False, "shape": shape}).encode()
    said += b" " * (-(len(said) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(said)) + said


def npz(path, **members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def test_an_npz_that_unpacks_to_gigabytes_or_says_so_is_refused(tmp_path):
    bomb = zeros(tmp_path / "bomb.npz", "x.npy", GIGA, header((GIGA,)))
    terabytes = npz(tmp_path / "t.npz", x=header((10**12, 8, 8)), y=header((3,), "<i8") + bytes(24))
    nothing = npz(tmp_path / "n.npz", x=header((10**12,), "<U0"), y=header((3,), "<i8") + bytes(24))
    for path, why in ((bomb, "unpack to 1,073,7"), (terabytes, "and holds 0"), (nothing, "of nothing")):
        with frugal(), pytest.raises(DataError, match=why):
            arrays(path=str(path))
        with frugal(), pytest.raises(ReportError, match=why):
            gallery.read(path)


def test_the_remedy_for_what_packs_too_well_works(tmp_path):
    images, labels = np.zeros((7000, 200, 200), np.uint8), np.arange(7000) % 3
    np.savez_compressed(tmp_path / "packed.npz", x=images, y=labels)
    with pytest.raises(DataError, match="write it without compression"):
        arrays(path=str(tmp_path / "packed.npz"))
    np.savez(tmp_path / "plain.npz", x=images, y=labels)
    with archives.arrays(tmp_path / "plain.npz") as read:
        assert read["x"].shape == images.shape


def test_more_than_there_is_memory_is_refused(monkeypatch):
    monkeypatch.setattr(archives, "memory", lambda: 1000)
    archives.sizes(1000, 1000)
    with pytest.raises(ValueError, match="it unpacks to 1,001 bytes, and this process may have 1,000"):
        archives.sizes(1001, 1001)


def keras_archive(path, config=b"{}", weights=b""):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", config)
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.h5", weights)
    return path


def claiming(shape, written=False, **how):
    """Weights of this shape, of which not a byte is there if they are not written."""
    file = io.BytesIO()
    with h5py.File(file, "w") as weights:
        vars = weights.create_dataset("layers/dense/vars/0", shape, "float32", **how)
        if written:
            vars[:] = np.zeros(shape, "float32")
    return file.getvalue()


def test_a_keras_file_that_unpacks_to_gigabytes_is_refused_before_it_is_loaded(tmp_path):
    json_bomb = zeros(tmp_path / "a.keras", "config.json", GIGA, metadata__json="{}")
    weights_bomb = zeros(tmp_path / "b.keras", "model.weights.h5", GIGA, config__json="{}")
    empty = keras_archive(tmp_path / "c.keras", weights=claiming((10**6, 10**6), chunks=(1000, 1000)))
    for path in (json_bomb, weights_bomb, empty):
        with frugal(), pytest.raises(ModelError, match="unpack to"):
            load(path)
        assert keras_file.foreign(path) == []


def layers(*described):
    """What config.json says of a model of 4 x 4 pixels with these layers."""
    inputs = {"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": [None, 4, 4, 1]}}
    rest = [{"module": "keras.layers", "class_name": name, "config": config} for name, config in described]
    inside = {"layers": [inputs, *rest], "name": "m"}
    return json.dumps({"module": "keras", "class_name": "Sequential", "config": inside}).encode()


@pytest.mark.parametrize(
    "described",
    [
        [("Flatten", {}), ("Dense", {"units": 10**9})],
        [("Flatten", {}), ("Dense", {"units": 32_000}), ("Dense", {"units": 32_000})],
        [("Flatten", {}), *[("Dense", {"units": 3000})] * 20],
        [("Conv2D", {"filters": 8, "kernel_size": [10_000, 10_000], "padding": "same"})],
        [("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 10**9})],
        [("Flatten", {}), ("Embedding", {"input_dim": 60_000_000, "output_dim": 8})],
    ],
    ids=range(6),
)
def test_layers_too_wide_for_their_weights_are_refused_before_room_is_made_for_them(tmp_path, described):
    path = keras_archive(tmp_path / "a.keras", layers(*described), claiming((2000, 1000), written=True))
    with frugal(), pytest.raises(ModelError, match=r"its layers want [0-9,]+ weights and more, and it holds 2,000,000"):
        load(path)
    assert keras.Variable([1.0]).shape == (1,)


WIDE = layers(("Flatten", {}), ("Dense", {"units": 2_000_000}))


@pytest.mark.parametrize(
    "how",
    [
        {"shape": 2**26 - 1000, "chunks": (2**20,), "compression": "gzip"},
        {"shape": 2**26 - 1000, "chunks": (2**20,)},
        {"shape": 2**26 - 1000},
        {"shape": 2**23, "written": True, "compression": "gzip"},
        {"shape": 10, "written": True, "chunks": (2**23,), "maxshape": (None,), "compression": "gzip"},
    ],
    ids=["no chunk is written", "none is packed", "nothing is written", "zeros", "one great chunk"],
)
def test_what_was_never_written_or_is_packed_away_is_no_weight(tmp_path, how):
    path = keras_archive(tmp_path / "a.keras", WIDE, weights := claiming(**how))
    (old := tmp_path / "a.h5").write_bytes(weights)
    for each in (path, old):
        with frugal(100), pytest.raises(ModelError, match=r"unpack to .*write it without compression"):
            load(each)


def test_a_file_in_a_file_counts_by_its_packed_bytes(tmp_path):
    weights = claiming(2**23, written=True)
    path = keras_archive(tmp_path / "a.keras", WIDE)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", WIDE)
        archive.writestr("noise", np.random.default_rng(0).bytes(2**22))
        archive.writestr("model.weights.h5", weights)
    with frugal(100), pytest.raises(ModelError, match=r"unpack to .*write it without compression"):
        load(path)


def test_pickled_weights_are_not_taken_for_numbers(tmp_path):
    path = zeros(tmp_path / "a.keras", "model.weights.npz", 2**25, config__json=WIDE, metadata__json="{}")
    with frugal(), pytest.raises(ModelError, match="unpack to"):
        load(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", WIDE)
        archive.writestr("model.weights.npz", bytes(2**25))
    with frugal(), pytest.raises(ModelError, match=r"its weights are pickled.*save it with model.save"):
        load(path)


def test_weights_that_are_named_more_than_once_or_are_no_numbers_are_refused(tmp_path):
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    for name in ("a", "b"):
        model.save(tmp_path / f"{name}.h5")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        group = file[f"model_weights/{model.layers[-1].name}"]
        group.attrs["weight_names"] = list(group.attrs["weight_names"]) * 100
    with pytest.raises(ModelError, match="bytes of weights are named more than once"):
        load(tmp_path / "a.h5")
    with h5py.File(tmp_path / "b.h5", "a") as file:
        file["model_weights/words"] = ["a", "b"]
    with pytest.raises(ModelError, match="its weights /model_weights/words are no numbers"):
        load(tmp_path / "b.h5")


@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.parametrize("initializer", ["zeros", "glorot_uniform"])
def test_layers_that_never_learned_are_read_as_keras_saves_them(tmp_path, ending, initializer):
    dense = keras.layers.Dense(150_000, kernel_initializer=initializer)
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), dense, keras.layers.BatchNormalization()])
    model.save(path := tmp_path / f"m.{ending}")
    assert load(path).count_params() == model.count_params()


def packed(path, to):
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as other:
        for name in archive.namelist():
            other.writestr(name, archive.read(name))
    return to


def test_weights_pack_unless_they_are_many_and_zero_and_the_remedy_works(tmp_path):
    for name, units, initializer in (
        ("drawn", 300_000, "glorot_uniform"),
        ("few", 50_000, "zeros"),
        ("many", 300_000, "zeros"),
    ):
        dense = keras.layers.Dense(units, kernel_initializer=initializer)
        keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), dense]).save(tmp_path / f"{name}.keras")
        path = packed(tmp_path / f"{name}.keras", tmp_path / f"{name}_packed.keras")
        if name == "many":
            with pytest.raises(ModelError, match="write it without compression"):
                load(path)
            path = tmp_path / f"{name}.keras"
        assert load(path).count_params() == 17 * units


def with_a_block(path, to, size=512):
    """The same HDF5 file behind a block of the user's own."""
    with h5py.File(path) as file, h5py.File(to, "w", userblock_size=size) as other:
        for name in file:
            file.copy(name, other)
        other.attrs.update(file.attrs)
    return to


@pytest.mark.parametrize("name", ["m.h5", "m.keras", "m"])
@pytest.mark.parametrize("size", [512, 4096])
def test_hdf5_behind_a_block_of_the_users_own_is_hdf5_whatever_its_name(tmp_path, name, size):
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    model.save(tmp_path / "plain.h5")
    path = with_a_block(tmp_path / "plain.h5", tmp_path / name, size)
    assert keras_file.is_hdf5(path)
    assert np.array_equal(load(path).get_weights()[0], model.get_weights()[0])


@pytest.mark.parametrize("size", [0, 512, 2048])
def test_two_files_in_one_are_refused(tmp_path, size):
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    for name in ("m.h5", "m.keras"):
        model.save(tmp_path / name)
    for name in ("both.h5", "both.keras"):
        path = with_a_block(tmp_path / "m.h5", tmp_path / name, size)
        with path.open("ab") as file:
            file.write((tmp_path / "m.keras").read_bytes())
        with pytest.raises(ModelError, match="is two files in one, HDF5 and a zip archive"):
            load(path)


def test_an_archive_is_one_wherever_its_weights_stand_and_whatever_its_name(tmp_path):
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    model.save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive, zipfile.ZipFile(tmp_path / "n.h5", "w") as other:
        other.writestr("config.json", archive.read("config.json").ljust(4096 - 30 - 11 - 30 - 16))
        other.writestr("model.weights.h5", archive.read("model.weights.h5"))
        other.writestr("metadata.json", archive.read("metadata.json"))
    assert h5py.is_hdf5(tmp_path / "n.h5") and not keras_file.is_hdf5(tmp_path / "n.h5")
    assert np.array_equal(load(tmp_path / "n.h5").get_weights()[0], model.get_weights()[0])


@pytest.mark.parametrize("axis", [[1, 2, 3], [-1, 1], 2])
def test_a_mean_that_is_one_number_takes_no_room_for_all_inputs(tmp_path, axis):
    def saved(side, name):
        shape = [None, side, 1, side]
        inputs = {"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": shape}}
        config = {"axis": axis, "mean": 0.5, "variance": 2.0}
        means = {"module": "keras.layers", "class_name": "Normalization", "config": config}
        inside = {"layers": [inputs, means], "name": "m"}
        text = json.dumps({"module": "keras", "class_name": "Sequential", "config": inside})
        return keras_archive(tmp_path / name, text.encode(), claiming(10, written=True))

    assert load(saved(4, "few.keras"))(np.full((1, 4, 1, 4), 0.5, "float32")).numpy().max() == 0
    if axis != 2:
        with frugal(), pytest.raises(ModelError, match="its layers want"):
            load(saved(20_000, "many.keras"))


def elsewhere(how, other):
    """Weights that stand in another file."""
    file = io.BytesIO()
    with h5py.File(file, "w") as weights:
        if how == "link":
            weights["layers"] = h5py.ExternalLink(other, "/layers")
        elif how == "virtual":
            layout = h5py.VirtualLayout((4,), "float32")
            layout[:] = h5py.VirtualSource(other, "vars", (4,))
            weights.create_virtual_dataset("layers/dense/vars/0", layout)
        else:
            weights.create_dataset("layers/dense/vars/0", (4,), "float32", external=[(other, 0, 16)])
    return file.getvalue()


@pytest.mark.parametrize("how", ["link", "virtual", "external"])
def test_weights_that_stand_in_other_files_are_not_opened(tmp_path, how):
    weights = elsewhere(how, "/etc/passwd")
    path = keras_archive(tmp_path / "a.keras", layers(("Flatten", {}), ("Dense", {"units": 3})), weights)
    (old := tmp_path / "a.h5").write_bytes(weights)
    for each in (path, old):
        with pytest.raises(ModelError, match=r"stand in another file.*not opened"):
            load(each)


@pytest.mark.parametrize("units", [[784, 10, 784], [4096, 8, 4096, 1000]])
def test_wide_layers_around_a_narrow_one_are_read(tmp_path, units):
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), *map(keras.layers.Dense, units)])
    model.save(tmp_path / "wide.keras")
    assert load(tmp_path / "wide.keras").count_params() == model.count_params()


def test_deep_nesting_is_an_error_of_ours(tmp_path):
    deep = keras_archive(tmp_path / "a.keras", b"[" * 100_000)
    with pytest.raises(ModelError):
        load(deep)
    deep = keras_archive(
        tmp_path / "b.keras", json.dumps({"a": 1}).encode()[:-1] + b', "b": ' + b'{"a":' * 900 + b"1" + b"}" * 901
    )
    with pytest.raises(ModelError):
        load(deep)


@pytest.mark.parametrize(
    "text",
    [
        "a." * 100_000 + "a = 1",
        "[" + "a." * 100_000 + "a]\nb = 1",
        "'a'." * 100_000 + "a = 1",
        '"a" . ' * 100_000 + "a = 1",
        "x = { " + "a." * 100_000 + "a = 1 }",
        "[" * 100_000,
        "a = " + "[" * 100_000,
        "a = " + "{a = " * 100_000,
        "a = " + "1" * 100_000,
        "a" * 1_000_000,
        "\n".join(f"key{i} = 1" for i in range(100_000)),
    ],
    ids=range(11),
)
def test_toml_that_takes_gigabytes_or_the_stack_is_refused(tmp_path, text):
    with frugal(), pytest.raises(ValueError):
        toml.loads(text)
    (tmp_path / "s.toml").write_text(text)
    with frugal(), pytest.raises(SuiteError, match=r"s\.toml:\d+: not TOML"):
        load_suite(tmp_path / "s.toml")
    if "." in text and "[" not in text and "{" not in text:
        with frugal(), pytest.raises(RobustError):
            typed.bind("attacks", "pgd", [f"eps={{{text}}}"], "--set")


@pytest.mark.parametrize(
    "text",
    ['a = "' + "x." * 200 + '"', "a = [" + "0.5, " * 200 + "]", "#" + "x." * 200, "a = '''\n" + "x." * 200 + "'''"],
)
def test_what_has_many_dots_and_no_long_key_is_read(text):
    toml.loads(text)


def test_a_label_of_a_milliard_makes_no_names():
    for classes in (None, 10**9):
        with frugal(), pytest.raises(DataError, match=r"labels\[1\] is 999999999; allowed|classes: 1,000,000,000"):
            from_arrays(np.zeros((2, 4, 4, 1), np.uint8), [0, 999_999_999], classes)
    assert checks.check_labels([0, checks.CLASSES - 1], 2, None)[1] == checks.CLASSES - 1


def test_a_text_without_an_end_is_not_read_and_a_byte_order_mark_is_none_of_it(tmp_path):
    with frugal(300), pytest.raises(SuiteError, match="cannot be read"):
        load_suite("/dev/zero")
    (tmp_path / "a.toml").write_bytes(b"\xef\xbb\xbfa = 1\r\nb = 2\r\n")
    assert files.text(tmp_path / "a.toml") == "a = 1\nb = 2\n"
    (tmp_path / "s.toml").write_bytes(
        b"\xef\xbb\xbf" + b'data = { name = "fashion_mini" }\n[model.m]\narchitecture = "lenet5"\n[case.c]\n'
    )
    assert load_suite(tmp_path / "s.toml").name == "s"


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**400])
def test_whole_numbers_of_more_than_64_bits_are_no_toml(tmp_path, number):
    for text in (f"a = {number}", f"a = [{{ b = [1, {number}] }}]"):
        with pytest.raises(ValueError, match="has more than 64 bits"):
            toml.loads(text)
    assert toml.loads(f"a = {2**63 - 1}\nb = {-(2**63)}") == {"a": 2**63 - 1, "b": -(2**63)}
    for annotation in (quantities.Severity, quantities.Seed):
        with pytest.raises(SuiteError, match="x = "):
            schema.convert(number, annotation, "x")


def test_a_message_is_one_line_without_orders_to_the_terminal(capsys):
    cli._say("photos/a\nb\x1b[31m\x9b.png: " + "x " * 100_000 + "y" * 100_000)
    said = capsys.readouterr().err
    assert said.startswith(r"robust: photos/a\nb\x1b[31m\x9b.png: x x") and said.endswith("yyyy\n")
    assert said.count("\n") == 1 and len(said) < 4000


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31m", "a\tb", "a\x9b1m", "a\x7f"])
def test_names_with_control_characters_are_refused(tmp_path, name):
    (tmp_path / "f" / name).mkdir(parents=True)
    (tmp_path / "g/a").mkdir(parents=True)
    (tmp_path / "g/a" / f"{name}.png").touch()
    for folder in ("f", "g"):
        with pytest.raises(DataError, match=r"a name with the control character .*; rename it"):
            read_folder(path=str(tmp_path / folder))
    (tmp_path / "t").mkdir()
    Image.new("L", (4, 4)).save(tmp_path / "t/0.png")
    (tmp_path / "t/l.csv").write_text(f'file,label\n0.png,"{name}"\n')
    with pytest.raises(DataError, match=r"l\.csv:.* a name with the control character"):
        read_folder(path=str(tmp_path / "t"), labels="l.csv")


def test_a_table_whose_first_line_has_no_end_is_not_parsed(tmp_path):
    (path := tmp_path / "results.csv").write_bytes(b"suite" + b",a" * 1_000_000)
    with frugal(10), pytest.raises(ReportError, match=r"results\.csv: cannot be read \(its first line has more than"):
        record.read_results(path)


@pytest.fixture
def at_once():
    """What waits for the other end of a pipe is ended."""
    signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it waits"))
    signal.alarm(60)
    yield
    signal.alarm(0)


READERS = {
    "a suite": (load_suite, "s.toml"),
    "classes": (lambda path: class_names(str(path)), "names.txt"),
    "classes as JSON": (lambda path: class_names(str(path)), "names.json"),
    "arrays": (lambda path: arrays(path=str(path)), "a.npz"),
    "a picture": (pictures.opened, "a.png"),
    "a hierarchy": (trees.read, "tree.csv"),
    "nouns": (lambda path: wordnet.paths(["n01440764"], path), "data.noun"),
    "results": (cells.read, "results.csv"),
    "a hash": (lambda path: files.sha256(path, 0), "model.keras"),
    "a stand-in": (files.stand_in, "weights.pth"),
    "a prepared set": (lambda path: prepared("mine", str(path.parents[2])), "mine/1.0.0/dataset_info.json"),
}


@pytest.mark.parametrize("kind", ["pipe", "device"])
@pytest.mark.parametrize("reader", READERS)
def test_a_pipe_or_a_device_is_not_waited_for(tmp_path, at_once, reader, kind):
    read, name = READERS[reader]
    (path := tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with frugal(), pytest.raises((RobustError, OSError), match="is no file, but a pipe or a device"):
        read(path)


def test_a_hierarchy_of_a_thousand_levels_is_refused(tmp_path):
    (path := tmp_path / "tree.csv").write_text("cat," + ",".join(f"g{i}" for i in range(5000)))
    with pytest.raises(DataError, match=r"tree\.csv:1: 'cat' has 5,000 groups above it; at most 50"):
        trees.read(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "00000001 03 n 01 cat 0 001 @ 00000002 n 0000 | a\n00000002 03 n 01 dog 0 001 @ 00000002 n 0000 | b",
            "damaged",
        ),
        ("00000001 03 n 01 cat 0 001 @ 00000009 n 0000 | a", "damaged"),
        ("00000001 03 n zz cat", "cannot be read as WordNet"),
        ("00000001", "cannot be read as WordNet"),
    ],
    ids=["a ring", "a gap", "no number", "cut off"],
)
def test_nouns_that_are_none_are_an_error_of_ours(tmp_path, at_once, text, words):
    (path := tmp_path / "data.noun").write_text(text + "\n")
    with pytest.raises(DataError, match=words):
        wordnet.paths(["n00000001"], path)


@pytest.mark.parametrize(
    ("model", "case", "words"),
    [
        (
            "",
            'attack = { name = "pgd", eps = 0.1, steps = 1000000000000000000 }',
            "steps = 1000000000000000000: surely a mis",
        ),
        ("", "images = 1000000000000000000", "images = 1000000000000000000: surely a mistake; at most 10,000,000"),
        (f"seeds = {list(range(10_001))}", "", "seeds: 10,001 of them, surely a mistake; at most 10,000"),
        ("", f'attack = {{ name = "pgd", eps = {[i / 20_000 for i in range(10_001)]} }}', "eps: 10,001 of them"),
    ],
)
def test_what_is_counted_in_a_suite_ends_somewhere(tmp_path, model, case, words):
    text = f'data = {{ name = "fashion_mini" }}\n[model.m]\narchitecture = "lenet5"\n{model}\n[case.c]\n{case}\n'
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(SuiteError, match=words):
        load_suite(tmp_path / "s.toml")
    assert schema.convert(quantities.MOST, quantities.Count, "n") == quantities.MOST
