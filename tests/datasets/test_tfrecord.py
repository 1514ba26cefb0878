"""Records of TFRecord files are found by their lengths and read alone, in any order."""

import numpy as np
import pytest
import tensorflow as tf

from robust.core.errors import DataError
from robust.datasets import tfrecord

RECORDS = [b"", b"one", b"ends in zeros\0\0", bytes(range(256)) * 50]


@pytest.fixture
def files(tmp_path):
    """The records twice: in their order, and backwards."""
    paths = [str(tmp_path / name) for name in ("s-00000-of-00002", "s-00001-of-00002")]
    for path, records in zip(paths, (RECORDS, RECORDS[::-1]), strict=True):
        with tf.io.TFRecordWriter(path) as writer:
            for record in records:
                writer.write(record)
    return paths


def test_each_record_is_read_alone_as_tensorflow_reads_it(files):
    for number, path in enumerate(files):
        known = [each.numpy() for each in tf.data.TFRecordDataset(path)]
        places = np.array([(number, *place) for place in tfrecord.places(path)])
        order = np.random.default_rng(0).permutation(len(places))
        rows = tf.data.Dataset.from_tensor_slices(places[order]).map(lambda place: tfrecord.record(files, place))
        assert [each.numpy() for each in rows] == [known[i] for i in order]


def test_ids_tell_which_file_and_how_manieth(files):
    ids = [b"s-00001-of-00002__3", b"s-00000-of-00002__1"]
    found = tfrecord.located(files, ids)
    assert [tfrecord.record(files, tf.constant(place)).numpy() for place in found] == [b"", b"one"]


@pytest.mark.parametrize("cut", [1, 17, 12_000])
def test_a_file_that_is_cut_short_is_told(files, tmp_path, cut):
    whole = (tmp_path / "s-00000-of-00002").read_bytes()
    (short := tmp_path / "short").write_bytes(whole[:-cut])
    with pytest.raises(DataError, match=r"short: is truncated, it ends within its record 3$"):
        tfrecord.places(short)


def test_one_that_became_shorter_meanwhile_is_told(files, tmp_path):
    places = tfrecord.located(files, [b"s-00000-of-00002__3"])
    (tmp_path / "s-00000-of-00002").write_bytes(b"")
    with pytest.raises(DataError, match="s-00000-of-00002: is shorter than it was"):
        tfrecord.record(files, tf.constant(places[0]))
