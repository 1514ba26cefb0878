"""Intervals for what a sample of images can tell: they speak of the sampling of images alone."""

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


def order_statistics(values: np.ndarray) -> tuple[float, float]:
    """The distribution-free interval of a median, of at least 95 %: two of the sorted values themselves.

    How many of n values lie below the true median is Binomial(n, 1/2); the ranks are its quantiles.

    Args:
        values: shape [n]; all must be finite. NaN, NaN for fewer than six, whose range covers less than 95 %.

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
