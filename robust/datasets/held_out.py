"""A validation split for data that has none: a tenth of each class of train, always the same images."""

from dataclasses import replace
from functools import partial

import numpy as np
import tensorflow as tf

from robust.core import randomness
from robust.datasets.dataset import Dataset, fingerprint
from robust.datasets.stored_images import Encoded, Rows

FEWEST = 5
"""Images of a class, below which all of them are used for training."""


def with_validation(data: Dataset) -> Dataset:
    """The data with a tenth of each class of train as its validation split, where it has train and no such split.

    The tenth of a class, rounded and at least one image, depends only on the images' ids: not on their order, and
    not on the seed of a training, so that trainings can be compared. The other images are train, in their order. Data
    of which no class has `FEWEST` images is unchanged.

    >>> from robust.datasets.dataset import from_splits
    >>> data = from_splits({"train": (np.zeros([24, 4, 4], "uint8"), [0] * 20 + [1] * 4)})
    >>> dict(with_validation(data).sizes)
    {'train': 22, 'validation': 2}
    """
    if "train" not in data.sizes or "validation" in data.sizes:
        return data
    source = data.encoded or Encoded(data.read)
    chosen = tenth(data.labels("train"), data.ids("train").tolist())
    if not (count := int(chosen.sum())):
        return data
    train = {"train": data.size("train") - count, "validation": count}
    own = source.changed(lambda rows: partial(_rows, rows, chosen))
    note = f"{data.name} has no validation split: it is a tenth of each class of train, {count:,} images"
    return replace(
        data,
        sizes={**train, **{split: size for split, size in data.sizes.items() if split != "train"}},
        read=own.read,
        encoded=own if data.encoded else None,
        fingerprint=fingerprint(data.fingerprint.encode(), chosen),
        notes=(*data.notes, note),
    )


def tenth(labels: np.ndarray, ids: list[str]) -> np.ndarray:
    """Which images are chosen, bool [N]."""
    chosen, draws = np.zeros(len(labels), bool), randomness.image_seeds(0, "validation", ids)
    for label, size in zip(*np.unique(labels, return_counts=True), strict=True):
        if size >= FEWEST:
            own = np.flatnonzero(labels == label)
            chosen[own[np.argsort(draws[own])[: max(1, round(size / 10))]]] = True
    return chosen


def _rows(rows: Rows, chosen: np.ndarray, split: str) -> tf.data.Dataset:
    if split not in ("train", "validation"):
        return rows(split)
    wanted = tf.data.Dataset.from_tensor_slices(chosen if split == "validation" else ~chosen)
    marked = tf.data.Dataset.zip(rows("train"), wanted)
    kept = marked.filter(lambda row, keep: keep)
    return kept.map(lambda row, keep: row)
