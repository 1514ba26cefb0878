"""Exact copies among the images of a data set: of one another, and of training images."""

import hashlib
from collections.abc import Iterator
from math import prod

import tensorflow as tf

from robust.datasets.dataset import Dataset

LIGHT = 64_000_000
"""The most values in a split for which copies are searched: 81,000 images of 28 x 28."""


def found(data: Dataset, *, learned: bool) -> list[str]:
    """Remarks on test images that occur several times, or also in other splits; empty where there are none.

    Args:
        data: splits of more than `LIGHT` values are not searched.
        learned: is a model trained on the other splits, so that they are searched?

    >>> import numpy as np
    >>> from robust.datasets.dataset import from_splits
    >>> images = np.arange(12, dtype="uint8").reshape(3, 2, 2) * 20
    >>> data = from_splits({"train": (images[:1], [0]), "test": (images[[0, 1, 1, 2]], [0, 1, 1, 1])}, name="x")
    >>> [line.split(": ")[1] for line in found(data, learned=True)]
    ['1 of its 4 test images is an exact copy of another of them', '1 of its 4 test images is also in train']
    """
    test = list(digests(data, "test"))
    lines = [_among(test)] if len({image for image, _ in test}) < len(test) else []
    others = [split for split in data.sizes if split != "test"] if learned and test else []
    seen = {split: {image for image, _ in digests(data, split)} for split in others}
    for split, images in seen.items():
        if shared := sum(image in images for image, _ in test):
            where = f"{_of(shared, len(test))} also in {split}"
            lines.append(f"{where}: a model trained on them is tested on known images, and its score is too high")
    return [f"data {data.name}: {line}" for line in lines]


def _among(test: list[tuple[bytes, int]]) -> str:
    images, kinds = {image for image, _ in test}, set(test)
    n = len(test) - len(images)
    copies = "an exact copy of another of them" if n == 1 else "exact copies of others of them"
    unlike = len(kinds) - len(images)
    odd = f"; {unlike} of these with a different label, so that one of the two is wrong" if unlike else ""
    return f"{_of(n, len(test))} {copies}: each counts as a separate image, so that intervals are too narrow{odd}"


def _of(n: int, of: int) -> str:
    return f"{n:,} of its {of:,} test images {'is' if n == 1 else 'are'}"


def digests(data: Dataset, split: str) -> Iterator[tuple[bytes, int]]:
    """A hash of the pixels and the label of each image of a split; nothing where the split is missing or large."""
    if split not in data.sizes or data.size(split) * prod(data.image_shape) > LIGHT:
        return
    try:
        for images, labels, _ in data.split(split).batch(256).as_numpy_iterator():
            for image, label in zip(images, labels.tolist(), strict=True):
                yield hashlib.blake2b(image.tobytes(), digest_size=16).digest(), label
    except tf.errors.OpError:  # code that uses these images raises the error
        return
