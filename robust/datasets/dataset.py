"""What a data set is: images in [0, 1] with labels and ids, in three splits with a fixed order."""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from robust.core.errors import DataError, suggest
from robust.core.types import Channels
from robust.datasets import checks
from robust.datasets.choice import chosen, of_few_classes
from robust.datasets.stored_images import Encoded

SPLITS = ("train", "validation", "test")
"""Whatever is selected from data is selected on train and validation; test is for evaluation only."""


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
    """Images with labels and ids, in splits with a fixed order.

    Raises DataError for a split that is empty or whose name is not in `SPLITS`, for two
    classes with the same name, and for superclasses that name a class twice or an unknown one.
    """

    name: str
    classes: tuple[str, ...]
    """The name of each label."""
    image_shape: tuple[int, int, int]
    """H, W, C."""
    sizes: Mapping[str, int]
    """Number of images in each existing split."""
    read: Callable[[str], tf.data.Dataset]
    """Split -> (image [H, W, C], uint8 or float32 in [0, 1]; label int64; id string), in a fixed order."""
    fingerprint: str
    """A hash of the content: two data sets with the same fingerprint give the same results."""
    superclasses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Superclass -> its classes; may be empty."""
    encoded: Encoded | None = None
    """Where `read` decodes images: what it decodes, and how."""
    content: str = ""
    """The fingerprint of the images themselves, where the set is replaced by one whose own fingerprint covers more."""
    notes: tuple[str, ...] = ()
    """Changes to the data, reported when a model is trained on it."""
    remarks: tuple[str, ...] = ()
    """What was skipped or guessed when it was read, reported with every result on this set."""
    channels: Channels | None = None
    """In colour or in grey, as requested; None: each model is given as many channels as it takes."""
    code: str = ""
    """A hash of the code that reads it, for code named by a suite."""
    _labels: dict[str, list[np.ndarray]] = field(default_factory=dict, init=False, repr=False)  # and ids, read once

    def __post_init__(self) -> None:
        object.__setattr__(self, "content", self.content or self.fingerprint)
        checks.check_names(self.name, self.classes, self.superclasses)
        for split, size in self.sizes.items():
            if split not in SPLITS:
                raise DataError(f"data set {self.name!r}: a split {split!r}{suggest(split, SPLITS)}")
            if size < 1:
                raise DataError(f"data set {self.name!r}: its split {split!r} is empty; allowed: 1 image or more")

    def size(self, split: str) -> int:
        """The number of images in a split; raises DataError for a split that does not exist."""
        if split not in self.sizes:
            hint = "; to evaluate another split, give its folder or arrays alone: they are then test" * (
                split == "test"
            )
            raise DataError(f"data set {self.name!r} has no split {split!r}{suggest(split, self.sizes)}{hint}")
        return self.sizes[split]

    def split(self, name: str) -> tf.data.Dataset:
        """(image float32 [H, W, C] in [0, 1], label int64, id string), always in the same order.

        Raises DataError for a split that does not exist.
        """
        known = tf.data.experimental.assert_cardinality(self.size(name))
        return self.read(name).map(_to_unit_range, num_parallel_calls=tf.data.AUTOTUNE).apply(known)

    def examples(self, split: str, images: int | None = None, *, seed: int = 0, balanced: bool = False) -> Examples:
        """The arrays of a split, in its order: all, or a random choice of `images` of them, see `choose`.

        Only what is requested is decoded and held in memory: 0.6 MB an image of 224 x 224 x 3, so 30 GB for the 50,000
        of ImageNet's validation split and 3 GB for 5,000.

        Raises DataError for a split that does not exist, and for fewer than one image or more than it has.
        """
        if images is None:
            return self.at(split, np.ones(self.size(split), bool))
        return self.at(split, self.choose(split, images, seed=seed, balanced=balanced))

    def at(self, split: str, taken: np.ndarray) -> Examples:
        """The arrays of the images of a split selected by `taken`, bool [N], in its order."""
        pixels, labels, ids = self._arrays(split, self._decoded(split, taken), int(taken.sum()))
        return Examples(pixels, labels, _text(ids))

    def parts(self, split: str, taken: np.ndarray, size: int) -> Iterator[np.ndarray]:
        """The images selected by `taken`, bool [N], in its order, float32 [size, H, W, C] at a time; the last may be
        shorter. One part is in memory at a time."""
        for images, _, _ in self._batches(split, self._decoded(split, taken), size):
            yield images

    def _decoded(self, split: str, taken: np.ndarray) -> tf.data.Dataset:
        source = self.encoded or Encoded(self.read)
        rows = source.rows(split)
        if not taken.all():
            until = taken[: 1 + int(np.flatnonzero(taken)[-1])]  # reading stops at the last one
            rows = tf.data.Dataset.zip(rows, tf.data.Dataset.from_tensor_slices(until)).filter(_is_chosen).map(_row)
        return rows.map(source.decoded, num_parallel_calls=tf.data.AUTOTUNE).map(_to_unit_range)

    def of_few_classes(self, split: str, images: int) -> Examples:
        """`images` images of a split, or all, from few classes, see `robust.datasets.choice.of_few_classes`."""
        labels, ids = self._heads(split)
        return self.at(split, of_few_classes(ids.tolist(), labels, images))

    def choose(self, split: str, images: int, *, seed: int = 0, balanced: bool = False) -> np.ndarray:
        """A mask of `images` chosen images of a split, bool [N]; no image is decoded for it.

        At random by a hash of seed and id, in proportion to the classes, so that a metric on them estimates
        its value on all; or `balanced`, the same number of each class. A larger choice contains the smaller ones.

        Raises DataError for a split that does not exist, and for fewer than one image or more than it has.
        """
        if not 1 <= images <= self.size(split):
            what = f"{images} images requested from its split {split!r}"
            raise DataError(f"data set {self.name!r}: {what}; allowed: 1 to {self.size(split)}")
        labels, ids = self._heads(split)
        return chosen(ids.tolist(), labels, images, seed, balanced)

    def first(self, split: str, images: int) -> np.ndarray:
        """The first `images` images of a split, or all if it has fewer: float32 [N, H, W, C], without reading more."""
        return next(self.split(split).batch(images).as_numpy_iterator())[0]

    def labels(self, split: str) -> np.ndarray:
        """The labels of a split, int64 [N], in its order; no image is decoded for them."""
        return self._heads(split)[0]

    def ids(self, split: str) -> np.ndarray:
        """The ids of a split, str [N], in its order; no image is decoded for them."""
        return self._heads(split)[1]

    def _heads(self, split: str) -> list[np.ndarray]:
        """The labels of a split, int64 [N], and its ids, str [N]."""
        if split not in self._labels:
            rows = (self.encoded.rows if self.encoded else self.read)(split).map(_head)
            labels, ids = self._arrays(split, rows, self.size(split))
            self._labels[split] = [labels, _text(ids)]
        return self._labels[split]

    def _arrays(self, split: str, rows: tf.data.Dataset, size: int) -> list[np.ndarray]:
        """The columns of `size` rows, each filled in place: two copies of the images may not fit into memory."""
        arrays: list[np.ndarray] = []
        filled = 0
        for batch in self._batches(split, rows):
            end = filled + len(batch[0])
            arrays = arrays or [np.empty((size, *column.shape[1:]), column.dtype) for column in batch]
            if end > size:
                break
            for array, column in zip(arrays, batch, strict=True):
                array[filled:end] = column
            filled = end
        if filled != size:
            raise DataError(f"data set {self.name!r}: its split {split!r} holds {filled} images, but declares {size}")
        return arrays

    def _batches(self, split: str, rows: tf.data.Dataset, size: int = 256) -> Iterator[tuple[np.ndarray, ...]]:
        try:
            yield from rows.batch(size).as_numpy_iterator()  # taking batches is four times as fast
        except tf.errors.OpError as error:
            found = re.search(r"DataError: (.*)", error.message) or re.match(r"(?:{{.*?}} )?(.*)", error.message)
            raise DataError(f"data set {self.name!r}: split {split!r}: {found[1] if found else error}") from None


def _to_unit_range(image: tf.Tensor, label: tf.Tensor, id: tf.Tensor) -> tuple[tf.Tensor, ...]:
    return (tf.cast(image, tf.float32) / 255 if image.dtype == tf.uint8 else image), label, id


def _head(image: tf.Tensor, label: tf.Tensor, id: tf.Tensor) -> tuple[tf.Tensor, ...]:
    return label, id


def _text(ids: np.ndarray) -> np.ndarray:
    return np.char.decode(ids.astype(bytes), "utf-8")


def _is_chosen(row: tuple[tf.Tensor, ...], chosen: tf.Tensor) -> tf.Tensor:
    return chosen


def _row(row: tuple[tf.Tensor, ...], chosen: tf.Tensor) -> tuple[tf.Tensor, ...]:
    return row


def fingerprint(*parts: bytes | np.ndarray) -> str:
    """The SHA-256 of bytes and arrays, which also depends on where each of them ends."""
    flat = [np.ascontiguousarray(part).reshape(-1).view(np.uint8) for part in parts]
    return hashlib.sha256(b"".join(hashlib.sha256(part.tobytes()).digest() for part in flat)).hexdigest()


def data_key(data: Dataset) -> tuple[str, str, str]:
    """What determines a model's input images: their content, the requested channels, the code that reads them."""
    return data.fingerprint, data.channels or "", data.code


def from_arrays(
    images: ArrayLike,
    labels: ArrayLike,
    classes: int | Sequence[str] | None = None,
    name: str = "arrays",
    ids: Sequence[str] | None = None,
) -> Dataset:
    """A data set with only a test split, from arrays or what NumPy can convert to them.

    `images`: [N, H, W, C] or [N, H, W], uint8 or floats in [0, 1]. `labels`: whole numbers [N] from 0
    to the number of classes - 1. `classes`: their names, or their number ("0", "1", ...); left
    out, the largest label is the last class. `ids`: unique strings [N]; left out, "00000", "00001", ...

    Raises DataError for anything else, with the first offending index.

    >>> data = from_arrays(np.zeros([3, 28, 28], "uint8"), [0, 2, 1])
    >>> data.image_shape, data.classes, data.size("test")
    ((28, 28, 1), ('0', '1', '2'), 3)
    """
    return from_splits({"test": (images, labels)}, classes, name, ids)


def from_splits(
    splits: Mapping[str, tuple[ArrayLike, ArrayLike]],
    classes: int | Sequence[str] | None = None,
    name: str = "arrays",
    ids: Sequence[str] | None = None,
) -> Dataset:
    """A data set of splits, {"train": (images, labels), "test": (images, labels)}, each as in `from_arrays`.

    Ids are "train-00000", ...; where test is the only split, "00000", ..., or `ids`.

    Raises DataError as `from_arrays` does, and where the images of two splits differ in shape.
    """
    names, parts = checks.check_classes(classes), {}
    for split, (values, given) in splits.items():
        images = checks.check_images(values)
        labels = checks.check_labels(given, len(images), len(names) if names else None)
        before = "" if set(splits) == {"test"} else f"{split}-"
        own = [f"{before}{i:05d}" for i in range(len(images))] if ids is None else ids
        parts[split] = (images, labels, checks.check_ids(own, len(images)))
    shapes = {split: images.shape[1:] for split, (images, _, _) in parts.items()}
    if len(set(shapes.values())) > 1:
        raise DataError(f"data set {name!r}: its splits have images of different shapes: {shapes}")
    names = names or tuple(map(str, range(1 + max(labels.max() for _, labels, _ in parts.values()))))
    encoded = of_arrays(parts)
    form = [(split, images.dtype, images.shape) for split, (images, _, _) in parts.items()]
    return Dataset(
        name=name,
        classes=names,
        image_shape=next(iter(shapes.values())),
        sizes={split: len(labels) for split, (_, labels, _) in parts.items()},
        read=encoded.read,
        encoded=encoded,
        fingerprint=fingerprint(repr((form, names)).encode(), *(array for part in parts.values() for array in part)),
    )


def of_arrays(parts: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Encoded:
    """Images of arrays. The place of an image is the index of its split and its own, so that shuffling copies none."""
    names, images = list(parts), [images for images, _, _ in parts.values()]
    encoded = Encoded(lambda split: tf.data.Dataset.from_tensor_slices(parts[split]))

    def places(split: str) -> tf.data.Dataset:
        _, labels, ids = parts[split]
        where = np.stack([np.full(len(labels), names.index(split)), np.arange(len(labels))], axis=1)
        return tf.data.Dataset.from_tensor_slices((where, labels, ids))

    def fetch(place: tf.Tensor) -> tf.Tensor:
        image = tf.numpy_function(lambda place: images[place[0]][place[1]], [place], images[0].dtype)
        return tf.ensure_shape(image, images[0].shape[1:])

    alike = len({each.dtype for each in images}) == 1
    return replace(encoded, places=places, fetch=fetch) if alike else encoded
