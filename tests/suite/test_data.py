from pathlib import Path

import pytest
from PIL import Image

from robust.core.errors import SuiteError
from robust.core.signature import Call
from robust.datasets import from_python
from robust.suite import load, read_data
from robust.suite.data import named

REST = '[model.m]\narchitecture = "lenet5"\n[case.c]\n'


def read(folder, data, allow_code=False):
    (folder / "s.toml").write_text(f"data = {data}\n{REST}")
    return load(folder / "s.toml", allow_code=allow_code).data


def refused(folder, data) -> str:
    with pytest.raises(SuiteError) as caught:
        read(folder, data)
    return str(caught.value).removeprefix(f"{folder}/s.toml:")


def tfds(**given):
    known = {"train": "", "validation": "", "test": "", "transform": None, "data_dir": ""}
    return Call("datasets", "tfds", {**known, **given})


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ('"cifar10"', tfds(builder="cifar10")),
        ('{ name = "cifar10", test = "test[:1000]" }', tfds(builder="cifar10", test="test[:1000]")),
        ('{ name = "cifar10:3.0.2" }', tfds(builder="cifar10:3.0.2")),
        ('{ name = "cifar10_corrupted/fog_3:1.*.*" }', tfds(builder="cifar10_corrupted/fog_3:1.*.*")),
        ('{ name = "tfds", builder = "folder" }', tfds(builder="folder")),
        ('{ name = "imagenet2012", transform = "imagenet" }', tfds(builder="imagenet2012", transform="imagenet")),
        ('{ name = "imagenet_v2", transform = { size = 240, crop = "240/272", interpolation = "bicubic" } }',
         tfds(builder="imagenet_v2", transform={"size": 240, "crop": 240 / 272, "interpolation": "bicubic"})),
        ('{ name = "fashion_mini" }', Call("datasets", "fashion_mini")),
        ('{ name = "fashion_mnist", test = "test[:10]" }',
         Call("datasets", "fashion_mnist", {"train": "", "validation": "", "test": "test[:10]", "data_dir": ""})),
    ],
)  # fmt: skip
def test_a_name_is_ours_or_one_of_tensorflow_datasets(tmp_path, data, expected):
    assert read(tmp_path, data) == expected


def test_paths_are_beside_the_suite_or_where_we_are(tmp_path, monkeypatch):
    here, suites = tmp_path / "here", tmp_path / "suites"
    for place in (here, suites):
        place.mkdir()
    monkeypatch.chdir(here)
    (here / "photos").mkdir()
    for name in ("x.npz", "ids.txt", "labels.csv"):
        (here / name).write_text("")
    assert read(suites, '{ folder = "photos/" }').arguments["path"] == "photos"
    (suites / "photos").mkdir()
    (suites / "photos/inside.csv").write_text("")
    (suites / "prepared").mkdir()
    photos = read(suites, '{ folder = "photos", labels = "inside.csv" }').arguments
    assert (photos["path"], photos["labels"]) == (f"{suites}/photos", "inside.csv")
    assert read(suites, '{ folder = "photos", labels = "labels.csv" }').arguments["labels"] == "labels.csv"
    named = read(suites, '{ arrays = "x.npz", classes = ["a", "b"] }')
    assert (named.arguments, named.classes) == ({"path": "x.npz"}, ("a", "b"))
    given = read(suites, '{ name = "imagenet2012", test = { ids = "ids.txt" }, data_dir = "prepared" }').arguments
    assert (given["test"], given["data_dir"]) == ({"ids": "ids.txt"}, f"{suites}/prepared")
    assert read(suites, '{ name = "cifar10", data_dir = "elsewhere" }').arguments["data_dir"] == "elsewhere"
    assert refused(suites, '{ arrays = "y.npz" }') == f"1: arrays = 'y.npz': is neither in {suites} nor in {here}"
    said = refused(suites, '{ folder = "photos", labels = "lab.csv" }')
    assert said == f"1: labels = 'lab.csv': is neither in {suites} nor in {here}"


def test_code_of_somebody_s_needs_trust(tmp_path):
    (tmp_path / "theirs_for_data.py").write_text("def pair(*, n: int = 3):\n    return None\n")
    said = "1: data = 'theirs_for_data:pair' runs third-party code; if you trust this suite, set allow_code=True"
    assert refused(tmp_path, '{ python = "theirs_for_data:pair" }') == said
    found = read(tmp_path, '{ python = "theirs_for_data:pair", n = 4 }', allow_code=True)
    assert found == Call("datasets", "theirs_for_data:pair", {"n": 4})


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ('"fashion_maxi"', "1: no datasets named 'fashion_maxi'; did you mean 'fashion_mini'?"),
        ('{ name = "cifar10", tset = "test" }', "1: tset: tfds takes no 'tset'; did you mean 'test'?"),
        (
            '{ name = "cifar10", transform = "imagenett" }',
            "1: transform = 'imagenett': not known; did you mean 'imagenet'?",
        ),
        (
            '{ name = "cifar10", folder = "x" }',
            "1: data is one of name, folder, arrays, python; this has name and folder",
        ),
        ("{ folder = 3 }", "1: folder = 3: must be a string"),
        ('{ python = "x" }', "1: python = 'x': must be \"module:function\""),
        ('{ nam = "x" }', "1: data = {'nam': 'x'}: must be a name, or a table with a name"),
    ],
)
def test_what_is_refused(tmp_path, data, expected):
    assert refused(tmp_path, data) == expected


def test_a_command_line_may_name_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "cifar10").mkdir()
    (tmp_path / "x.npz").write_text("")
    found = read_data("cifar10")
    assert (found.name, found.arguments) == ("tfds", tfds(builder="cifar10").arguments)
    assert read_data("cifar10/").arguments["path"] == "cifar10"
    assert read_data("x.npz") == Call("datasets", "arrays", {"path": "x.npz"})
    for path in ("y.npz", "./photos", "photos/"):
        with pytest.raises(SuiteError, match=rf"(arrays|folder) = '{path}': is not in {tmp_path}$"):
            read_data(path)
    for path in ("/photos", "~/photos", "/x.npz"):
        with pytest.raises(SuiteError, match=rf"(arrays|folder) = '{path}': there is no such file or folder$"):
            read_data(path)


def test_a_name_with_its_builder_is_left_alone():
    assert named({"name": "mnist", "builder": "x"}) == {"name": "mnist", "builder": "x"}
    assert named(3) == 3


def test_a_table_is_named_by_its_path_and_a_transform_goes_with_any_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/labels.csv").write_text("file,label\n")
    for text in ("photos/labels.csv", str(tmp_path / "photos/labels.csv")):
        found = read_data(text, transform="96")
        assert Path(found.arguments["path"]).resolve() == tmp_path / "photos"
        assert (found.arguments["labels"], found.arguments["transform"]) == ("labels.csv", {"size": 96})
    assert read_data("photos", transform="imagenet").arguments["path"] == "photos"
    assert read_data("cifar10", transform="imagenet").arguments["builder"] == "cifar10"


@pytest.mark.slow
def test_of_a_name_that_is_a_folder_s_too_it_is_said_which_was_taken(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert from_python.read(read_data("digits")).remarks == ()
    for label in "ab":
        (tmp_path / "digits" / label).mkdir(parents=True)
        Image.new("L", (8, 8), 99).save(tmp_path / "digits" / label / "1.png")
    ours = from_python.read(read_data("digits"))
    (said,) = ours.remarks
    assert all(part in said for part in ("taken for the data set ", "for the folder 'digits' write digits/"))
    assert ours.classes == tuple("0123456789")
    assert from_python.read(read_data("digits/")).remarks == () and from_python.read(read_data("digits/")).classes == (
        "a",
        "b",
    )
    assert from_python.read(read_data({"name": "digits"})).remarks == ()
    *_, found = sorted(from_python.read(read_data("digits", transform="4")).remarks)  # the first is of its antialiasing
    assert all(part in found for part in ("taken for the folder;", "data = { name = 'digits', ... } in a suite"))
    (suite := tmp_path / "suites").mkdir()
    (told,) = from_python.read(read(suite, '"digits"')).remarks
    assert told.endswith("for the folder 'digits' write { folder = 'digits' }")
    assert from_python.read(read(suite, "{ folder = 'digits' }")).classes == ("a", "b")
    assert from_python.read(read(suite, "{ name = 'digits' }")).remarks == ()
