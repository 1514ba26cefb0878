import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from robust.statistics import bootstrap_mean, order_statistics, wilson

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
