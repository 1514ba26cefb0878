"""Confidence intervals from a sample of images: they cover the sampling of images only.

Distributions, tests and root finding are SciPy's. Implemented here are the intervals of a bounded mean, which neither
SciPy nor statsmodels has. The others are also in statsmodels: the same calls of SciPy, 80 times slower for one.
"""

import math

import numpy as np

CONFIDENCE = 0.95
TAIL = (1 - CONFIDENCE) / 2
Z = 1.959963984540054  # standard errors of a normal 95 %
OF_PREDICTIONS = "95 %, of mistakes no dearer than these answers allow"  # the only one for a mean of unbounded values
EXACT, BOUNDED = "exact 95 %", "distribution-free 95 %"  # names in results.csv, for proportions and bounded means
SURE = 16.0
"""In nats, -ln of the probability 1e-7, at the resolution of single precision: the loss of a confident mistake."""


def clopper_pearson(successes: int, n: int) -> tuple[float, float]:
    """The exact 95 % interval of a proportion: whatever the true value, it is covered in at least 95 % of samples.

    Score intervals are shorter, but near 0 and 1 there are proportions with a coverage of 84 %, for any n.

    Args:
        successes: the number of successes among the `n` images, 0 to n.
        n: the number of images, at least 1.

    Source: Clopper & Pearson, Biometrika 26, 1934; on alternatives Brown, Cai & DasGupta, Statistical Science 16, 2001.

    >>> [round(end, 4) for end in clopper_pearson(0, 10)]
    [0.0, 0.3085]
    """
    from scipy.special import betaincinv  # a thousand times faster than binomtest: each of a thousand classes has three

    if not 0 <= successes <= n or n < 1:
        raise ValueError(f"{successes} of {n} is not a proportion")
    low = betaincinv(successes, n - successes + 1, TAIL) if successes else 0.0
    return float(low), float(betaincinv(successes + 1, n - successes, 1 - TAIL)) if successes < n else 1.0


def simultaneous(successes: np.ndarray, n: np.ndarray, comparisons: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Exact intervals of several proportions that all hold simultaneously with 95 %, for a selected extreme of many.

    Bonferroni: each at level 1 - 0.05 / comparisons. So the least of all true proportions is between the
    least low and the least high end; the largest between the largest ones. Exact, as Wilson's does not keep
    such a level for the few errors of the best classes and pairs.

    Args:
        successes, n: of each proportion, shape [k]; n at least 1.
        comparisons: the number among which the selection was made, at least k; by default k.

    Source: Dunn, Multiple comparisons among means, JASA 56, 1961; Clopper & Pearson, Biometrika 26, 1934.

    >>> [end.round(4).tolist() for end in simultaneous(np.array([0, 10]), np.array([10, 10]))]
    [[0.0, 0.6452], [0.3548, 1.0]]
    """
    from scipy.stats import beta  # of arrays; binomtest takes one proportion

    tail = (1 - CONFIDENCE) / 2 / (comparisons or len(n))
    low = np.where(successes > 0, beta.ppf(tail, np.maximum(successes, 1), n - successes + 1), 0.0)
    return low, np.where(successes < n, beta.isf(tail, successes + 1, np.maximum(n - successes, 1)), 1.0)


def bounded_mean(values: np.ndarray, least: float, most: float, tail: float = TAIL) -> tuple[float, float]:
    """The interval of the mean of a quantity between two bounds, for any distribution: low, high.

    The high end is the 1 - tail quantile of a weighted mean of the values and of `most`, the possible value of another
    image, with weights uniform on the simplex; the low end likewise with `least`. For values that are all 0 or 1
    it is the exact interval of Clopper and Pearson. Without such bounds no interval of a mean has its coverage
    (Bahadur & Savage, Annals of Mathematical Statistics 27, 1956).

    Args:
        values: one number per image, shape [n], all finite. NaN, NaN for n = 0.
        least, most: the range of a value; one outside extends it. `most` may be infinite: so is then the high
            end.
        tail: the probability that the true mean is beyond an end, below 0.3.

    Source: Gaffke, Three test statistics for a nonparametric one-sided hypothesis on the mean of a nonnegative
    variable, Mathematical Methods of Statistics 14, 2005; Learned-Miller & Thomas, A new confidence interval for
    the mean of a bounded random variable, 2019 (arXiv 1905.06208). The quantile is by the saddlepoint approximation of
    Lugannani & Rice, Advances in Applied Probability 12, 1980. Against numerical inversion its tail was .90 (two or
    three values) to 1.06 times (a few levels, far below `most`) the nominal one: 2.25 to 2.65 % for 2.5 %; for a
    proportion 2.36 to 2.5 %.

    >>> [round(end, 2) for end in bounded_mean(np.zeros(10), 0, 1)]
    [0.0, 0.31]
    """
    values = np.asarray(values, np.float64)
    if not len(values):
        return float("nan"), float("nan")
    if math.isinf(most):
        return -highest_mean(-values, -least, tail), math.inf
    return -highest_mean(-values, -least, tail), highest_mean(values, most, tail)


def highest_mean(values: np.ndarray, most: float, tail: float) -> float:
    """Only the high end of `bounded_mean`.

    A weighted mean reaches t where the sum of E (x - t) is above 0, E exponential; its saddle point s is given by
    the distance of the pole t + 1 / s beyond the largest x: 1 - s (x - t) is `share`.
    """
    from scipy.optimize import root_scalar
    from scipy.special import ndtr

    x, times = np.unique(np.append(values, max(most, values.max())), return_counts=True)
    below, n = x[-1] - x, times.sum()
    spread = math.sqrt(float((times * (below - (times * below).sum() / n) ** 2).sum()))
    if not spread:
        return float(x[-1])

    def share(apart: float) -> tuple[float, np.ndarray]:
        s = float((times / (below + apart)).sum()) / n
        return s, s * (below + apart)

    def excess(log_apart: float) -> float:
        factor = share(math.exp(log_apart))[1]
        w, u = (math.sqrt(float((times * each).sum())) for each in (2 * np.log(factor), (1 / factor - 1) ** 2))
        return float(ndtr(-w)) + math.exp(-w * w / 2) / math.sqrt(2 * math.pi) * (1 / u - 1 / w) - tail

    nearest, farthest = math.log(spread) - 30, math.log(2 * spread)  # there w is below 1/2
    if excess(nearest) > 0:
        return float(x[-1])
    apart = math.exp(root_scalar(excess, bracket=(nearest, farthest), xtol=1e-9).root)
    return float(x[-1] + apart - 1 / share(apart)[0])


def paired_proportions(ours: np.ndarray, theirs: np.ndarray, tail: float = TAIL) -> tuple[float, float, float]:
    """Difference of two proportions over the same images, with its interval: value, low, high.

    The interval is that of a mean of differences that are -1, 0 or 1; see `bounded_mean`. One-sided, it misses at most
    5 times of 100, where from 100 images on the adjusted Wald interval of Bonett & Price (2012) misses up to 9 times
    and the score interval of Tango (Statistics in Medicine 17, 1998) up to 6.

    Args:
        ours, theirs: the outcome of each image, bool [n], in the same order.
        tail: the probability that the true difference is beyond an end; each end by itself is therefore a
            one-sided bound of 1 - tail.

    >>> a, b = np.repeat([True, False], [90, 10]), np.repeat([True, False], [80, 20])
    >>> [round(x, 3) for x in paired_proportions(a, b)]
    [0.1, 0.034, 0.176]
    """
    differences = np.asarray(ours, np.float64) - np.asarray(theirs, np.float64)
    return float(differences.mean()), *bounded_mean(differences, -1, 1, tail)


def paired_difference(
    ours: np.ndarray, theirs: np.ndarray, tail: float = TAIL, most: float = SURE
) -> tuple[float, float, float]:
    """Mean of the differences image by image, with its interval: value, low, high.

    Differences of log-likelihoods are skewed: a few images that a sample may lack can dominate the mean, and Student's
    interval, which accounts only for the observed values, misses 12 to 96 times of 100 instead of 5 where `ours` are
    rarely much worse (docs/coverage.md, from 1000 down to 20 images). Here another image may differ by `most` in either
    direction: for few images the interval is wide, and rightly so.

    Args:
        ours, theirs: one number per image, shape [n], in the same order; all must be finite.
        tail: as in `paired_proportions`.
        most: the largest assumed difference of an image; a larger observed one replaces it.

    Source: see `bounded_mean`.

    >>> [round(x, 2) for x in paired_difference(np.arange(100.0) + 0.5, np.arange(100.0), most=1)]
    [0.5, 0.45, 0.52]
    """
    differences = np.asarray(ours, np.float64) - np.asarray(theirs, np.float64)
    most = max(most, float(np.abs(differences).max()))
    return float(differences.mean()), *bounded_mean(differences, -most, most, tail)


def mcnemar(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The exact two-sided p-value of the hypothesis that two classifiers are equally accurate; 1 if they never differ.

    Of the images that only one gets right, half are expected for each: a binomial test.

    Args:
        ours, theirs: the outcome of each image, bool [n], in the same order.

    Source: McNemar, Psychometrika 12, 1947; for classifiers Dietterich, Neural Computation 10, 1998.

    >>> mcnemar(np.repeat([True, False], [5, 5]), np.zeros(10, bool))
    0.0625
    """
    from scipy.stats import binomtest

    b, c = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    return float(binomtest(b, b + c).pvalue) if b + c else 1.0


def order_statistics(values: np.ndarray, share: float = 0.5) -> tuple[float, float]:
    """The distribution-free interval of a quantile, of at least 95 %: two of the sorted values.

    The number of n values below the true quantile is Binomial(n, share); the ranks are its quantiles.

    Args:
        values: shape [n]; infinite ones are the largest (censored). NaN, NaN for fewer than `fewest(share)`, whose
            range covers less than 95 %.
        share: the fraction of the distribution below the quantile; by default the median.

    Source: David & Nagaraja, Order Statistics, 3rd edition, 2003, section 7.1.

    >>> order_statistics(np.arange(1, 11)), order_statistics(np.arange(1, 21), 0.25)
    ((2.0, 9.0), (2.0, 10.0))
    """
    from scipy.stats import quantile_test

    if len(values) < fewest(share):  # SciPy gives one end where the values lack the other alone
        return float("nan"), float("nan")
    ends = quantile_test(np.asarray(values, np.float64), p=share).confidence_interval(CONFIDENCE)
    return float(ends.low), float(ends.high)


def fewest(share: float = 0.5) -> int:
    """The number of values needed for the interval of a quantile: all on one side of it with a probability below 2.5 %.

    >>> fewest(), fewest(0.25)
    (6, 13)
    """
    return math.ceil(math.log(TAIL) / math.log(max(share, 1 - share)))
