"""The worst of many proportions, with an interval that allows for the selection."""

import numpy as np

from robust.core import statistics
from robust.results.evaluation import Metric, Value

SELECTED = "exact 95 %, simultaneous"


def least(metric: Metric, hits: np.ndarray, n: np.ndarray) -> Value[Metric]:
    """The least of the proportions `hits / n` [k], each with n >= 1; the interval is of the least of the true ones.

    >>> least("worst_class", np.array([1, 4]), np.array([4, 5])).value
    0.25
    """
    low, high = statistics.simultaneous(hits, n)
    place = int((hits / n).argmin())
    ends = float(low.min()), float(high.min())
    return Value(metric, float(hits[place] / n[place]), int(n[place]), "", "proportion", *ends, SELECTED)


def largest(metric: Metric, hits: np.ndarray, n: np.ndarray, comparisons: int) -> Value[Metric]:
    """The largest of the proportions `hits / n` [k], which was selected among `comparisons`.

    >>> largest("worst_pair", np.array([1, 4]), np.array([4, 5]), 2).value
    0.8
    """
    low, high = statistics.simultaneous(hits, n, comparisons)
    place = int((hits / n).argmax())
    ends = float(low.max()), float(high.max())
    return Value(metric, float(hits[place] / n[place]), int(n[place]), "", "proportion", *ends, SELECTED)
