"""Intervals for what a sample of images can tell: they speak of the sampling of images alone."""

import math
from collections.abc import Callable, Iterator

import numpy as np

CONFIDENCE = 0.95


def wilson(successes: int, n: int) -> tuple[float, float]:
    """The 95 % score interval of a proportion.

    Args:
        successes: how many of the `n` images count, 0 to n.
        n: how many images there are, at least 1.

    Source: Wilson, JASA 22, 1927; it keeps its coverage near 0 and 1 (Brown, Cai & DasGupta,
    Statistical Science 16, 2001).

    >>> [round(end, 4) for end in wilson(0, 10)]
    [0.0, 0.2775]
    """
    from scipy.stats import binomtest

    low, high = binomtest(int(successes), int(n)).proportion_ci(CONFIDENCE, method="wilson")
    return float(low), float(high)


def simultaneous(successes: np.ndarray, n: np.ndarray, comparisons: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Exact intervals of several proportions that all hold at once with 95 %: the worst of many was selected.

    Bonferroni: each at level 1 - 0.05 / comparisons. So the least of all true proportions lies between the
    least low and the least high end; the largest between the largest ones. Exact, as Wilson's does not keep
    such a level for the few errors that the best of classes and pairs have.

    Args:
        successes, n: of each proportion, shape [k]; n at least 1.
        comparisons: among how many the selection was made, at least k; k where it is left out.

    Source: Dunn, Multiple comparisons among means, JASA 56, 1961; Clopper & Pearson, Biometrika 26, 1934.

    >>> [end.round(4).tolist() for end in simultaneous(np.array([0, 10]), np.array([10, 10]))]
    [[0.0, 0.6452], [0.3548, 1.0]]
    """
    from scipy.stats import beta

    tail = (1 - CONFIDENCE) / 2 / (comparisons or len(n))
    low = np.where(successes > 0, beta.ppf(tail, np.maximum(successes, 1), n - successes + 1), 0.0)
    return low, np.where(successes < n, beta.isf(tail, successes + 1, np.maximum(n - successes, 1)), 1.0)


def bootstrap(
    statistic: Callable[[np.ndarray], float],
    strata: np.ndarray,
    *,
    within: tuple[float, float] = (0, float("inf")),
    seed: int = 0,
    resamples: int = 500,
) -> tuple[float, float]:
    """The 95 % basic bootstrap interval of any statistic, images drawn within their strata.

    Twice the value minus the percentiles of the resamples: a statistic that resampling shifts, as a
    calibration error, is shifted by the data, too. Where that leaves the value itself out, it is taken in.

    Args:
        statistic: of the images whose rows it is given, int [n], with repetition.
        strata: int [n]; as many images of each are drawn as there are: the classes, or all 0.
        within: what the statistic can be.
        seed: of the resampling, so that the same values give the same interval.
        resamples: how many; what is not finite among them does not count.

    NaN, NaN where fewer than two resamples are finite, and where the interval would have no width.

    Source: Davison & Hinkley, Bootstrap Methods and their Application, 1997, section 5.2.1.

    >>> values = np.arange(100.0)
    >>> low, high = bootstrap(lambda rows: float(values[rows].mean()), np.zeros(100, int))
    >>> 42 < low < 45 and 54 < high < 57
    True
    """
    found = np.array([statistic(rows) for rows in resampled(strata, seed, resamples)])
    return basic(statistic(np.arange(len(strata))), found, within)


def resampled(strata: np.ndarray, seed: int, resamples: int) -> Iterator[np.ndarray]:
    """Rows of images drawn with repetition, int [n], each in the place of one of its own stratum; see `bootstrap`."""
    random, order = np.random.default_rng(seed), np.argsort(strata, kind="stable")
    counts = np.unique(strata, return_counts=True)[1]
    begin, sizes = np.repeat(np.cumsum(counts) - counts, counts), np.repeat(counts, counts)
    for _ in range(resamples):
        rows = np.empty_like(order)
        rows[order] = order[begin + random.integers(0, sizes)]
        yield rows


def basic(value: float, found: np.ndarray, within: tuple[float, float] = (0, float("inf"))) -> tuple[float, float]:
    """The 95 % basic bootstrap interval of a value from what its resamples gave; see `bootstrap`.

    >>> basic(0.5, np.array([0.4, 0.4, 0.4]))
    (0.5, 0.6)
    """
    found = found[np.isfinite(found)]
    if len(found) < 2:
        return float("nan"), float("nan")
    ends = np.clip(2 * value - np.quantile(found, [(1 + CONFIDENCE) / 2, (1 - CONFIDENCE) / 2]), *within)
    low, high = float(min(ends[0], value)), float(max(ends[1], value))
    return (low, high) if low < high else (float("nan"), float("nan"))  # no sample is that sure of its value


def from_nothing(value: float, low: float, by_chance: np.ndarray) -> float:
    """The low end of an interval: 0 where 1 in 20 samples of nothing at all would give as large a value.

    A statistic that is never negative is more than 0 where the truth is 0, and its bootstrap hardly tells.

    Args:
        value, low: of the sample. by_chance: what samples give where the truth is 0, shape [resamples]; may be empty.

    >>> from_nothing(0.1, 0.05, np.array([0.05, 0.2])), from_nothing(0.3, 0.05, np.array([0.05, 0.2]))
    (0.0, 0.05)
    """
    return 0.0 if len(by_chance) and value <= np.quantile(by_chance, CONFIDENCE) and low == low else low


def bootstrap_mean(values: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of a mean, from 2,000 resamples.

    Args:
        values: one number an image, shape [n]; all must be finite. NaN, NaN for fewer than two.
        seed: of the resampling, so that the same values give the same interval.

    Source: Efron & Tibshirani, An Introduction to the Bootstrap, 1993.

    >>> bootstrap_mean(np.ones(10))
    (1.0, 1.0)
    """
    values = np.asarray(values, np.float64)
    if len(values) < 2:
        return float("nan"), float("nan")  # one image says nothing of its spread
    random, means = np.random.default_rng(seed), np.empty(2000)
    for i in range(len(means)):  # one resample at a time: n images are held, not 2,000 n
        means[i] = values[random.integers(0, len(values), len(values))].mean()
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def paired_proportions(ours: np.ndarray, theirs: np.ndarray, tail: float = 0.025) -> tuple[float, float, float]:
    """Difference of two proportions over the same images, with its adjusted Wald interval: value, low, high.

        (b - c) / n,  and  p - q -+ z sqrt((p + q - (p - q)^2) / (n + 2)),  p = (b + 1) / (n + 2), q = (c + 1) / (n + 2)

    for b images that count with us alone and c with them alone.

    Args:
        ours, theirs: which images count, bool [n], in the same order.
        tail: the probability that the true difference lies beyond an end, below 0.5; each end by itself is
            therefore a one-sided bound of 1 - tail.

    Source: Bonett & Price, Adjusted Wald confidence interval for a difference of binomial proportions based on
    paired data, Journal of Educational and Behavioral Statistics 37, 2012; recommended by Fagerland, Lydersen &
    Laake, Statistics in Medicine 33, 2014.

    >>> a, b = np.repeat([True, False], [90, 10]), np.repeat([True, False], [80, 20])
    >>> [round(x, 3) for x in paired_proportions(a, b)]
    [0.1, 0.034, 0.162]
    """
    from scipy.stats import norm

    n, b, c = len(ours), int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    p, q = (b + 1) / (n + 2), (c + 1) / (n + 2)
    half = float(norm.isf(tail)) * math.sqrt((p + q - (p - q) ** 2) / (n + 2))
    return (b - c) / n, max(p - q - half, -1.0), min(p - q + half, 1.0)


def paired_difference(ours: np.ndarray, theirs: np.ndarray, tail: float = 0.025) -> tuple[float, float, float]:
    """Mean of the differences image by image, with Student's interval: value, low, high.

    Args:
        ours, theirs: one number an image, shape [n], in the same order; all must be finite.
        tail: as of `paired_proportions`. Of a single image the ends are NaN.

    Source: Student, The probable error of a mean, Biometrika 6, 1908.

    >>> [round(x, 3) for x in paired_difference(np.array([2.0, 4.0, 6.0]), np.array([1.0, 2.0, 3.0]))]
    [2.0, -0.484, 4.484]
    """
    from scipy.stats import t

    differences = np.asarray(ours, np.float64) - np.asarray(theirs, np.float64)
    mean, n = float(differences.mean()), len(differences)
    if n < 2:
        return mean, float("nan"), float("nan")
    half = float(t.isf(tail, n - 1) * differences.std(ddof=1)) / math.sqrt(n)
    return mean, mean - half, mean + half


def mcnemar(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The exact p-value, two-sided, of that two classifiers are right equally often; 1 where they never differ.

    Of the images that count with one alone, half are expected with either: a binomial test.

    Args:
        ours, theirs: which images count, bool [n], in the same order.

    Source: McNemar, Psychometrika 12, 1947; for classifiers Dietterich, Neural Computation 10, 1998.

    >>> mcnemar(np.repeat([True, False], [5, 5]), np.zeros(10, bool))
    0.0625
    """
    from scipy.stats import binomtest

    b, c = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    return float(binomtest(b, b + c).pvalue) if b + c else 1.0


def order_statistics(values: np.ndarray) -> tuple[float, float]:
    """The distribution-free interval of a median, of at least 95 %: two of the sorted values themselves.

    How many of n values lie below the true median is Binomial(n, 1/2); the ranks are its quantiles.

    Args:
        values: shape [n]; infinite ones are the largest (censored). NaN, NaN for fewer than six, whose range
            covers less than 95 %.

    Source: David & Nagaraja, Order Statistics, 3rd edition, 2003, section 7.1.

    >>> order_statistics(np.arange(1, 11))
    (2.0, 9.0)
    """
    from scipy.stats import binom

    ordered = np.sort(np.asarray(values, np.float64))
    if len(ordered) < 6:
        return float("nan"), float("nan")
    rank = int(binom.ppf((1 - CONFIDENCE) / 2, len(ordered), 0.5))  # from either side, counted from 1
    return float(ordered[rank - 1]), float(ordered[len(ordered) - rank])
