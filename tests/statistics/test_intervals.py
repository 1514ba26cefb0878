import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from robust import statistics
from robust.statistics import bootstrap_mean, mcnemar, order_statistics, paired_difference, paired_proportions, wilson

COUNTS = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@settings(deadline=None)
@given(COUNTS)
def test_wilson_is_the_closed_formula(counts):
    k, n = counts
    z = 1.959963984540054
    centre = (k + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * math.sqrt(k * (n - k) / n + z**2 / 4)
    assert wilson(k, n) == pytest.approx((centre - half, centre + half), abs=1e-12)


@settings(deadline=None)
@given(COUNTS)
def test_wilson_holds_the_share_and_stays_a_share(counts):
    k, n = counts
    low, high = wilson(k, n)
    assert 0 <= low <= k / n <= high <= 1
    assert low < high


@settings(deadline=None)
@given(COUNTS)
def test_wilson_is_the_same_for_what_is_left(counts):
    k, n = counts
    low, high = wilson(k, n)
    assert wilson(n - k, n) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@settings(deadline=None)
@given(COUNTS)
def test_ten_times_the_images_give_a_narrower_interval(counts):
    k, n = counts
    low, high = wilson(k, n)
    narrow_low, narrow_high = wilson(10 * k, 10 * n)
    assert narrow_high - narrow_low < high - low


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.9])
def test_wilson_covers_the_true_share_about_95_times_in_a_hundred(share):
    n = 200
    held = [k for k in range(n + 1) if wilson(k, n)[0] <= share <= wilson(k, n)[1]]
    assert 0.93 <= stats.binom.pmf(held, n, share).sum() <= 0.975


def test_wilson_takes_the_numbers_of_numpy():
    assert wilson(np.int64(3), np.int32(10)) == wilson(3, 10)
    assert type(wilson(np.int64(3), np.int64(10))[0]) is float


@pytest.mark.parametrize(("k", "n"), [(1, 0), (-1, 10), (11, 10)])
def test_wilson_refuses_what_is_no_share(k, n):
    with pytest.raises(ValueError):
        wilson(k, n)


def sample(n, seed=0):
    return np.random.default_rng(seed).normal(3, 2, n)


def test_the_bootstrap_of_the_same_values_is_the_same():
    assert bootstrap_mean(sample(50)) == bootstrap_mean(sample(50))
    assert bootstrap_mean(sample(50), seed=1) != bootstrap_mean(sample(50), seed=2)


@pytest.mark.parametrize("seed", range(5))
def test_the_bootstrap_holds_the_mean(seed):
    values = sample(30, seed) ** 2
    low, high = bootstrap_mean(values)
    assert values.min() <= low < values.mean() < high <= values.max()


def test_the_bootstrap_of_many_normal_values_is_the_normal_interval():
    values = sample(4000)
    half = 1.96 * values.std() / math.sqrt(len(values))
    low, high = bootstrap_mean(values)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.06 * half)


def test_the_bootstrap_moves_and_stretches_with_the_values():
    low, high = bootstrap_mean(sample(100))
    assert bootstrap_mean(sample(100) + 7) == pytest.approx((low + 7, high + 7))
    assert bootstrap_mean(sample(100) * 10) == pytest.approx((10 * low, 10 * high))


def test_one_value_has_no_bootstrap_interval():
    assert np.isnan(bootstrap_mean(np.array([0.25], np.float32))).all()


@pytest.mark.parametrize("n", [6, 9, 17, 30, 101])
def test_order_statistics_cover_the_median_at_least_95_times_of_100_and_no_narrower_ranks_would(n):
    low, high = order_statistics(np.random.default_rng(n).permutation(n) + 1)
    assert low + high == n + 1
    below = stats.binom(n, 0.5)
    assert 1 - 2 * below.cdf(low - 1) >= 0.95 > 1 - 2 * below.cdf(low)


def test_five_values_have_no_interval_of_their_median():
    assert all(map(math.isnan, order_statistics(np.arange(5))))


def test_one_proportion_has_the_exact_interval():
    for hits, n in ((0, 7), (3, 7), (7, 7), (812, 1000)):
        low, high = statistics.simultaneous(np.array([hits]), np.array([n]))
        exact = stats.binomtest(hits, n).proportion_ci(0.95, method="exact")
        assert (low[0], high[0]) == pytest.approx((exact.low, exact.high), abs=1e-12)


@pytest.mark.parametrize(("recall", "classes", "images"), [(0.8, 10, 100), (0.997, 10, 100), (0.02, 1000, 50)])
def test_simultaneous_intervals_hold_the_worst_of_many_where_single_ones_do_not(recall, classes, images):
    """Classes of the same recall: the least of all samples lies low, and so does its own interval."""
    random, n = np.random.default_rng(0), np.full(classes, images)
    held = alone = 0
    for _ in range(1000):
        hits = random.binomial(images, recall, classes)
        least, most = statistics.simultaneous(hits, n)
        held += least.min() <= recall <= most.min() and least.max() <= recall <= most.max()
        alone += (
            statistics.wilson(int(hits.max()), images)[0] <= recall <= statistics.wilson(int(hits.min()), images)[1]
        )
    assert held >= 950 and alone < 900


def test_a_low_end_is_0_where_nothing_at_all_would_give_as_much():
    """The spread of ten recalls that are alike: the bootstrap alone takes it for real half of the time."""
    random = np.random.default_rng(0)
    chance = (random.binomial(100, 0.8, (2000, 10)) / 100).std(axis=1)
    lows = [statistics.from_nothing(value, 0.01, chance[:1000]) for value in chance[1000:]]
    assert 0.92 < np.mean(np.array(lows) == 0) < 0.98
    assert math.isnan(statistics.from_nothing(0.1, float("nan"), np.array([0.2])))
    assert statistics.from_nothing(0.1, 0.05, np.array([])) == 0.05


def test_the_bootstrap_of_a_mean_agrees_with_its_standard_error():
    values = np.random.default_rng(1).normal(size=400)
    low, high = statistics.bootstrap(
        lambda rows: float(values[rows].mean()), np.zeros(400, int), within=(-np.inf, np.inf), resamples=2000
    )
    half = 1.96 * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.1 * half)


def test_the_bootstrap_draws_within_strata():
    strata = np.repeat([3, 1], [5, 20])
    for rows in statistics.resampled(strata, 0, 50):
        assert (strata[rows] == strata).all()
    assert np.isnan(statistics.bootstrap(lambda rows: float(strata[rows].mean()), strata)).all()  # each draws 1.4


def test_the_bootstrap_is_seeded_and_needs_finite_values():
    values = np.arange(30.0)
    interval = [statistics.bootstrap(lambda rows: float(values[rows].mean()), np.zeros(30, int)) for _ in range(2)]
    assert interval[0] == interval[1]
    assert all(np.isnan(statistics.bootstrap(lambda rows: float("nan"), np.zeros(30, int))))


def test_an_interval_without_width_is_none():
    assert all(map(math.isnan, statistics.basic(1.0, np.ones(500), within=(0, 1))))
    assert all(map(math.isnan, statistics.bootstrap(lambda rows: float(len(rows)), np.zeros(1, int))))
    assert all(map(math.isnan, statistics.basic(1.0, np.array([1.0, 0.9] * 50), within=(0, 1))))  # 1 to 1.1, cut off


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
    assert [low, high] == pytest.approx(expected, abs=0.15 * (expected[1] - expected[0]))


@pytest.mark.parametrize(("p", "q"), [(0.1, 0.1), (0.05, 0.02), (0.3, 0.1), (0.02, 0.02)])
def test_a_one_sided_bound_of_paired_proportions_holds_95_times_in_a_hundred(p, q):
    """Exact: every table of n images by its multinomial probability."""
    n, held = 60, 0.0
    for b in range(n + 1):
        for c in range(n + 1 - b):
            likely = stats.multinomial.pmf([b, c, n - b - c], n, [p, q, 1 - p - q]) if b + c < 40 else 0.0
            if likely > 1e-9:
                held += likely * (paired_proportions(*outcomes(0, b, c, n - b - c), 0.05)[1] <= p - q)
    assert 0.935 <= held <= 0.99


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


def test_pairs_that_are_alike_differ_by_nothing():
    values = sample(50)
    assert paired_difference(values, values) == (0, 0, 0)
    assert mcnemar(values > 3, values > 3) == 1


def test_the_paired_difference_is_the_paired_t_interval_of_scipy():
    ours, theirs = sample(40), sample(40, 1)
    found = stats.ttest_rel(ours, theirs).confidence_interval(0.95)
    assert paired_difference(ours, theirs) == pytest.approx((np.mean(ours - theirs), found.low, found.high))
    one_sided = stats.ttest_rel(ours, theirs, alternative="greater").confidence_interval(0.95)
    assert paired_difference(ours, theirs, 0.05)[1] == pytest.approx(one_sided.low)


def test_a_one_sided_bound_of_a_paired_difference_holds_95_times_in_a_hundred():
    random = np.random.default_rng(0)
    theirs = random.normal(5, 3, (2000, 25))
    ours = theirs + random.normal(0.3, 1, (2000, 25))
    lows = [paired_difference(one, other, 0.05)[1] for one, other in zip(ours, theirs, strict=True)]
    assert np.mean(np.array(lows) <= 0.3) == pytest.approx(0.95, abs=0.015)


def test_one_pair_has_no_interval():
    value, low, high = paired_difference(np.array([2.0]), np.array([0.5]))
    assert value == 1.5 and math.isnan(low) and math.isnan(high)


def test_the_interval_of_a_median_whose_largest_values_are_censored():
    """That they lie beyond is all that is known of them, and all that an order statistic asks."""
    values = np.array([1.0, 2, 3, 4, 5, 6, 7, np.inf, np.inf, np.inf])
    assert statistics.order_statistics(values) == (2.0, np.inf)
    assert statistics.order_statistics(np.where(np.isinf(values), 9.0, values)) == (2.0, 9.0)
