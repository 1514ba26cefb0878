"""HDF5 files whose attributes take gigabytes, or are nothing that Keras reads: refused, in little memory."""

import shutil
import struct
import zipfile
from contextlib import contextmanager
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from robust.core import hdf5_files, hdf5_heaps, keras_files
from robust.core.errors import ModelError
from robust.models.loading import load

MANY, LONG = 3000, 500_000


@contextmanager
def little(megabytes=150):
    """What is done within takes so much memory at most, also that of libraries in C."""
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    yield
    assert memory("VmHWM") - before < megabytes * 2**20


def memory(name):
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 2**10


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3, name="last")])
    for name in ("m.h5", "m.keras"):
        model.save(folder / name)
    return folder


@pytest.fixture
def old(saved, tmp_path):
    return Path(shutil.copy(saved / "m.h5", tmp_path / "m.h5"))


def set_attribute(path, place, name, value, kind=None):
    with h5py.File(path, "r+") as file:
        if name in file[place].attrs:
            del file[place].attrs[name]
        file[place].attrs.create(name, value, dtype=kind)


def one_word_for_all(path, place, name):
    """An attribute of many words, each of which is the same long one, written once."""
    words = np.array(["A" * LONG, *(f"B{i}" for i in range(MANY - 1))], dtype=object)
    set_attribute(path, place, name, words, h5py.string_dtype())
    content, first = path.read_bytes(), struct.pack("<I", LONG)
    at = content.find(first)
    while content[at + 16 : at + 20] != struct.pack("<I", 2):
        at = content.index(first, at + 1)
    path.write_bytes(content[:at] + content[at : at + 16] * MANY + content[at + 16 * MANY :])


def with_weights(saved, path, change):
    """The .keras archive with weights that were changed."""
    with zipfile.ZipFile(saved / "m.keras") as archive, zipfile.ZipFile(path, "w") as other:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "model.weights.h5":
                (weights := path.with_suffix(".h5")).write_bytes(content)
                change(weights)
                content = weights.read_bytes()
            other.writestr(name, content)
    return path


@pytest.mark.parametrize("name", ["weight_names", "layer_names", "layer_names0", "other"])
@pytest.mark.parametrize("place", ["model_weights", "model_weights/last", "model_weights/last/sequential"])
def test_a_word_that_is_named_a_thousand_times_is_not_read(old, name, place):
    with h5py.File(old) as file:
        place = place if place in file else "/"
    one_word_for_all(old, place, name)
    with little(), pytest.raises(ModelError, match=r"attributes are damaged, or take more than 67,108,864 bytes"):
        load(old)


@pytest.mark.parametrize(("place", "name"), [("/", "weight_names"), ("layers/dense/vars/0", "dtype")])
def test_nor_in_an_archive(saved, tmp_path, place, name):
    path = with_weights(saved, tmp_path / "b.keras", lambda weights: one_word_for_all(weights, place, name))
    with little(), pytest.raises(ModelError, match=r"attributes are damaged, or take more than"):
        load(path)


@pytest.mark.slow
@pytest.mark.parametrize("where", ["all", "name"])
@pytest.mark.parametrize(
    ("length", "name"),
    [(0xF0000000, "model_config"), (0x7FFFFFFF, "model_config"), (0x10000000, "keras_version"), (2**28, "backend")],
)
def test_a_length_of_gigabytes_makes_no_room(old, length, name, where):
    word = "x" * 4321 if name != "model_config" else h5py.File(old).attrs[name].ljust(4321)
    set_attribute(old, "/", name, word, h5py.string_dtype())
    content, new = old.read_bytes(), struct.pack("<I", length)
    said = struct.pack("<I", 4321)
    assert content.count(said) >= 2  # where it is named and where it stands
    old.write_bytes(content.replace(said, new) if where == "all" else content.replace(said, new, 1))
    with little(), pytest.raises(ModelError, match="attributes are damaged, or take more than"):
        load(old)
    with little():
        assert keras_files.foreign(old) == [] and keras_files.of_keras_2(old) == ""


@pytest.mark.parametrize("name", ["model_config", "weight_names"])
def test_a_fixed_word_of_gigabytes_makes_no_room(old, name):
    place = "/" if name == "model_config" else "model_weights/last"
    word = np.bytes_(b"y" * 4321)
    set_attribute(old, place, name, word if place == "/" else np.array([word]))
    content, said = old.read_bytes(), struct.pack("<I", 4321)
    assert content.count(said)
    old.write_bytes(content.replace(said, struct.pack("<I", 0xF0000000)))
    with little(), pytest.raises(ModelError, match="damaged"):
        load(old)


def referring(file):
    return np.array([file.ref] * 3, dtype=h5py.ref_dtype), h5py.ref_dtype


@pytest.mark.parametrize("name", ["weight_names", "layer_names", "weight_names0"])
@pytest.mark.parametrize(
    ("value", "said"),
    [
        (referring, "names <HDF5 object reference.*which is not a valid name"),
        ([3, 4], "which is not a valid name"),
        ([[b"a"]], "is not a list"),
        (b"kernel", "is not a list"),
        ([b"\xff\xfe"], "which is not a valid name"),
        ([b""], "which is not a valid name"),
        (np.zeros(2, [("a", "i4"), ("b", "f4")]), "which is not a valid name"),
    ],
    ids=["references", "integers", "a table", "one word", "no UTF-8", "nothing", "records"],
)
def test_names_of_weights_are_words(old, name, value, said):
    with h5py.File(old) as file:
        value, kind = value(file) if callable(value) else (value, None)
    set_attribute(old, "model_weights/last", name, value, kind)
    with pytest.raises(ModelError, match=said):
        load(old)


def test_an_attribute_whose_name_is_no_word_is_passed_by(saved, old):
    set_attribute(old, "model_weights/last", "abcdefg", 3)
    old.write_bytes(old.read_bytes().replace(b"abcdefg", b"\xffbcdefg"))
    with h5py.File(old) as file:
        assert b"\xffbcdefg" in list(file["model_weights/last"].attrs)
    assert load(old).count_params() == load(saved / "m.h5").count_params()


def test_what_names_a_folder_or_nothing_is_no_error_of_ours(old):
    for names in (["sequential", "../..", "nowhere", "/"], ["."]):
        set_attribute(old, "model_weights/last", "weight_names", names)
        with pytest.raises(ModelError, match="cannot be loaded as data"):
            load(old)


@pytest.mark.parametrize("seed", [18, 25, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(100, 160))])
def test_whatever_byte_is_wrong_it_is_loaded_or_an_error_of_ours(old, seed):
    random, content = np.random.default_rng(seed), bytearray(old.read_bytes())
    for place in random.integers(0, min(len(content), 6000), random.integers(1, 6)):
        content[place] = random.choice([0, 255, 127, 128, 1])
    old.write_bytes(content)
    with little(300):
        try:
            keras_files.oversized(old) or keras_files.numbers(old)
            keras_files.foreign(old)
        except (OSError, ValueError, RuntimeError, zipfile.BadZipFile):
            pass  # what `numbers` promises


def test_honest_words_are_read_and_looked_at_once(saved, monkeypatch):
    monkeypatch.setattr(
        hdf5_heaps.subprocess, "run", lambda *a, run=hdf5_heaps.subprocess.run, **b: asked.append(a) or run(*a, **b)
    )
    asked = []
    hdf5_files.spelled.cache_clear()
    for name in ("m.h5", "m.keras"):
        assert load(saved / name).count_params() == 51
    assert len(asked) <= 2


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
    with pytest.raises(ModelError, match="its weights /model_weights/words are not numbers"):
        load(tmp_path / "b.h5")


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
    assert keras_files.is_hdf5(path)
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
        with pytest.raises(ModelError, match="is both an HDF5 file and a zip archive"):
            load(path)


def test_an_archive_is_one_wherever_its_weights_stand_and_whatever_its_name(tmp_path):
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    model.save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive, zipfile.ZipFile(tmp_path / "n.h5", "w") as other:
        other.writestr("config.json", archive.read("config.json").ljust(4096 - 30 - 11 - 30 - 16))
        other.writestr("model.weights.h5", archive.read("model.weights.h5"))
        other.writestr("metadata.json", archive.read("metadata.json"))
    assert h5py.is_hdf5(tmp_path / "n.h5") and not keras_files.is_hdf5(tmp_path / "n.h5")
    assert np.array_equal(load(tmp_path / "n.h5").get_weights()[0], model.get_weights()[0])


@pytest.mark.slow
def test_more_parts_than_any_model_has_are_not_walked_through(old):
    with h5py.File(old, "r+", libver="latest") as file:
        for each in range(hdf5_files._PARTS):
            file.create_group(f"g{each}")
    with little(), pytest.raises(ModelError, match="it has more than 20,000 groups and arrays"):
        load(old)
