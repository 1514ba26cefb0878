"""A prepared set of strangers: what its features.json names is not imported, and what is damaged is told."""

import json
import sys
import tracemalloc

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from robust.core.errors import DataError
from robust.datasets.tfds import tfds as load


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    """The folder of a set without code, version 1.0.0, and beside it a module that tells of its import."""
    features = tfds.features.FeaturesDict(
        {"image": tfds.features.Image(shape=(4, 4, 3)), "label": tfds.features.ClassLabel(num_classes=2)}
    )
    place = tmp_path / "sets/strange/1.0.0"
    place.mkdir(parents=True)
    rows = [{"image": np.full((4, 4, 3), i, np.uint8), "label": i % 2} for i in range(4)]
    names = tfds.core.ShardedFileTemplate(
        data_dir=place, dataset_name="strange", filetype_suffix="tfrecord", split="test"
    )
    with tf.io.TFRecordWriter(str(place / "strange-test.tfrecord-00000-of-00001")) as writer:
        for row in rows:
            writer.write(features.serialize_example(features.encode_example(row)))
    split = tfds.core.SplitInfo(name="test", shard_lengths=[4], num_bytes=0, filename_template=names)
    tfds.folder_dataset.write_metadata(data_dir=place, features=features, split_infos=[split])
    (tmp_path / "evil.py").write_text("raise SystemExit('it was imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    return place


def edit(place, change):
    file = place / "features.json"
    file.write_text(json.dumps(change(json.loads(file.read_text()))))


@pytest.mark.slow
def test_a_set_that_only_its_files_tell_of_is_read(theirs):
    assert load(builder="strange", data_dir=str(theirs.parents[1])).size("test") == 4


@pytest.mark.parametrize("inner", [False, True])
def test_a_module_that_is_not_of_tensorflow_datasets_is_not_imported(theirs, inner):
    def change(said):
        of = said["featuresDict"]["features"]["label"] if inner else said
        of["pythonClassName"] = "evil.Feature"
        return said

    edit(theirs, change)
    with pytest.raises(DataError, match=r"its features.json names 'evil.Feature', which is not imported"):
        load(builder="strange", data_dir=str(theirs.parents[1]))
    assert "evil" not in sys.modules
    assert "checked" not in tfds.features.FeatureConnector.cls_from_name.__name__


@pytest.mark.parametrize("text", ["", "{", "[]", "1", '{"pythonClassName": 1}', "{}", "[" * 100_000, '{"type": "x"}'])
@pytest.mark.parametrize("name", ["features.json", "dataset_info.json"])
def test_what_is_damaged_is_told(theirs, name, text):
    (theirs / name).write_text(text)
    try:
        load(builder="strange", data_dir=str(theirs.parents[1]))
    except DataError as error:
        assert "strange" in str(error) and len(str(error)) < 600


@pytest.mark.parametrize(
    ("error", "said"), [(OSError("no such\nlong story"), "no such"), (KeyError(), "KeyError"), (OSError(), "OSError")]
)
def test_what_damaged_files_make_of_their_readers_is_told_in_its_first_line(monkeypatch, tmp_path, error, said):
    def builder(name, data_dir):
        raise error

    monkeypatch.setattr(tfds, "builder", builder)
    with pytest.raises(DataError) as caught:
        load(builder="mnist", data_dir=str(tmp_path))
    assert str(caught.value) == f"data set 'mnist': its files are damaged ({said})"


def counted(kind, count):
    """A change of features.json: a feature of this name has so many classes."""

    def change(said):
        said["featuresDict"]["features"][kind] = {
            "pythonClassName": "tensorflow_datasets.core.features.class_label_feature.ClassLabel",
            "classLabel": {"numClasses": str(count)},
        }
        return said

    return change


@pytest.mark.slow
def test_classes_that_are_only_counted_are_not_made_up_by_the_milliard(theirs):
    asked = {"builder": "strange", "data_dir": str(theirs.parents[1])}
    edit(theirs, counted("label", 2000))
    assert len(load(**asked).classes) == 2000
    edit(theirs, counted("label", 10**9))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"features.json declares 1,000,000,000 classes for label; at most 1,000"):
            load(**asked)
        assert tracemalloc.get_traced_memory()[1] < 50 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_a_set_of_more_files_than_any_has_is_refused(theirs):
    file = theirs / "dataset_info.json"
    said = json.loads(file.read_text())
    said["splits"][0]["shardLengths"] = ["1"] * 200_000
    file.write_text(json.dumps(said))
    with pytest.raises(DataError, match=r"dataset_info.json declares 200,000 files; at most 10,000"):
        load(builder="strange", data_dir=str(theirs.parents[1]))
