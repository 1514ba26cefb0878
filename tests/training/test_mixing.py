"""Each batch mixes the classes, of every kind of source that stands in the order of its classes, however it is read."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from robust.core.errors import DataError
from robust.datasets import channels, folder, order
from robust.datasets.arrays import arrays
from robust.datasets.dataset import Dataset
from robust.datasets.from_python import dataset_of
from robust.datasets.held_out import with_validation
from robust.datasets.tfds import tfds as load
from robust.training import pipeline
from robust.training.pipeline import training_batches

CLASSES, EACH, BATCH = 6, 60, 60
NAMES = [f"class{label}" for label in range(CLASSES)]
LABELS = np.repeat(np.arange(CLASSES), EACH)
LEVELS = (40 * LABELS + np.tile(np.arange(EACH) // 2, CLASSES)).astype("uint8")  # a level tells the class
IMAGES = np.broadcast_to(LEVELS[:, None, None, None], (len(LEVELS), 4, 4, 1))


class Sorted(tfds.core.GeneratorBasedBuilder):
    """The images in the order of their classes, as they are handed over, in three files."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {"image": tfds.features.Image(shape=(4, 4, 1)), "label": tfds.features.ClassLabel(names=NAMES)}
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features), disable_shuffling=True)

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(len(LABELS)), "test": self._generate_examples(3)}

    def _generate_examples(self, size):
        yield from ((i, {"image": IMAGES[i], "label": int(LABELS[i])}) for i in range(size))


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    """A folder by class, a table, arrays and prepared sets."""
    root = tmp_path_factory.mktemp("kept")
    for i, (image, label) in enumerate(zip(IMAGES, LABELS, strict=True)):
        (place := root / "folder" / "train" / NAMES[label]).mkdir(parents=True, exist_ok=True)
        tf.io.write_file(str(place / f"{i:03}.png"), tf.io.encode_png(image))
    with (root / "table.csv").open("w") as file:
        lines = [(f"{NAMES[label]}/{i:03}.png", NAMES[label], "train") for i, label in enumerate(LABELS)]
        csv.writer(file).writerows([("file", "label", "split"), *lines])
    np.savez(root / "x.npz", x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:1], y_test=LABELS[:1])
    config = tfds.download.DownloadConfig(num_shards=3)
    Sorted(data_dir=root / "tfrecord").download_and_prepare(download_config=config)
    return root


def _pairs() -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).batch(50)


def _floats() -> Dataset:
    return dataset_of({"train": (IMAGES / np.float32(255), LABELS)})


def _stored(kept: Path) -> Dataset:
    return load(builder="sorted", data_dir=str(kept / "tfrecord"))


SOURCES: dict[str, Callable[[Path], Dataset]] = {
    "folder": lambda kept: folder(path=str(kept / "folder")),
    "table": lambda kept: folder(path=str(kept / "folder" / "train"), labels=str(kept / "table.csv")),
    "npz": lambda kept: arrays(path=str(kept / "x.npz")),
    "floats": lambda kept: _floats(),
    "tf.data": lambda kept: dataset_of({"train": _pairs()}),
    "tfrecord": lambda kept: _stored(kept),
    "some records": lambda kept: load(
        builder="sorted", data_dir=str(kept / "tfrecord"), train="train[10:350]", validation="train[350:]"
    ),
    "other order": lambda kept: order.ordered(_stored(kept), NAMES),
    "arrays in another order": lambda kept: order.ordered(arrays(path=str(kept / "x.npz")), NAMES),
    "in colour": lambda kept: channels.converted(_stored(kept), "rgb"),
    "without a tenth": lambda kept: with_validation(_stored(kept)),
    "arrays without a tenth": lambda kept: with_validation(arrays(path=str(kept / "x.npz"))),
}
READ = {  # what is kept as pixels, and what encoded
    "in memory": (pipeline.IN_MEMORY, pipeline.BUFFER),
    "encoded in memory": (0, pipeline.BUFFER),
    "from where it lies": (0, 1),
}


def _batches(data: Dataset, epochs: int = 3, **options) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    options = {"batch_size": BATCH, "seed": 0, **options}
    return list(training_batches(data, epochs=epochs, **options).as_numpy_iterator())


def _distance(batches: list[tuple[np.ndarray, ...]], shares: np.ndarray) -> np.ndarray:
    """Of each full batch sum (n - e)^2 / e over the classes, 5 at most in the mean where they are drawn at random."""
    counts = np.array([np.bincount(labels, minlength=CLASSES) for _, labels, _ in batches if len(labels) == BATCH])
    return (np.square(counts - shares * BATCH) / (shares * BATCH)).sum(axis=1)


@pytest.mark.slow_after_first
@pytest.mark.parametrize(
    ("read", "source"),
    [
        *(("in memory", source) for source in ("folder", "npz", "tf.data", "tfrecord")),
        *(("encoded in memory", source) for source in ("folder", "npz", "tfrecord")),
        *(("from where it lies", source) for source in SOURCES),
    ],
)
def test_every_batch_mixes_the_classes(kept, monkeypatch, read, source):
    for name, most in zip(("IN_MEMORY", "BUFFER"), READ[read], strict=True):
        monkeypatch.setattr(pipeline, name, most)
    data = SOURCES[source](kept)
    own = data.labels("train")
    assert (np.diff(own) >= 0).all()  # in the order of the classes
    batches = _batches(data)
    images, labels, seeds = (np.concatenate(column) for column in zip(*batches, strict=True))
    assert np.array_equal(np.rint(images[:, 0, 0, 0] * 255).astype(int) // 40, labels)
    assert (images == images[:, :1, :1, :1]).all() and images.shape[1:] == data.image_shape
    for epoch in np.split(np.stack([labels, seeds]), 3, axis=1):
        assert np.array_equal(np.sort(epoch[0]), own) and len(set(epoch[1])) == len(own)  # each image once
    distances = _distance(batches, np.bincount(own, minlength=CLASSES) / len(own))
    assert 2 < distances.mean() < 7 and distances.max() < 25  # chi-squared with 5 degrees: 1 in 7,000 is beyond


@pytest.mark.slow
@pytest.mark.parametrize("source", ["folder", "npz", "tfrecord"])
def test_a_run_taken_up_sees_what_the_uninterrupted_one_saw(kept, monkeypatch, source):
    monkeypatch.setattr(pipeline, "IN_MEMORY", 0)
    monkeypatch.setattr(pipeline, "BUFFER", 1)
    data = SOURCES[source](kept)
    whole, rest = _batches(data, 3), _batches(data, 3, start_epoch=2)
    assert len(rest) == 6
    for one, other in zip(whole[-6:], rest, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert not np.array_equal(whole[0][2], whole[6][2])


@pytest.mark.slow_after_first
@pytest.mark.parametrize("source", ["folder", "npz", "tfrecord", "without a tenth"])
def test_balanced_sampling_takes_images_from_where_they_lie(kept, monkeypatch, source):
    monkeypatch.setattr(pipeline, "IN_MEMORY", 0)
    data = SOURCES[source](kept)
    images, labels, _ = (np.concatenate(c) for c in zip(*_batches(data, 1, sampling="balanced"), strict=True))
    assert np.array_equal(np.rint(images[:, 0, 0, 0] * 255).astype(int) // 40, labels)
    assert np.ptp(np.bincount(labels)) <= 1


@pytest.mark.slow
def test_a_set_prepared_in_order_has_a_tenth_of_each_class_held_out_and_not_its_last_images(kept):
    data = _stored(kept)
    assert dict(data.sizes) == {"train": 360, "test": 3}
    held = with_validation(data)
    assert np.bincount(held.labels("validation")).tolist() == [6] * CLASSES


def _rows(places: np.ndarray) -> Dataset:
    """Rows that can only be read one after the other, as those of a `read` that somebody wrote."""

    def read(_: str) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices((IMAGES[places], LABELS[places], [str(i) for i in places]))

    return Dataset("rows", tuple(NAMES), (4, 4, 1), {"train": len(LABELS)}, read, "rows")


@pytest.mark.slow
def test_what_is_read_one_after_the_other_is_mixed_while_it_fits_and_else_refused_with_the_reason(monkeypatch):
    data = _rows(np.arange(len(LABELS)))
    monkeypatch.setattr(pipeline, "IN_MEMORY", 0)
    assert _distance(_batches(data), np.full(CLASSES, 1 / CLASSES)).mean() < 6
    monkeypatch.setattr(pipeline, "BUFFER", 16 * 180)
    with pytest.raises(DataError, match=r"split 'train' is ordered by class .* store it in a random order"):
        training_batches(data, batch_size=BATCH, seed=0, epochs=1)
    with pytest.raises(DataError, match="too many to be sampled in memory"):
        training_batches(data, batch_size=BATCH, seed=0, epochs=1, sampling="balanced")


def test_rows_in_a_random_order_need_not_all_be_held(monkeypatch):
    data = _rows(np.random.default_rng(0).permutation(len(LABELS)))
    monkeypatch.setattr(pipeline, "IN_MEMORY", 0)
    monkeypatch.setattr(pipeline, "BUFFER", 16 * 180)
    assert _distance(_batches(data), np.full(CLASSES, 1 / CLASSES)).mean() < 6
