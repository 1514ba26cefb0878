"""Classes of unequal size: the weight of an image of each in the loss, and how often it is seen."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import tensorflow as tf

from robust.core import randomness
from robust.core.errors import DataError, suggest
from robust.datasets.dataset import Dataset
from robust.datasets.stored_images import Encoded


def class_weights(given: Literal["balanced"] | Mapping[str, float] | None, data: Dataset) -> np.ndarray | None:
    """The weight of an image's loss, float32 [C] by its class; None if all weigh 1.

    Args:
        given: "balanced": n / (C n_c) for the n_c of n training images in C classes, as in scikit-learn, so that
            all together weigh n; or weights by the names of classes, 1 for the others.
        data: its training split is counted.

    Raises DataError for a class that the data does not have, and if every image would weigh 0.

    King & Zeng, Logistic regression in rare events data, 2001.
    """
    if given is None:
        return None
    labels = data.labels("train")
    counts = np.bincount(labels, minlength=len(data.classes))
    if isinstance(given, str):
        from sklearn.utils.class_weight import compute_class_weight

        there = np.unique(labels)
        weights = np.ones(len(counts), "float32")
        weights[there] = compute_class_weight(given, classes=there, y=labels)
        return weights
    for name in given:
        if name not in data.classes:
            raise DataError(f"class_weights: {data.name} has no class {name!r}{suggest(name, data.classes)}")
    weights = np.array([given.get(name, 1.0) for name in data.classes], "float32")
    if not (weights * counts).any():
        raise DataError(f"class_weights = {dict(given)}: every training image of {data.name} would weigh 0")
    return weights


def order(labels: np.ndarray, seed: int, epoch: int) -> tuple[np.ndarray, np.ndarray]:
    """Which images an epoch of balanced sampling sees, int64 [N], and how often each was seen before in it.

    As many images as there are, of each class the same number (one more of some, drawn anew each epoch); those of a
    class follow each other in permutations, so that none is seen twice before all have been seen once.

    >>> labels = np.array([0, 0, 0, 0, 0, 1])
    >>> places, turns = order(labels, seed=0, epoch=0)
    >>> sorted(labels[places].tolist()), sorted(turns[places == 5].tolist())
    ([0, 0, 0, 1, 1, 1], [0, 1, 2])
    """
    random = np.random.default_rng([seed, epoch])
    classes = random.permutation(np.unique(labels))
    places, turns = [], []
    for rank, label in enumerate(classes):
        own = np.flatnonzero(labels == label)
        quota = len(labels) // len(classes) + (rank < len(labels) % len(classes))
        rounds = -(-quota // len(own))
        places.append(np.concatenate([random.permutation(own) for _ in range(rounds)] or [own])[:quota])
        turns.append(np.repeat(np.arange(rounds), len(own))[:quota])
    mixed = random.permutation(len(labels))
    return np.concatenate(places).astype(np.int64)[mixed], np.concatenate(turns).astype(np.int64)[mixed]


def balanced(
    rows: tf.data.Dataset,
    source: Encoded,
    base: tf.Tensor,
    labels: np.ndarray,
    seed: int,
    numbers: tf.data.Dataset,
    batch_size: int,
) -> tf.data.Dataset:
    """Batches of the images of each epoch in `numbers`: (images, labels, seeds), in the order of `order`.

    No batch has images of two epochs: the last one of each may be smaller.

    Args:
        rows: (image as the source stores it, label, id); they are held in memory. source: decodes them.
        base: the images' own seeds, int64 [N]; an image that an epoch sees again gets another seed.
        labels: int64 [N]. seed: of the training.
    """
    with tf.device("CPU"):
        columns = zip(*rows.batch(256).as_numpy_iterator(), strict=True)
        images, known, ids = (tf.constant(np.concatenate(column)) for column in columns)

    def draw(number: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return order(labels, seed, int(number))

    def epoch(number: tf.Tensor) -> tf.data.Dataset:
        places, turns = tf.numpy_function(draw, [number], [tf.int64, tf.int64])
        places, turns = tf.ensure_shape(places, [len(labels)]), tf.ensure_shape(turns, [len(labels)])
        seeds = randomness.fold(tf.gather(randomness.fold(base, number), places), turns)
        drawn = tf.data.Dataset.from_tensor_slices((places, seeds))
        return drawn.map(fetch, num_parallel_calls=tf.data.AUTOTUNE).batch(batch_size)

    def fetch(place: tf.Tensor, own: tf.Tensor) -> tuple[tf.Tensor, ...]:
        image, label, _ = source.decoded(tf.gather(images, place), tf.gather(known, place), tf.gather(ids, place))
        return image, label, own

    return numbers.flat_map(epoch)
