"""A tensor of a file of weights: its shape at once, its values when they are asked for."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

BFLOAT16 = np.dtype("V2")
"""NumPy has no bfloat16: two bytes that `floats` knows."""


@dataclass(frozen=True)
class Tensor:
    """What a file holds under one name. `values()` reads it, as float32 [*shape]."""

    shape: tuple[int, ...]
    values: Callable[[], np.ndarray]


def floats(array: np.ndarray) -> np.ndarray:
    """The numbers as float32; a bfloat16 is the upper half of one.

    >>> floats(np.array([0x3FC0], "<u2").view(BFLOAT16))
    array([1.5], dtype=float32)
    """
    if array.dtype == BFLOAT16:
        halves = np.ascontiguousarray(array).view("<u2").astype(np.uint32)
        return (halves << 16).view(np.float32).reshape(array.shape)
    with np.errstate(over="ignore"):  # a double beyond the floats becomes infinite, which the classifier refuses
        return array.astype(np.float32)
