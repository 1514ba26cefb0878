import math

import numpy as np
import pytest

from robust.core.statistics import clopper_pearson, order_statistics
from robust.metrics import distance
from robust.results.evaluation import EvaluationResult
from robust.suite.bounds import parse, state

CLASSES = ("a", "b", "c")
SIZES = np.array([0.0, 0.01, 0.02, 0.03, 0.04, 0.05, np.inf, np.inf], np.float32)


def values(sizes=SIZES, targets=None, points=4, limit=0.06, norm="l2", ids=None):
    n = len(sizes)
    result = EvaluationResult(
        CLASSES, np.arange(n).astype(str) if ids is None else ids, np.arange(n) % 3, np.zeros((n, 3)), targets=targets,
        distance=sizes, limit=limit, norm=norm,
    )  # fmt: skip
    return {(v.metric, v.subset): v for v in distance(result, points=points)}


def test_the_median_its_interval_and_the_quartiles():
    found = values()
    median = found["median_distance", ""]
    assert median.value == pytest.approx(0.035) and median.n == 8
    assert (median.ci_low, median.ci_high) == order_statistics(SIZES) and median.ci_method == "order statistics 95 %"
    assert median.ci_high == np.inf  # two of eight lie beyond: the upper end is not known
    assert found["distance_quartile", "lower"].value == pytest.approx(0.01)
    assert found["distance_quartile", "upper"].value == pytest.approx(0.05)
    assert found["distance_quartile", "upper"].ci_method.startswith("none: ")  # 8 are too few


def test_quartiles_have_intervals_of_order_statistics():
    sizes = np.linspace(0.01, 0.05, 40, dtype=np.float32)
    found = values(sizes)
    for name, share in (("lower", 0.25), ("upper", 0.75)):
        quartile = found["distance_quartile", name]
        assert (quartile.ci_low, quartile.ci_high) == order_statistics(sizes, share)
        assert quartile.ci_low < quartile.value < quartile.ci_high and quartile.ci_method == "order statistics 95 %"


def test_the_share_that_is_censored():
    censored = values()["censored", ""]
    assert censored.value == 0.25 and (censored.ci_low, censored.ci_high) == clopper_pearson(2, 8)


def test_where_most_are_censored_the_median_is_too():
    found = values(np.array([0.01, 0.02, np.inf, np.inf, np.inf], np.float32))
    assert found["median_distance", ""].value == np.inf and found["median_distance", ""].ci_method.startswith("none: ")
    assert found["distance_quartile", "upper"].value == np.inf
    half = values(np.array([0.01, 0.02, np.inf, np.inf], np.float32))
    assert np.isnan(half["median_distance", ""].value)  # between .02 and one that was not found


def test_the_accuracy_curve_counts_what_lies_farther():
    found = values()
    curve = {group: v.value for (metric, group), v in found.items() if metric == "top1_by_distance"}
    assert curve == {"0": 7 / 8, "0.015": 6 / 8, "0.03": 4 / 8, "0.045": 3 / 8, "0.06": 2 / 8}
    assert found["top1_by_distance", "0.03"].ci_low == clopper_pearson(4, 8)[0]


def test_the_curve_is_labelled_in_the_words_of_its_norm():
    found = values(limit=16 / 255, norm="linf", points=8)
    groups = [group for metric, group in found if metric == "top1_by_distance"]
    assert groups == ["0", *(f"{2 * i}/255" for i in range(1, 9))]


def test_a_distance_at_eps_is_within_it_whatever_its_rounding():
    found = values(np.float32([8 / 255, 8 / 255 * (1 + 1e-6)]), limit=16 / 255, norm="linf")
    assert found["top1_by_distance", "8/255"].value == 0


def test_with_targets_the_median_is_told_of_each_pair_and_there_is_no_accuracy():
    targets = (np.arange(8) % 3 + 1) % 3
    found = values(targets=targets)
    assert not any(metric == "top1_by_distance" for metric, _ in found)
    assert found["median_distance", "a -> b"].value == pytest.approx(0.03)
    assert found["median_distance", "a -> b"].n == 3 and found["median_distance", "c -> a"].n == 2
    assert {group for metric, group in found if metric == "median_distance"} == {"", "a -> b", "b -> c", "c -> a"}


def test_several_targets_of_one_image_are_not_so_many_images():
    targets = (np.arange(8) % 3 + 1) % 3
    ids = np.repeat(np.arange(4), 2).astype(str)
    found, apart = values(targets=targets, ids=ids), values(targets=targets)
    for of in (("median_distance", ""), ("censored", ""), ("distance_quartile", "lower")):
        assert found[of].value == apart[of].value and (found[of].n, apart[of].n) == (4, 8)
        assert found[of].ci_method.startswith("none: ") and np.isnan(found[of].ci_low) and np.isnan(found[of].ci_high)
    assert apart["median_distance", ""].ci_method and apart["censored", ""].ci_method
    assert found["median_distance", "a -> b"].n == 3


def test_where_nobody_looked_nothing_is_said():
    assert list(distance(EvaluationResult(CLASSES, np.array(["x"]), np.array([0]), np.zeros((1, 3))))) == []


def test_a_median_between_one_that_was_found_and_one_that_was_not_is_not_told():
    sizes = np.repeat([2 / 255, np.inf], 10).astype(np.float32)
    for found, value in ((sizes, math.nan), (sizes[1:], math.inf), (sizes[:-1], 2 / 255)):
        ids, labels = np.arange(len(found)).astype(str), np.zeros(len(found), int)
        result = EvaluationResult(
            ("a", "b"), ids, labels, np.eye(2)[labels], distance=found, limit=16 / 255, norm="linf"
        )
        median = next(distance(result))
        assert median.value == pytest.approx(value, nan_ok=True)
        row = {**median._asdict(), "eps": 16 / 255, "reliability": ""}
        states = [state({**row, "bound": parse(text)}) for text in (">= 12/255", "<= 12/255")]
        expected = (
            ["missed", "passed"] if value < 1 else ["passed", "missed"] if value == math.inf else ["undecided"] * 2
        )
        assert states == expected
