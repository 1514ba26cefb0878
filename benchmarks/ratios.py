"""Two functions timed in turn: the ratios that the benchmarks print."""

import time
from collections.abc import Callable

import numpy as np


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def ratios(above: Callable[[], object], below: Callable[[], object], pairs: int) -> str:
    """Median and middle half of above / below in time, after one warm-up each."""
    above(), below()
    return middle([seconds(above) / seconds(below) for _ in range(pairs)], ".2f")


def middle(values: list[float], form: str) -> str:
    """Median and middle half of the values, each written in this form."""
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"{median:{form}} [{low:{form}}, {high:{form}}]"
