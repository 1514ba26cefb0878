"""Two samples of scores, from inside and from outside: how well they are separated, with intervals.

The area is scikit-learn's. Neither it nor SciPy or statsmodels has an interval of it, nor the rate at a fixed share of
the other side.
"""

import math

import numpy as np

from robust.core import statistics

AREA = "DeLong, Newcombe or distribution-free 95 %"
AT_QUANTILE = "exact 95 %, of a quantile"


def auroc(inside: np.ndarray, outside: np.ndarray) -> float:
    """The area under the ROC curve, where higher scores should be inside."""
    from sklearn.metrics import roc_auc_score

    truth = np.repeat([1, 0], [len(inside), len(outside)])
    return float(roc_auc_score(truth, np.concatenate([inside, outside])))


def fpr95(inside: np.ndarray, outside: np.ndarray) -> float:
    """The share of `outside` at or above the score that 95 % of `inside` reach.

    >>> fpr95(np.arange(100.0), np.array([3.0, 5.0, 200.0, -1.0]))
    0.5
    """
    threshold = np.sort(inside)[::-1][kept(len(inside)) - 1]
    return float((outside >= threshold).mean())


def area_interval(inside: np.ndarray, outside: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of an area under the ROC curve: the hull of three, from the scores [m] and [n].

    DeLong's on the logit scale, which allows for scores of unlike spread; Newcombe's, which has a width where the
    scores do not overlap; and of each side the distribution-free one of the mean of the shares of the other side that
    its scores beat, which holds where a few scores on the wrong side decide.

    Source: DeLong, DeLong & Clarke-Pearson, Biometrics 44, 1988; Qin & Hotilovac, Statistical Methods in Medical
    Research 17, 2008 (logit); Newcombe, Statistics in Medicine 25, 2006, part 2, method 5.

    >>> [round(end, 2) for end in area_interval(np.arange(10.0), -np.arange(1, 11.0))]
    [0.69, 1.0]
    """
    value, beaten = auroc(inside, outside), _beaten(inside, outside)
    means = [end for shares in beaten for end in statistics.bounded_mean(shares, 0, 1)]
    ends = (*newcombe(value, len(inside), len(outside)), *delong(value, beaten), *means)
    return min(ends), max(ends)


def _beaten(inside: np.ndarray, outside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each score inside the share from outside that is lower, [m], and of each from outside the reverse, [n]."""
    from scipy.stats import rankdata

    m, n = len(inside), len(outside)
    ranks = rankdata(np.concatenate([inside, outside]))
    return (ranks[:m] - rankdata(inside)) / n, 1 - (ranks[m:] - rankdata(outside)) / m


def newcombe(value: float, m: int, n: int) -> tuple[float, float]:
    """Where |value - area| = z sd(area), by Hanley & McNeil's variance with (m + n) / 2 - 1 in either place."""
    from scipy.optimize import root_scalar

    size, edge = (m + n) / 2 - 1, 1e-12

    def beyond(area: float) -> float:
        spread = area * (1 - area) * (1 + size * (1 - area) / (2 - area) + size * area / (1 + area)) / (m * n)
        return (value - area) ** 2 - statistics.Z**2 * spread

    def end(bracket: tuple[float, float]) -> float:
        return float(root_scalar(beyond, bracket=bracket).root)

    low = 0.0 if value <= 0 else end((0.0, min(value, 1 - edge)))
    return low, 1.0 if value >= 1 else end((max(value, edge), 1.0))


def delong(value: float, beaten: tuple[np.ndarray, np.ndarray]) -> tuple[float, float]:
    """From the shares of `_beaten`; the value alone where the scores do not overlap, or with one score a side."""
    from scipy.special import expit, logit

    if not 0 < value < 1:
        return value, value
    spread = sum(one.var(ddof=1) / len(one) for one in beaten if len(one) > 1)
    half = statistics.Z * math.sqrt(spread) / (value * (1 - value))
    return float(expit(logit(value) - half)), float(expit(logit(value) + half))


def fpr95_interval(inside: np.ndarray, outside: np.ndarray) -> tuple[float, float]:
    """The interval of the share of `outside` at or above the score that 95 % of `inside` reach; 95 % or more.

    Order statistics give the two scores inside between which the true one is with 97.5 %; the shares at these have
    exact intervals of 97.5 %.

    >>> fpr95_interval(np.arange(20.0), np.arange(20.0) - 100)[0]
    0.0
    """
    from scipy.stats import binom

    m, tail = len(inside), statistics.TAIL / 2
    below = binom(m, 0.95)
    best, worst = int(below.ppf(tail)), int(below.isf(tail)) + 1  # the true score is among these, from the largest
    descending = np.concatenate([[np.inf], np.sort(inside)[::-1], [-np.inf]])
    shares = np.array([(outside >= descending[min(place, m + 1)]).sum() for place in (best, worst)])
    low, high = statistics.simultaneous(shares, np.full(2, len(outside)))
    return float(low[0]), float(high[1])


def kept(n: int) -> int:
    """How many of n images must be accepted."""
    return int(np.ceil(0.95 * n))
