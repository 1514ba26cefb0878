"""What a data set is: images in [0, 1] with labels and ids, in three splits of a fixed order."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import ArrayLike

from robust.datasets import checks
from robust.errors import DataError, suggest

SPLITS = ("train", "validation", "test")
"""Whatever is chosen by looking at data is chosen on train and validation; test only judges."""


@dataclass(frozen=True, eq=False)
class Examples:
    """The arrays of one split, or of a choice from it."""

    images: np.ndarray
    """float32 [N, H, W, C] in [0, 1]."""
    labels: np.ndarray
    """int64 [N], each the index of a class."""
    ids: np.ndarray
    """str [N], unique within the data set."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images with labels and ids, in splits of a fixed order.

    Raises DataError for a split that is empty or has another name than those of `SPLITS`, for two
    classes of one name, and for superclasses that name a class twice or one that is not there.
    """

    name: str
    classes: tuple[str, ...]
    """The name of each label."""
    image_shape: tuple[int, int, int]
    """H, W, C."""
    sizes: Mapping[str, int]
    """Images in each split that there is."""
    read: Callable[[str], tf.data.Dataset]
    """Split -> (image [H, W, C], uint8 or float32 in [0, 1]; label int64; id string), in a fixed order."""
    fingerprint: str
    """A hash of the content: two data sets of one fingerprint give the same results."""
    superclasses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Superclass -> its classes; may be empty."""

    def __post_init__(self) -> None:
        checks.check_names(self.name, self.classes, self.superclasses)
        for split, size in self.sizes.items():
            if split not in SPLITS:
                raise DataError(f"data set {self.name!r}: a split {split!r}{suggest(split, SPLITS)}")
            if size < 1:
                raise DataError(f"data set {self.name!r}: its split {split!r} is empty; allowed: 1 image or more")

    def size(self, split: str) -> int:
        """How many images a split holds; raises DataError for a split that is not there."""
        if split not in self.sizes:
            raise DataError(f"data set {self.name!r} has no split {split!r}{suggest(split, self.sizes)}")
        return self.sizes[split]

    def split(self, name: str) -> tf.data.Dataset:
        """(image float32 [H, W, C] in [0, 1], label int64, id string), always in the same order.

        Raises DataError for a split that is not there.
        """
        known = tf.data.experimental.assert_cardinality(self.size(name))
        return self.read(name).map(_to_unit_range, num_parallel_calls=tf.data.AUTOTUNE).apply(known)

    def examples(self, split: str, images: int | None = None) -> Examples:
        """The arrays of a split, in its order: all, or a stratified choice of so many `images`.

        The choice takes the same number of each class, the first ones of each in the order of the
        split. What does not divide goes to the first classes, and what a small class lacks to the
        others. A larger choice contains the smaller ones.

        Raises DataError for a split that is not there, and for fewer than one image or more than there are.
        """
        if images is not None and not 1 <= images <= self.size(split):
            asked = f"{images} images asked of its split {split!r}"
            raise DataError(f"data set {self.name!r}: {asked}; allowed: 1 to {self.size(split)}")
        rows = self.split(split)
        if images is not None:
            # A pass over the labels comes first, so that only the chosen images are ever in memory.
            (labels,) = _arrays(self.read(split).map(_label))
            chosen = tf.data.Dataset.from_tensor_slices(stratified(labels, images))
            rows = tf.data.Dataset.zip(rows, chosen).filter(_is_chosen).map(_row)
        pixels, labels, ids = _arrays(rows)
        return Examples(pixels, labels, np.char.decode(ids.astype(bytes), "utf-8"))


def _to_unit_range(image: tf.Tensor, label: tf.Tensor, id: tf.Tensor) -> tuple[tf.Tensor, ...]:
    return (tf.cast(image, tf.float32) / 255 if image.dtype == tf.uint8 else image), label, id


def _label(image: tf.Tensor, label: tf.Tensor, id: tf.Tensor) -> tuple[tf.Tensor]:
    return (label,)


def _is_chosen(row: tuple[tf.Tensor, ...], chosen: tf.Tensor) -> tf.Tensor:
    return chosen


def _row(row: tuple[tf.Tensor, ...], chosen: tf.Tensor) -> tuple[tf.Tensor, ...]:
    return row


def _arrays(rows: tf.data.Dataset) -> list[np.ndarray]:
    columns = zip(*rows.batch(256).as_numpy_iterator(), strict=True)  # taking batches is four times as fast
    return [np.concatenate(column) for column in columns]


def stratified(labels: Sequence[int] | np.ndarray, images: int) -> np.ndarray:
    """bool [N]: the first `images` when each class in turn gives its next one.

    >>> stratified([0, 0, 0, 1, 2, 1], 4)
    array([ True,  True, False,  True,  True, False])
    """
    labels = np.asarray(labels)
    turn = pd.Series(labels).groupby(labels).cumcount()
    chosen = np.zeros(len(labels), bool)
    chosen[np.lexsort((labels, turn))[:images]] = True
    return chosen


def fingerprint(*parts: bytes | np.ndarray) -> str:
    """The SHA-256 of bytes and arrays, in which it matters where each of them ends."""
    flat = [np.ascontiguousarray(part).reshape(-1).view(np.uint8) for part in parts]
    return hashlib.sha256(b"".join(hashlib.sha256(part.tobytes()).digest() for part in flat)).hexdigest()


def from_arrays(
    images: ArrayLike,
    labels: ArrayLike,
    classes: int | Sequence[str] | None = None,
    name: str = "arrays",
    ids: Sequence[str] | None = None,
) -> Dataset:
    """A data set with nothing but a test split, from arrays or what NumPy can turn into them.

    `images`: [N, H, W, C] or [N, H, W], uint8 or floats in [0, 1]. `labels`: whole numbers [N] from 0
    to the number of classes - 1. `classes`: their names, or how many there are ("0", "1", ...); left
    out, the largest label is the last class. `ids`: unique strings [N]; left out, "00000", "00001", ...

    Raises DataError for whatever is not so, with the first offending index.

    >>> data = from_arrays(np.zeros([3, 28, 28], "uint8"), [0, 2, 1])
    >>> data.image_shape, data.classes, data.size("test")
    ((28, 28, 1), ('0', '1', '2'), 3)
    """
    images = checks.check_images(images)
    names = checks.check_classes(classes)
    labels = checks.check_labels(labels, len(images), len(names) if names else None)
    names = names or tuple(map(str, range(labels.max() + 1)))
    names_of = checks.check_ids([f"{i:05d}" for i in range(len(images))] if ids is None else ids, len(images))
    return Dataset(
        name=name,
        classes=names,
        image_shape=images.shape[1:],
        sizes={"test": len(images)},
        read=lambda split: tf.data.Dataset.from_tensor_slices((images, labels, names_of)),
        fingerprint=fingerprint(repr((images.dtype, images.shape, names)).encode(), images, labels, names_of),
    )
