"""A tensor of a file of weights: its shape at once, its values when they are used."""

from collections.abc import Callable
from dataclasses import dataclass

import ml_dtypes
import numpy as np

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


@dataclass(frozen=True)
class Tensor:
    """What a file holds under one name. `values()` reads it, as float32 [*shape]."""

    shape: tuple[int, ...]
    values: Callable[[], np.ndarray]


def floats(array: np.ndarray) -> np.ndarray:
    """The numbers as float32.

    >>> floats(np.array([0x3FC0], "<u2").view(BFLOAT16))
    array([1.5], dtype=float32)
    """
    with np.errstate(over="ignore"):  # a double beyond the floats becomes infinite, which the classifier refuses
        return array.astype(np.float32)
