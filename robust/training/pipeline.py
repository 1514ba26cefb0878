"""What training is fed: batches of augmented images, the same ones for the same seed, from any epoch on."""

import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import tensorflow as tf

from robust.core import randomness
from robust.core.errors import DataError
from robust.core.remedies import setting
from robust.core.signature import Call
from robust.datasets.dataset import Dataset
from robust.datasets.stored_images import Encoded
from robust.training import balance
from robust.training.augmentations import takes_labels

IN_MEMORY = 4 * 2**30
"""Bytes of decoded images up to which a split is kept in memory; a larger one is read again each epoch."""

BUFFER = 4 * 2**30
"""Bytes of stored images, as they are encoded, up to which they are held and shuffled together."""
MIXED = 0.2
"""How far the classes of such a buffer may be from those of all, as a total variation beyond that of chance."""


def training_batches(
    data: Dataset,
    *,
    batch_size: int,
    seed: int,
    epochs: int,
    start_epoch: int = 0,
    augment: Sequence[Call] = (),
    split: str = "train",
    sampling: Literal["all", "balanced"] = "all",
) -> tf.data.Dataset:
    """The epochs from `start_epoch` to `epochs - 1`, one after the other, in batches.

    Each epoch has every example once, in an order that depends on `seed` and the epoch alone; its last batch
    may be smaller. What is random about an example depends on `seed`, the epoch and its id. So a run that is
    resumed at an epoch sees, byte for byte, what one that was never stopped sees.

    Args:
        data: a data set. split: which part of it.
        batch_size: images a batch.
        seed: of the order and the augmentations.
        epochs: the last one, plus 1. start_epoch: the first one.
        augment: of the catalogue `augmentations`, applied from left to right.
        sampling: "balanced" sees as many images, the same number of each class: see `balance.order`.

    Returns (images float32 [B, H, W, C] in [0, 1]; labels int64 [B], or float32 [B, classes] where
    `augment` mixes images; seeds int64 [B], the examples' own in this epoch).

    All rows are shuffled together: images in memory, paths, encoded images up to `BUFFER`, and beyond that their
    positions in files or arrays. Where images can only be read one after the other and are more, they are
    shuffled among as many as `BUFFER` holds.

    Raises DataError if the split does not exist, and if it is ordered by class and cannot be shuffled.

    >>> from robust import datasets
    >>> from robust.core.signature import bind
    >>> flip = bind("augmentations", "flip")
    >>> batches = training_batches(datasets.fashion_mini(), batch_size=64, seed=0, epochs=2, augment=[flip])
    >>> [tuple(part.shape) for part in next(iter(batches))]
    [(64, 28, 28, 1), (64,), (64,)]
    """
    size, rows = data.size(split), data.read(split)
    one = math.prod(data.image_shape) * rows.element_spec[0].dtype.size
    numbers = tf.data.Dataset.range(start_epoch, epochs)
    if sampling == "balanced":
        batches = balanced(data, rows, split, seed, numbers, batch_size, size * one <= IN_MEMORY)
    elif size * one <= IN_MEMORY:
        batches = _from_memory(rows, seed, numbers, batch_size)
    else:
        batches = streamed(*together(data, split), split, seed, numbers, batch_size)
    steps = -(-size // batch_size) * len(range(start_epoch, epochs))
    prepared = batches.map(augmented(data, augment), num_parallel_calls=tf.data.AUTOTUNE)
    return prepared.apply(tf.data.experimental.assert_cardinality(steps)).prefetch(tf.data.AUTOTUNE)


def balanced(
    data: Dataset,
    rows: tf.data.Dataset,
    split: str,
    seed: int,
    numbers: tf.data.Dataset,
    batch_size: int,
    fits: bool,
) -> tf.data.Dataset:
    """As `balance.balanced`; of what does not fit into memory, paths or places are held."""
    source = Encoded(data.read) if fits else (data.encoded or Encoded(data.read)).scattered()
    if not (fits or source.light):
        raise DataError(
            f"data set {data.name!r}: the {data.size(split):,} images of split {split!r} are too many to be sampled in "
            f"memory; leave {setting('sampling', 'balanced')} out and write {setting('class_weights', 'balanced')}, or "
            "store it as a folder of images or as TFRecord files of tensorflow-datasets, of which paths and places are "
            "sampled"
        )
    base = example_seeds(tf.constant(data.ids(split)), seed)
    rows = rows if fits else source.rows(split)
    return balance.balanced(rows, source, base, data.labels(split), seed, numbers, batch_size)


def _from_memory(rows: tf.data.Dataset, seed: int, numbers: tf.data.Dataset, batch_size: int) -> tf.data.Dataset:
    with tf.device("CPU"):
        columns = zip(*rows.batch(256).as_numpy_iterator(), strict=True)
        images, labels, ids = (tf.constant(np.concatenate(column)) for column in columns)
        base = example_seeds(ids, seed)

    def epoch(number: tf.Tensor) -> tf.data.Dataset:
        seeds = randomness.fold(base, number)
        order = tf.argsort(seeds)  # a hash of seed, epoch and id: as good as drawing a permutation
        return tf.data.Dataset.from_tensor_slices((order, tf.gather(seeds, order))).batch(batch_size)

    def fetch(places: tf.Tensor, seeds: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return tf.gather(images, places), tf.gather(labels, places), seeds

    return numbers.flat_map(epoch).map(fetch, num_parallel_calls=tf.data.AUTOTUNE)


def together(data: Dataset, split: str) -> tuple[Encoded, int]:
    """How rows are read and how many of them are shuffled together: all, where they are light or fit into `BUFFER`.

    Raises DataError if neither holds, and a buffer of them is of other classes than the whole.
    """
    source, size = data.encoded or Encoded(data.read), data.size(split)
    if source.light:
        return source, size
    stored = [
        len(row) if isinstance(row, bytes) else row.nbytes
        for row, *_ in source.rows(split).take(64).as_numpy_iterator()
    ]
    buffer = min(size, max(1, BUFFER // max(1, int(np.mean(stored)))))
    if buffer < size and source.scattered().light:
        return source.scattered(), size
    if buffer < size and (apart := _apart(data.labels(split), buffer)) > MIXED:
        raise DataError(
            f"data set {data.name!r}: split {split!r} is ordered by class ({apart:.0%} of a stretch of "
            f"{buffer:,} images is of other classes than the whole), its {size:,} images are too many to be shuffled "
            "in memory, and no image can be read without those before it; store it in a random order, as a folder of "
            "images, or as TFRecord files of tensorflow-datasets"
        )
    return source, buffer


def _apart(labels: np.ndarray, buffer: int) -> float:
    """The largest total variation between the classes of a stretch and of all, beyond what chance explains."""
    classes = int(labels.max()) + 1
    shares = np.bincount(labels, minlength=classes) / len(labels)
    starts = range(0, len(labels) - buffer + 1, buffer)
    counts = [np.bincount(labels[start : start + buffer], minlength=classes) / buffer for start in starts]
    chance = np.sqrt(shares * (1 - shares) / buffer).sum() / 2
    return max(float(np.abs(count - shares).sum() / 2 - chance) for count in counts)


def streamed(
    source: Encoded, buffer: int, split: str, seed: int, numbers: tf.data.Dataset, batch_size: int
) -> tf.data.Dataset:
    """Rows are shuffled as they are stored, and decoded after that."""
    rows = source.rows(split)

    def epoch(number: tf.Tensor) -> tf.data.Dataset:
        # The seed of this graph alone: else the global one would count. At 0 it takes no tensor as the other seed.
        tf.random.set_seed(seed + 1)
        seeded = rows.map(lambda image, label, id: (image, label, randomness.fold(example_seeds(id, seed), number)))
        shuffled = seeded.shuffle(buffer, seed=number, reshuffle_each_iteration=False)
        return shuffled.map(source.decoded, num_parallel_calls=tf.data.AUTOTUNE).batch(batch_size)

    return numbers.flat_map(epoch)


def example_seeds(ids: tf.Tensor, seed: int) -> tf.Tensor:
    """int64 [N], one for each id; `randomness.fold` makes those of an epoch of them."""
    return tf.strings.to_hash_bucket_strong(ids, 2**63 - 1, key=[seed, 0])


def augmented(data: Dataset, augment: Sequence[Call]) -> Callable[..., tuple[tf.Tensor, ...]]:
    """The function from (images, labels, seeds) as they are read to the same as they are trained on."""
    mixes = any(takes_labels(call.name) for call in augment)

    @tf.autograph.experimental.do_not_convert
    def prepare(images: tf.Tensor, labels: tf.Tensor, seeds: tf.Tensor) -> tuple[tf.Tensor, ...]:
        images = tf.ensure_shape(images, [None, *data.image_shape])
        images = tf.cast(images, tf.float32) / 255 if images.dtype == tf.uint8 else images
        labels = tf.one_hot(labels, len(data.classes)) if mixes else labels
        for place, call in enumerate(augment):
            own = randomness.fold(seeds, place)  # so that no two augmentations of an image share numbers
            if takes_labels(call.name):
                images, labels = call(images, labels, seeds=own)
            else:
                images = call(images, seeds=own)
        return images, labels, seeds

    return prepare
