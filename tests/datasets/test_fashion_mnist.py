import hashlib
import json
from importlib.resources import files

import numpy as np
import pytest

from robust.core.errors import DataError
from robust.datasets import fashion_mini, fashion_mnist, prepare
from robust.datasets.fashion_mnist import DEBIAN, restored

needs_debian = pytest.mark.skipif(not DEBIAN.is_dir(), reason=f"needs {DEBIAN} (apt install dataset-fashion-mnist)")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tfds")


@pytest.fixture(scope="module")
def data(folder):
    return fashion_mnist(data_dir=str(folder))


@needs_debian
def test_the_restored_files_are_upstream_s(tmp_path):
    checksums = (files("tensorflow_datasets") / "url_checksums/fashion_mnist.txt").read_text()
    known = {line.split("\t")[0].rpartition("/")[2]: line.split("\t")[2] for line in checksums.splitlines()}
    restored(tmp_path)
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in tmp_path.iterdir()} == known


@needs_debian
@pytest.mark.slow
def test_it_is_all_there_and_holds_the_embedded_tenth(data):
    assert dict(data.sizes) == {"train": 54_000, "validation": 6_000, "test": 10_000}
    assert data.image_shape == (28, 28, 1)
    mini = fashion_mini()
    assert (data.classes, data.superclasses) == (mini.classes, mini.superclasses)
    test = data.examples("test")
    assert np.bincount(test.labels).tolist() == [1000] * 10
    labels = {image.tobytes(): label for image, label in zip(test.images, test.labels, strict=True)}
    assert len(labels) == 10_000
    small = mini.examples("test")
    assert [labels[image.tobytes()] for image in small.images] == small.labels.tolist()
    train = np.concatenate([data.labels("train"), data.labels("validation")])
    assert np.bincount(train).tolist() == [6000] * 10


@needs_debian
@pytest.mark.slow
def test_its_parts_can_be_chosen(data, folder):
    assert json.loads((folder / "fashion_mnist/3.0.1/dataset_info.json").read_text())["name"] == "fashion_mnist"
    small = fashion_mnist(test="test[:100]", data_dir=str(folder))
    assert dict(small.sizes) == {"train": 54_000, "validation": 6_000, "test": 100}
    assert np.array_equal(small.examples("test").ids, data.examples("test").ids[:100])


def test_each_part_is_the_one_that_was_asked_for(monkeypatch):
    known = fashion_mnist.__globals__
    monkeypatch.setattr(known["prepare"], "prepared", lambda name, *more: name)
    monkeypatch.setattr(known["records"], "dataset", lambda builder, asked: (builder, asked))
    asked = {"train": "train[:80%]", "validation": "train[80%:]", "test": "test[:9]"}
    assert fashion_mnist(**asked) == ("fashion_mnist", asked)
    for split, spec in asked.items():
        assert fashion_mnist(**{split: spec}) == ("fashion_mnist", {split: spec})


def test_where_it_is_not_to_be_had_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(prepare, "unreachable", lambda builder: "a.example")
    monkeypatch.setitem(fashion_mnist.__globals__, "DEBIAN", tmp_path / "none")
    with pytest.raises(DataError) as caught:
        fashion_mnist(data_dir=str(tmp_path))
    assert str(caught.value) == (
        f"data set 'fashion_mnist' is not in {tmp_path}/fashion_mnist/3.0.1, and a.example cannot be reached; "
        'if it is available, this prepares it: python -c "import tensorflow_datasets as tfds; '
        f"tfds.load('fashion_mnist', data_dir='{tmp_path}')\"; or, on Debian, apt-get install dataset-fashion-mnist"
    )
