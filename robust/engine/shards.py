"""Shards: parts of at most 256 consecutive images of a case, 1,024 small or 128 large ones, in order."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from robust.datasets.dataset import Dataset
from robust.suite import Case

SIZE = 256
"""Images of a shard, at most: memory grows with it, and what a stopped run loses; of small ones four times as many, of
large ones half."""
SMALL, LARGE = 64 * 64 * 3, 128 * 128 * 3
"""Values of a small image, at most, and of one that is not large."""


@dataclass(frozen=True, eq=False)
class Shard:
    """Consecutive images of a case.

    number: from 0. rows: int [N], the places of the images in the test split. ids: str [N]. labels: int64 [N].
    """

    number: int
    rows: np.ndarray
    ids: np.ndarray
    labels: np.ndarray


def size(data: Dataset) -> int:
    """The images of a shard of this data, at most.

    >>> from robust.datasets.dataset import from_arrays
    >>> size(from_arrays(np.zeros((1, 32, 32, 3), "uint8"), [0]))
    1024
    """
    values = np.prod(data.image_shape)
    return 4 * SIZE if values <= SMALL else SIZE if values <= LARGE else SIZE // 2


def taken(case: Case, data: Dataset, seed: int) -> np.ndarray:
    """Which images of the test split a case uses, bool [N]."""
    if case.max_images is None:
        return np.ones(data.size("test"), bool)
    return data.choose("test", case.max_images, seed=seed, balanced=case.balanced)


def of(data: Dataset, chosen: np.ndarray) -> list[Shard]:
    """The images of the test split that are chosen, bool [N], as shards; no image is decoded."""
    labels, ids, places = data.labels("test"), data.ids("test"), np.flatnonzero(chosen)
    parts = [places[i : i + size(data)] for i in range(0, len(places), size(data))]
    return [Shard(number, rows, ids[rows], labels[rows]) for number, rows in enumerate(parts)]


def read(data: Dataset, chosen: np.ndarray, numbers: list[int]) -> Iterator[tuple[int, np.ndarray]]:
    """The images [N, H, W, C] of these shards of the chosen images, in order; only they are decoded."""
    places = np.flatnonzero(chosen)
    wanted = np.zeros(len(chosen), bool)
    wanted[places[np.isin(np.arange(len(places)) // size(data), numbers)]] = True
    if numbers:
        yield from zip(sorted(numbers), data.parts("test", wanted, size(data)), strict=True)
