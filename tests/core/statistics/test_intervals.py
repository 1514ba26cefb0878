import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from robust.core import statistics
from robust.core.statistics import (
    bounded_mean,
    clopper_pearson,
    mcnemar,
    order_statistics,
    paired_difference,
    paired_proportions,
)

COUNTS = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@settings(deadline=None)
@given(COUNTS)
def test_the_ends_of_a_share_leave_2_5_percent_on_either_side(counts):
    k, n = counts
    low, high = clopper_pearson(k, n)
    assert 0 <= low <= k / n <= high <= 1 and low < high
    assert low == 0 if k == 0 else stats.binom.sf(k - 1, n, low) == pytest.approx(0.025)
    assert high == 1 if k == n else stats.binom.cdf(k, n, high) == pytest.approx(0.025)


@settings(deadline=None)
@given(COUNTS)
def test_the_interval_of_a_share_is_the_same_for_what_is_left(counts):
    k, n = counts
    low, high = clopper_pearson(k, n)
    assert clopper_pearson(n - k, n) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@settings(deadline=None)
@given(COUNTS)
def test_ten_times_the_images_give_a_narrower_interval(counts):
    k, n = counts
    low, high = clopper_pearson(k, n)
    narrow_low, narrow_high = clopper_pearson(10 * k, 10 * n)
    assert narrow_high - narrow_low < high - low


@pytest.mark.parametrize("n", [20, 100, 200])
def test_every_true_share_is_covered_95_times_of_100_or_more(n):
    """Exact, and at the shares just beyond an end, where it is least; the score interval comes down to 84 there."""
    ends = np.array([clopper_pearson(k, n) for k in range(n + 1)])
    for share in np.clip(np.concatenate([ends.ravel() - 1e-9, ends.ravel() + 1e-9, [0.001, 0.5]]), 1e-12, 1 - 1e-12):
        held = np.flatnonzero((ends[:, 0] <= share) & (share <= ends[:, 1]))
        assert stats.binom.pmf(held, n, share).sum() >= 0.95 - 1e-9


def test_shares_take_the_numbers_of_numpy():
    assert clopper_pearson(np.int64(3), np.int32(10)) == clopper_pearson(3, 10)
    assert type(clopper_pearson(np.int64(3), np.int64(10))[0]) is float


@pytest.mark.parametrize(("k", "n"), [(0, 1), (0, 7), (3, 7), (7, 7), (812, 1000), (1, 50_000), (49_999, 50_000)])
def test_the_interval_of_a_share_is_that_of_scipys_binomial_test(k, n):
    exact = stats.binomtest(k, n).proportion_ci(0.95, method="exact")
    assert clopper_pearson(k, n) == pytest.approx((exact.low, exact.high), rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(("k", "n"), [(1, 0), (-1, 10), (11, 10)])
def test_what_is_no_share_is_refused(k, n):
    with pytest.raises(ValueError):
        clopper_pearson(k, n)


def sample(n, seed=0):
    return np.random.default_rng(seed).normal(3, 2, n)


@pytest.mark.parametrize(("k", "n"), [(0, 1), (0, 20), (1, 20), (10, 20), (0, 1000), (3, 1000), (700, 1000)])
@pytest.mark.parametrize("tail", [0.025, 0.05])
def test_the_mean_of_zeros_and_ones_has_the_exact_interval_of_a_share(k, n, tail):
    """By its tail, which the saddle point gives on the safe side where the values are ends: 2.36 to 2.5 % for 2.5 %."""
    low, high = bounded_mean(np.repeat([0.0, 1.0], [n - k, k]), 0, 1, tail)
    assert low == 0 if k == 0 else 0.945 * tail <= stats.binom.sf(k - 1, n, low) <= 1.0001 * tail
    assert 0.945 * tail <= stats.binom.cdf(k, n, high) <= 1.0001 * tail


def _tail(values, end):
    """P(weighted mean > end), exactly: that of the sum of E (x - end), E exponential (Imhof, Biometrika 48, 1961)."""
    x, times = np.unique(values, return_counts=True)
    u = np.exp(np.linspace(-30, 30, 30_001))
    scaled = np.outer((x - end) / np.abs(x - end).max(), u)
    wave = np.sin(times @ np.arctan(scaled)) * np.exp(-times @ np.log1p(scaled**2) / 2)
    return 0.5 + np.trapezoid(wave, np.log(u)) / np.pi


@pytest.mark.parametrize("tail", [0.025, 0.05])
@pytest.mark.parametrize("n", [1, 2, 3, 20, 166, 1000])
def test_the_tail_beyond_the_end_of_a_bounded_mean_is_between_90_and_106_percent_of_what_is_asked(n, tail):
    assert _tail(np.array([0.0, 1.0]), 0.9) == pytest.approx(0.1)  # a uniform weight
    for level in (0.05, 0.2, 0.545, 0.8):
        for share in (0.1, 0.5, 0.93):
            k = round(share * n)
            low = np.repeat([0.0, 0.17 * level], [(n - k) // 2, n - k - (n - k) // 2])
            values = np.concatenate([low, np.full(k, level)])
            high = statistics.highest_mean(values, 1.0, tail)
            assert 0.9 * tail <= _tail(np.append(values, 1.0), high) <= 1.06 * tail


@pytest.mark.parametrize("n", [5, 30, 300])
def test_the_end_of_a_bounded_mean_is_the_quantile_of_means_under_random_weights(n):
    """The definition, drawn: weights uniform on the simplex of the values and of the largest that there can be."""
    values = np.minimum(np.random.default_rng(n).lognormal(0, 1.5, n), 20)
    weights = np.random.default_rng(0).standard_exponential((20_000, n + 1))
    drawn = weights @ np.append(values, 20.0) / weights.sum(axis=1)
    low, high = bounded_mean(values, 0, 20)
    assert (drawn > high).mean() == pytest.approx(0.025, abs=0.004)
    drawn = weights @ np.append(values, 0.0) / weights.sum(axis=1)
    assert (drawn < low).mean() == pytest.approx(0.025, abs=0.004)


def test_of_many_normal_values_far_from_their_bounds_it_is_the_normal_interval():
    values = sample(4000)
    half = 1.96 * values.std() / math.sqrt(len(values))
    low, high = bounded_mean(values, values.min(), values.max())
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.06 * half)


def test_a_bounded_mean_moves_stretches_and_turns_with_the_values():
    low, high = bounded_mean(sample(100), -10, 20)
    assert bounded_mean(sample(100) + 7, -3, 27) == pytest.approx((low + 7, high + 7))
    assert bounded_mean(sample(100) * 10, -100, 200) == pytest.approx((10 * low, 10 * high))
    assert bounded_mean(-sample(100), -20, 10) == pytest.approx((-high, -low))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(-5, 5, width=32), min_size=1, max_size=40), st.floats(0, 1e6))
def test_a_bounded_mean_holds_the_mean_within_the_bounds(values, beyond):
    low, high = bounded_mean(np.array(values), -5 - beyond, 5 + beyond)
    mean = np.mean(np.array(values, np.float64))
    least, most = -5 - beyond, 5 + beyond
    assert least <= low <= mean <= high <= most
    assert (low < mean or mean == least) and (mean < high or mean == most)
    inner = bounded_mean(np.array(values), -5, 5)
    assert low <= inner[0] + 1e-9 and inner[1] <= high + 1e-9


def test_a_value_beyond_its_bounds_moves_them_and_no_values_have_no_mean():
    values = np.array([0.2, 0.4, 1.5])
    assert bounded_mean(values, 0, 1) == bounded_mean(values, 0, 1.5)
    assert bounded_mean(np.full(3, 2.0), 2, 2) == (2, 2)
    assert np.isnan(bounded_mean(np.array([]), 0, 1)).all()


def test_a_tail_that_single_steps_cannot_tell_from_none_leaves_all_that_there_can_be():
    low, high = bounded_mean(np.array([0.0, 1.0, 1.0]), 0, 1, 1e-15)
    assert low < 1e-6 and high == 1


def test_one_value_says_nearly_nothing_of_its_mean():
    low, high = bounded_mean(np.array([0.25], np.float32), 0, 1)
    assert low < 0.02 and high > 0.96


@pytest.mark.parametrize("n", [6, 9, 17, 30, 101])
def test_order_statistics_cover_the_median_at_least_95_times_of_100_and_no_narrower_ranks_would(n):
    low, high = order_statistics(np.random.default_rng(n).permutation(n) + 1)
    assert low + high == n + 1
    below = stats.binom(n, 0.5)
    assert 1 - 2 * below.cdf(low - 1) >= 0.95 > 1 - 2 * below.cdf(low)


def test_five_values_have_no_interval_of_their_median():
    assert all(map(math.isnan, order_statistics(np.arange(5))))


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5, 0.75])
def test_the_ranks_of_a_quantile_leave_2_5_percent_on_either_side_and_no_narrower_ones_would(share):
    fewest = statistics.fewest(share)
    for n in (fewest, fewest + 1, 200, 1000):
        low, high = order_statistics(np.random.default_rng(n).permutation(n) + 1, share)
        below = stats.binom(n, share)  # how many lie below the true quantile
        assert below.cdf(low - 1) <= 0.025 < below.cdf(low)
        assert below.sf(high - 1) <= 0.025 < below.sf(high - 2)
    assert all(map(math.isnan, order_statistics(np.arange(fewest - 1), share)))
    assert min(stats.binom.pmf(0, fewest - 1, min(share, 1 - share)), 1) > 0.025


def test_one_proportion_has_the_exact_interval():
    for hits, n in ((0, 7), (3, 7), (7, 7), (812, 1000)):
        low, high = statistics.simultaneous(np.array([hits]), np.array([n]))
        exact = stats.binomtest(hits, n).proportion_ci(0.95, method="exact")
        assert (low[0], high[0]) == pytest.approx((exact.low, exact.high), abs=1e-12)


@pytest.mark.slow_after_first
@pytest.mark.parametrize(("recall", "classes", "images"), [(0.8, 10, 100), (0.997, 10, 100), (0.02, 1000, 50)])
def test_simultaneous_intervals_hold_the_worst_of_many_where_single_ones_do_not(recall, classes, images):
    """Classes of the same recall: the least of all samples lies low, and so does its own interval."""
    random, n = np.random.default_rng(0), np.full(classes, images)
    held = alone = 0
    for _ in range(1000):
        hits = random.binomial(images, recall, classes)
        least, most = statistics.simultaneous(hits, n)
        held += least.min() <= recall <= most.min() and least.max() <= recall <= most.max()
        ends = [clopper_pearson(int(of), images) for of in (hits.max(), hits.min())]
        alone += ends[0][0] <= recall <= ends[1][1]
    assert held >= 950 and alone < 960


def outcomes(both, ours, theirs, neither):
    """Which images count: with both, with one alone, with none."""
    counts = [both, ours, theirs, neither]
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


def tango(ours, theirs, n, z):
    """The ends of the score interval of Tango (Statistics in Medicine 17, 1998), by bisection of its statistic."""

    def score(delta):
        b = -ours - theirs + (2 * n - ours + theirs) * delta
        q = (math.sqrt(b**2 + 8 * n * theirs * delta * (1 - delta)) - b) / (4 * n)
        return (ours - theirs - n * delta) / math.sqrt(n * (2 * q + delta * (1 - delta)))

    return [optimize.brentq(lambda d, s=s: score(d) - s * z, -1 + 1e-9, 1 - 1e-9) for s in (1, -1)]


@pytest.mark.parametrize("counts", [(80, 10, 2, 8), (500, 40, 60, 400), (900, 3, 5, 92), (0, 30, 30, 0)])
@pytest.mark.parametrize("tail", [0.025, 0.05])
def test_paired_proportions_are_near_the_score_interval(counts, tail):
    n = sum(counts)
    value, low, high = paired_proportions(*outcomes(*counts), tail)
    assert value == (counts[1] - counts[2]) / n
    expected = tango(counts[1], counts[2], n, stats.norm.isf(tail))
    assert [low, high] == pytest.approx(expected, abs=0.2 * (expected[1] - expected[0]))


@pytest.mark.parametrize("n", [20, 60])
@pytest.mark.parametrize(("p", "by"), [(0.0, 0.05), (0.0, 0.01), (0.02, 0.02), (0.1, 0.05), (0.3, 0.1)])
def test_no_worse_is_wrong_at_most_5_times_of_100_where_the_difference_is_just_that(n, p, by):
    """Exact: every table of n images by its probability; with adjusted Wald's interval it is up to 7 times."""
    wrong = 0.0
    for c in range(n + 1):
        row = stats.binom.pmf(c, n, p + by) * stats.binom.pmf(np.arange(n - c + 1), n - c, p / (1 - p - by))
        for b in np.flatnonzero(row > 1e-6):
            wrong += row[b] * (paired_proportions(*outcomes(0, b, c, n - b - c), 0.05)[1] >= -by)
    assert wrong <= 0.05


@settings(deadline=None)
@given(st.lists(st.integers(0, 60), min_size=4, max_size=4).filter(any))
def test_paired_proportions_hold_the_difference_and_turn_round(counts):
    ours, theirs = outcomes(*counts)
    value, low, high = paired_proportions(ours, theirs)
    assert -1 <= low <= value <= high <= 1 and low < high
    assert paired_proportions(theirs, ours) == pytest.approx((-value, -high, -low))
    assert low <= paired_proportions(ours, theirs, 0.05)[1]


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 5))
def test_mcnemar_is_the_two_sided_tail_of_a_fair_coin(b, c, both):
    p = mcnemar(*outcomes(both, b, c, 3))
    tail = sum(math.comb(b + c, k) for k in range(min(b, c) + 1)) / 2 ** (b + c)
    assert p == pytest.approx(min(1.0, 2 * tail))
    assert p == mcnemar(*outcomes(both, c, b, 0))


def test_pairs_that_are_alike_differ_by_nothing_that_came():
    values = sample(50)
    value, low, high = paired_difference(values, values)
    assert value == 0 and low == -high and high == pytest.approx(statistics.SURE * clopper_pearson(0, 50)[1], rel=0.01)
    assert mcnemar(values > 3, values > 3) == 1


def test_a_paired_difference_is_the_mean_of_bounded_ones():
    ours, theirs = sample(40), sample(40, 1)
    assert paired_difference(ours, theirs)[1:] == bounded_mean(ours - theirs, -16, 16)
    assert paired_difference(ours, theirs, 0.05, most=1)[1:] == bounded_mean(
        ours - theirs, -np.abs(ours - theirs).max(), np.abs(ours - theirs).max(), 0.05
    )


def test_of_many_pairs_whose_differences_are_bounded_it_is_the_paired_t_interval_of_scipy():
    ours, theirs = sample(4000), sample(4000, 1)
    found = stats.ttest_rel(ours, theirs).confidence_interval(0.95)
    assert paired_difference(ours, theirs, most=1)[1:] == pytest.approx((found.low, found.high), abs=0.01)


@pytest.mark.slow_after_first
@pytest.mark.parametrize("n", [20, 100])
@pytest.mark.parametrize("sign", [1, -1])
def test_no_worse_nll_is_not_passed_where_rare_heavy_differences_are_missing_from_the_sample(n, sign):
    """One image of 50 is much worse: Student's bound passes 71 (n = 20) and 35 (n = 100) times of 100."""
    random, passed = np.random.default_rng(0), 0
    for _ in range(300):
        differences = sign * np.where(random.random(n) < 0.02, random.exponential(5, n), 0) + random.normal(0, 0.05, n)
        passed += paired_difference(differences, np.zeros(n), 0.05)[2] <= sign * 0.1
    assert passed <= 15


def test_one_pair_tells_next_to_nothing():
    value, low, high = paired_difference(np.array([2.0]), np.array([0.5]))
    assert value == 1.5 and low < -14 and high > 14


def test_the_interval_of_a_median_whose_largest_values_are_censored():
    """That they lie beyond is all that is known of them, and all that an order statistic asks."""
    values = np.array([1.0, 2, 3, 4, 5, 6, 7, np.inf, np.inf, np.inf])
    assert statistics.order_statistics(values) == (2.0, np.inf)
    assert statistics.order_statistics(np.where(np.isinf(values), 9.0, values)) == (2.0, 9.0)
