"""Calibration errors: the difference between confidence and accuracy, bin by bin.

Not by scikit-learn's `calibration_curve`, which has two classes and does not return how many images a bin holds.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from robust.core import statistics
from robust.results.evaluation import row_blocks

BINS = 15  # as in Guo et al., ICML 2017
COLUMNS = 32  # copied at a time: 13 MB of 50,000 images
INTERVAL = "bias-aware 95 %"
OF_REFUSALS = "distribution-free or normal 95 %"


Column = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Confidences [n], the outcomes in [0, 1] [n], and their bins int [n]: of one class, or of the predicted ones."""


def equal_width(confidence: np.ndarray, bins: int) -> np.ndarray:
    """The bin of each confidence, int [n, ...]: bin i holds (i / bins, (i + 1) / bins], and the first also 0."""
    return np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)


def equal_mass(confidence: np.ndarray, right: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """`right` and the bin of each confidence, [n] each: bins of equal size, up to one.

    Of equal confidences each counts as correct as often as they are on average, so that their order has no effect.

    >>> equal_mass(np.array([0.9, 0.2, 0.2]), np.array([True, True, False]), 3)
    (array([1. , 0.5, 0.5]), array([2, 0, 1]))
    """
    n, order = len(confidence), np.argsort(confidence)
    if (np.diff(confidence[order]) == 0).any():  # a stable sort takes three times as long
        order = np.argsort(confidence, kind="stable")
    right, place = _averaged(confidence, right, order), np.empty(n, int)
    place[order] = np.arange(n) * bins // n
    return right, place


def _averaged(confidence: np.ndarray, right: np.ndarray, order: np.ndarray) -> np.ndarray:
    rising, found = confidence[order], right.astype(np.float64)
    equals = np.cumsum(np.append(True, rising[1:] != rising[:-1])[: len(rising)]) - 1
    if len(equals) and equals[-1] < len(equals) - 1:
        found[order] = (np.bincount(equals, right[order]) / np.bincount(equals))[equals]
    return found


class Gaps(NamedTuple):
    """A calibration error with its interval."""

    value: float
    low: float
    high: float


def ece(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> Gaps:
    """Expected calibration error: the mean gap over images, in bins of equal width (Naeini et al., AAAI 2015).

    >>> round(ece(np.array([0.9, 0.9]), np.array([True, False])).value, 3)
    0.4
    """
    return gaps([(confidence, right, equal_width(confidence, bins))], bins)


def ece_adaptive(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> Gaps:
    """The same in bins that hold equally many images (Nguyen & O'Connor, EMNLP 2015)."""
    return gaps([(confidence, *equal_mass(confidence, right, bins))], bins)


def ece_classwise(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS) -> Gaps:
    """The mean over classes of the gaps of that class' probability, equal width (Kull et al., NeurIPS 2019)."""
    columns = _columns(probabilities, labels)
    return gaps(((column, truth, equal_width(column, bins)) for column, truth in columns), bins)


def ace(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS) -> Gaps:
    """The mean gap over classes and bins of equal mass, ACE (Nixon et al., CVPR workshops 2019)."""
    columns = _columns(probabilities, labels)
    return gaps(((column, *equal_mass(column, truth, bins)) for column, truth in columns), bins, equal_weight=True)


def _columns(probabilities: np.ndarray, labels: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The probabilities of each class and which images are of it, [n] each; some columns are copied at a time."""
    for first in range(0, probabilities.shape[1], COLUMNS):
        copied = np.ascontiguousarray(probabilities[:, first : first + COLUMNS].T)
        yield from ((column, labels == label) for label, column in enumerate(copied, first))


def gaps(columns: Iterable[Column], bins: int, *, equal_weight: bool = False) -> Gaps:
    """The mean of |accuracy - mean confidence| over the cells, a bin of a column each, with its 95 % interval.

    The estimate is above the true value, as chance alone makes gaps (Kumar, Liang & Ma, Verified Uncertainty
    Calibration, NeurIPS 2019; Bröcker & Smith, Weather and Forecasting 22, 2007). By the triangle inequality estimated
    and true error differ by at most the sum of the cells' chance gaps: the low end is the value minus what
    that sum, of normal errors with shares of (hits + 2) / (n + 4) (Agresti & Coull, The American Statistician 52,
    1998; with less, a bin in which all are correct seems too certain), exceeds 2.5 times of 100. With the signs
    of the estimate held fixed the error is a mean over images: the high end is that of `statistics.bounded_mean`.

    Args:
        columns: at least one, each with the same n; they are read once, so they need not be in memory together.
        bins: how many: the bins of the columns are below it.
        equal_weight: weight all cells equally, or by the images that they hold?
    """
    cells, each = [], np.zeros(())
    for confidence, right, place in columns:
        residual = right - confidence
        cells.append([np.bincount(place, by, bins) for by in (None, right, confidence, residual)])
        held = np.maximum(cells[-1][0], 1) if equal_weight else 1
        each = each + (np.where(cells[-1][-1] < 0, -1, 1) / held)[place] * residual
    counts, hits, total, residuals = np.array(cells, np.float64).transpose(1, 0, 2)
    n, size = len(each), min(2, len(cells))
    factor = n / (counts > 0).sum() if equal_weight else 1 / len(cells)
    weight = factor / np.maximum(counts, 1) if equal_weight else np.full(counts.shape, factor)  # of an image's entry
    value = float(np.abs(residuals / n * weight).sum())
    top = size * float(weight[counts > 0].max())
    high = min(statistics.highest_mean(each * factor, top, statistics.TAIL), 1.0)
    return Gaps(value, max(0.0, value - chance(counts, hits, total, weight, n)), high)


def chance(counts: np.ndarray, hits: np.ndarray, total: np.ndarray, weight: np.ndarray, n: int) -> float:
    """The value that the sum of the cells' chance gaps, |N(0, v)| each, exceeds with 2.5 %.

    Of each cell, in arrays of one shape: how many images, how many of them correct, the sum of their confidences, and
    the weight of an image; n: the number of all images.
    """
    share, near, mean = (hits + 0.5) / (counts + 1), (hits + 2) / (counts + 4), total / np.maximum(counts, 1)
    v = weight**2 * counts / n**2 * (near * (1 - near) + (share - mean) ** 2)
    return float(np.sqrt(2 / np.pi) * np.sqrt(v).sum() + 2.3 * np.sqrt((1 - 2 / np.pi) * v.sum()))


def brier(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The Brier score of each image, [n] in [0, 2]: the squared distance to the one-hot label (Brier, 1950).

    Their mean is scikit-learn's `brier_score_loss`, which does not return those of the images; the interval needs them.

    >>> brier(np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([0, 0]))
    array([0.5, 2. ])
    """
    squares = np.concatenate([(part**2).sum(axis=1) for part in row_blocks(probabilities)])
    return squares - 2 * probabilities[np.arange(len(labels)), labels] + 1


def aurc(confidence: np.ndarray, right: np.ndarray) -> float:
    """The error rate of the most confident share of images, averaged over all shares (Geifman et al., ICLR 2019).

    Images of one confidence are accepted together, each with their mean error.
    """
    _, place, counts = np.unique(-confidence, return_inverse=True, return_counts=True)
    errors = np.bincount(place.reshape(-1), ~right, minlength=len(counts)) / counts
    return float((np.cumsum(np.repeat(errors, counts)) / np.arange(1, len(right) + 1)).mean())


def refused(confidence: np.ndarray, right: np.ndarray) -> np.ndarray:
    """What each image adds to n times `aurc`, [n]: 0 where it is correct, else about -ln of its rank by confidence.

    >>> round(float(refused(np.array([0.9, 0.8, 0.7]), np.array([True, False, True])).mean()), 4) == round(
    ...     aurc(np.array([0.9, 0.8, 0.7]), np.array([True, False, True])), 4)
    True
    """
    _, place, counts = np.unique(-confidence, return_inverse=True, return_counts=True)
    weights = np.cumsum((1 / np.arange(1, len(right) + 1))[::-1])[::-1]
    shared = np.add.reduceat(weights, np.cumsum(counts) - counts) / counts
    return np.where(right, 0.0, shared[place.reshape(-1)])


def aurc_interval(confidence: np.ndarray, right: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of `aurc`, from [n] and bool [n], at least one: the hull of two.

    The distribution-free one of the mean of what the images add, and the normal one of the influence of each of them on
    the mean, which includes lowering the less confident ones by one rank.

    >>> aurc_interval(np.array([0.9, 0.8]), np.array([True, True]))[0]
    0.0
    """
    n, added = len(right), refused(confidence, right)
    low, high = statistics.bounded_mean(
        added, 0, float((1 / np.arange(1, n + 1)).sum())
    )  # all errors are the most confident
    order = np.argsort(-confidence, kind="stable")
    behind = np.cumsum((~right[order] / np.arange(1, n + 1))[::-1])[::-1]
    half = statistics.Z * (added[order] - behind).std(ddof=min(n - 1, 1)) / np.sqrt(n)
    return abs(max(min(low, float(added.mean() - half)), 0.0)), min(max(high, float(added.mean() + half)), 1.0)
