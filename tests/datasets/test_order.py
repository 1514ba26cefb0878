"""The order of the classes: as the data has them, or as a model has its outputs."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from robust.core.errors import DataError, SuiteError
from robust.datasets.dataset import from_arrays
from robust.datasets.folder import folder
from robust.datasets.from_python import read
from robust.datasets.order import class_order_remark, ordered
from robust.datasets.taxonomy import imagenet, superclasses
from robust.suite import read_data
from robust.suite.classes import names

PETS = ("ant", "bee", "cat")


@pytest.fixture
def pets():
    return from_arrays(np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1), [0, 1, 2, 2, 1, 0], PETS)


def refused(function, *arguments, of=DataError) -> str:
    with pytest.raises(of) as caught:
        function(*arguments)
    return str(caught.value)


def test_images_keep_their_class_and_their_place(pets):
    found = ordered(pets, ["cat", "cow", "bee", "ant"])
    before, after = pets.examples("test"), found.examples("test")
    assert [found.classes[label] for label in after.labels] == [PETS[label] for label in before.labels]
    assert after.labels.tolist() == found.labels("test").tolist() == [3, 2, 0, 0, 2, 3]
    assert np.array_equal(after.images, before.images) and np.array_equal(after.ids, before.ids)
    assert len({data.fingerprint for data in (pets, found, ordered(pets, PETS[::-1]))}) == 3
    assert found.content == pets.content


def test_a_folder_is_read_in_the_order_that_is_named(tmp_path):
    for name in PETS:
        (tmp_path / name).mkdir()
        Image.fromarray(np.full((2, 2), 99, np.uint8)).save(tmp_path / name / "a.png")
    data = read(read_data({"folder": str(tmp_path), "classes": ["cat", "ant", "bee"]}))
    assert dict(zip(data.examples("test").ids, data.examples("test").labels, strict=True)) == {
        "ant/a.png": 1,
        "bee/a.png": 2,
        "cat/a.png": 0,
    }
    assert ordered(folder(path=str(tmp_path)), ("cat", "ant", "bee")).fingerprint == data.fingerprint


def test_a_class_that_the_model_has_not_is_told_with_the_one_that_was_meant(pets):
    said = refused(ordered, pets, ["ant", "bee", "cats"])
    parts = ("classes: ", "'arrays' has a class 'cat' ", "did you mean 'cats'?")
    assert all(part in said for part in parts)
    assert "has a class 'bee' (and 1 others) that is not among them" in refused(ordered, pets, ["ant", "owl"])


def test_two_names_of_one_number_are_no_places():
    both = from_arrays(np.zeros((2, 1, 1, 1)), [0, 1], ["07", "7"])
    with pytest.raises(DataError, match="two classes of the same number, '07' among them"):
        ordered(both, list("abcdefgh"))


def test_classes_that_are_numbers_are_places_among_the_names():
    data = from_arrays(np.zeros((2, 1, 1, 1)), [0, 2])
    assert ordered(data, ["x", "y", "z", "w"]).labels("test").tolist() == [0, 2]
    what = "data set 'arrays' has a class 2, and 2 classes are given"
    assert what in refused(ordered, data, ["x", "y"])
    assert ordered(data, ["2", "1", "0"]).labels("test").tolist() == [2, 0]


def test_ids_of_imagenet_are_read_as_its_names():
    data = from_arrays(np.zeros((2, 1, 1, 1)), [0, 1], ["tench", "goldfish"])
    assert ordered(data, ["n01443537", "n01440764"]).labels("test").tolist() == [1, 0]


def test_the_order_is_said_and_what_has_no_images(pets):
    assert class_order_remark(pets) == "classes in this order: 0 ant, 1 bee, 2 cat"
    found = class_order_remark(ordered(pets, [*PETS, *(f"x{i}" for i in range(20))]))
    assert found.startswith("classes in this order: 0 ant, 1 bee, 2 cat, ..., 22 x19; images of 3 of the 23 classes")
    assert found.endswith("none of x0, x1, x2, ...")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("names.txt", "dog\ncat\n"),
        ("names.txt", "\ufeffdog\r\ncat\r\n\r\n"),
        ("names.json", '["dog", "cat"]'),
        ("names.json", '{"0": "dog", "1": "cat"}'),
        ("names.json", '{"0": ["dog", "a word"], "1": ["cat", "another"]}'),
        ("class_indices.json", '{"cat": 1, "dog": 0}'),
        ("config.json", '{"id2label": {"1": "cat", "0": "dog"}, "architectures": []}'),
    ],
)
def test_files_of_names(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert names(name, tmp_path) == names(str(tmp_path / name)) == ("dog", "cat")


def test_names_may_be_typed_or_come_from_numpy():
    assert names("dog, cat") == names(np.array(["dog", "cat"])) == ("dog", "cat")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("nams.txt", "classes = 'nams.txt': there is no such file; must be a list of names"),
        (["a", "a"], "classes: 'a' occurs twice"),
        ("a,,b", "no name is empty"),
        ([1, 2], "classes = [1, 2]: must be a list of names"),
        ([], "classes = []: no name is empty"),
    ],
)
def test_names_that_are_none(value, message):
    assert message in refused(names, value, of=SuiteError)


@pytest.mark.parametrize("content", ["3", "[1]", '{"0": "a", "2": "b"}', "{", "{}", '{"0": 3, "1": "a"}'])
def test_files_that_hold_no_names(tmp_path, content):
    (tmp_path / "x.json").write_text(content)
    assert "classes" in refused(names, "x.json", tmp_path, of=SuiteError)


@pytest.mark.parametrize("content", ['{"cat": 0, "dog": 1, "fox": 1}', '{"0": "cat", "1": "dog", "1": "fox"}'])
def test_no_name_is_lost_for_its_place_is_taken(tmp_path, content):
    (tmp_path / "x.json").write_text(content)
    assert "'1' occurs twice" in refused(names, "x.json", tmp_path, of=SuiteError)


def test_a_suite_names_a_file_beside_it_and_somebody_s_code_has_keys_of_its_own(tmp_path, monkeypatch):
    (tmp_path / "order.txt").write_text("1\n0\n")
    np.savez(tmp_path / "x.npz", x=np.full((2, 2, 2), 99, np.uint8), y=[0, 1])
    monkeypatch.chdir(tmp_path)
    assert read(read_data({"arrays": "x.npz", "classes": "order.txt"})).labels("test").tolist() == [1, 0]
    (tmp_path / "mine_of_classes.py").write_text("def data(*, classes: list[str]):\n    return classes\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert read_data({"name": "mine_of_classes:data", "classes": ["a"]}).arguments == {"classes": ["a"]}


def test_superclasses_found_by_names_are_those_of_all_names_and_own_ones_are_kept():
    names = list(imagenet.names())
    two = from_arrays(np.zeros((2, 1, 1, 1)), [0, 1], ["giant panda", "bee"])
    assert ordered(two, names).superclasses == superclasses.of(names)
    own = replace(two, superclasses={"black": ("giant panda", "bee")})
    assert ordered(own, names).superclasses == own.superclasses
