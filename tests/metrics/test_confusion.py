import math

import numpy as np
import pandas as pd
import pytest

from robust.core import statistics
from robust.metrics import confusion
from robust.metrics.confusion import spread
from robust.results.evaluation import EvaluationResult

CLASSES = ("cat", "dog", "car", "ship")
#         cat -> dog twice, cat -> car once, dog -> cat twice, car right; no ship, and never predicted
LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 2])
PREDICTED = np.array([0, 1, 1, 2, 0, 0, 1, 2])


def _result(labels=LABELS, predicted=PREDICTED, classes=CLASSES):
    return EvaluationResult(
        classes, np.array([str(i) for i in range(len(labels))]), labels, np.eye(len(classes))[predicted]
    )


def _values(result, **arguments):
    return {(value.metric, value.subset): value for value in confusion(result, **arguments)}


def test_recall_and_precision_by_hand():
    values = _values(_result())
    expected = {
        ("recall", "cat"): (1, 4), ("recall", "dog"): (1, 3), ("recall", "car"): (1, 1),
        ("precision", "cat"): (1, 3), ("precision", "dog"): (1, 3), ("precision", "car"): (1, 2),
    }  # fmt: skip
    for key, (right, n) in expected.items():
        value = values[key]
        assert (value.value, value.n) == (pytest.approx(right / n), n)
        assert (value.ci_low, value.ci_high) == statistics.clopper_pearson(right, n)


def test_a_class_without_images_or_never_predicted_has_no_number():
    values = _values(_result())
    for metric in ("recall", "precision"):
        assert math.isnan(values[metric, "ship"].value) and values[metric, "ship"].n == 0


def test_the_most_confused_pairs_come_first():
    pairs = [(v.subset, v.value, v.n) for v in confusion(_result()) if v.metric == "confused"]
    assert pairs == [
        ("cat -> dog", 2 / 4, 4),
        ("dog -> cat", pytest.approx(2 / 3), 3),
        ("cat -> car", 1 / 4, 4),
        ("car -> cat", 0, 1),
    ]


def test_so_many_pairs_as_are_asked_for_each_in_both_directions():
    for pairs in (1, 2, 3, 9):
        told = [v.subset for v in confusion(_result(), pairs=pairs) if v.metric == "confused"]
        assert told == ["cat -> dog", "dog -> cat", "cat -> car", "car -> cat"][: 2 * pairs]


def test_a_perfect_model_confuses_nothing():
    values = _values(_result(predicted=LABELS))
    assert not [group for metric, group in values if metric == "confused"]
    assert (
        {values["recall", c].value for c in CLASSES[:3]} == {values["precision", c].value for c in CLASSES[:3]} == {1}
    )


def test_the_matrix_of_the_outcomes_says_the_same():
    outcomes = _result().outcomes(model="m", seed=0, case="clean")
    matrix = pd.crosstab(outcomes["label"], outcomes["predicted"])
    assert matrix.loc["cat", "dog"] == 2 and matrix.loc["dog", "cat"] == 2 and matrix.to_numpy().sum() == 8
    values = _values(_result())
    for name in ("cat", "dog", "car"):
        assert values["recall", name].value == pytest.approx(matrix.loc[name, name] / matrix.loc[name].sum())
        assert values["precision", name].value == pytest.approx(matrix.loc[name, name] / matrix[name].sum())


def test_the_worst_class_and_pair_by_hand():
    values = _values(_result())
    worst = values["worst_class", ""]
    assert (worst.value, worst.n) == (1 / 4, 4)  # cat; dog has 1 of 3, car 1 of 1, and ship no images
    low, high = statistics.simultaneous(np.array([1, 1, 1]), np.array([4, 3, 1]))
    assert (worst.ci_low, worst.ci_high) == (low.min(), high.min()) and worst.ci_method == "exact 95 %, simultaneous"
    worst = values["worst_pair", ""]
    assert (worst.value, worst.n) == (pytest.approx(2 / 3), 3)  # dog -> cat
    every = [[2, 4], [1, 4], [0, 4], [2, 3], [0, 3], [0, 3], [0, 1], [0, 1], [0, 1]]  # all pairs of classes with images
    low, high = statistics.simultaneous(*np.array(every).T)
    assert (worst.ci_low, worst.ci_high) == pytest.approx((low.max(), high.max()))


def test_the_spread_and_the_entropy_by_hand():
    values = _values(_result())
    assert values["recall_std", ""].value == pytest.approx(np.std([1 / 4, 1 / 3, 1]))
    shares = np.array([1, 2, 1]) / 4
    assert values["prediction_entropy", "cat"].value == pytest.approx(-(shares * np.log(shares)).sum())
    assert values["prediction_entropy", "car"].value == 0
    assert values["prediction_entropy", "ship"].n == 0


def test_an_entropy_has_no_interval_and_says_why():
    for name in ("cat", "car"):  # of several answers, of equal ones
        value = _values(_result())["prediction_entropy", name]
        assert math.isnan(value.ci_low) and math.isnan(value.ci_high) and value.ci_method.startswith("none: ")


def test_the_spread_of_recalls_that_may_be_alike_begins_at_0_and_of_others_not():
    labels = np.repeat(np.arange(4), 200)
    alike = _values(_result(labels, np.where(np.arange(800) % 10 < 8, labels, (labels + 1) % 4)))["recall_std", ""]
    apart = _values(_result(labels, np.where(labels < 2, labels, 0)))["recall_std", ""]
    assert alike.ci_low == 0 <= alike.value < alike.ci_high
    assert apart.value == apart.ci_high == 0.5 and 0.4 < apart.ci_low < 0.5  # no four recalls lie further apart


def test_the_half_width_of_a_spread_is_that_of_the_errors_of_the_recalls():
    """Of many classes and images it is the root of the mean variance of a recall."""
    labels = np.repeat(np.arange(50), 100)
    predicted = np.where(np.arange(5000) % 100 < 20, (labels + 1) % 50, labels)
    value = _values(_result(labels, predicted, tuple(f"c{i}" for i in range(50))))["recall_std", ""]
    near = (80 + 0.5) / 101
    assert value.value == pytest.approx(0, abs=1e-12)
    assert value.ci_high == pytest.approx(np.sqrt(near * (1 - near) / 100), rel=0.25) and value.ci_low == 0


@pytest.mark.parametrize(("classes", "each"), [(300, 1), (100, 2), (20, 5)])
def test_few_images_of_many_classes_do_not_make_equal_recalls_differ(classes, each):
    """Each class is right on half of its images: of 20 samples at most two may call the recalls unlike."""
    labels, random = np.repeat(np.arange(classes), each), np.random.default_rng(0)
    lows = np.array([spread(labels, random.random(len(labels)) < 0.5).ci_low for _ in range(20)])
    assert (lows > 1e-12).sum() <= 2


def test_the_worst_pair_is_told_though_others_have_more_errors():
    labels, predicted = np.repeat([0, 1, 2], [20, 20, 2]), np.repeat([1, 0, 0, 1, 3], [9, 11, 9, 11, 2])
    found = list(confusion(_result(labels, predicted), pairs=1))
    told = {v.subset: (v.value, v.n) for v in found if v.metric == "confused"}
    assert list(told) == ["cat -> dog", "dog -> cat", "car -> ship"]
    worst = next(v for v in found if v.metric == "worst_pair")
    assert told["car -> ship"] == (worst.value, worst.n) == (1, 2)


@pytest.mark.slow
def test_a_thousand_classes_give_no_million_values():
    random = np.random.default_rng(0)
    labels, predicted = random.integers(0, 1000, (2, 4000))
    classes = tuple(f"c{i}" for i in range(1000))
    logits = np.zeros((4000, 1000), np.float32)
    logits[np.arange(4000), predicted] = 1
    found = list(confusion(EvaluationResult(classes, labels.astype(str), labels, logits)))
    assert len(found) == 3 * 1000 + 2 * 5 + 1 + 3
    pairs = np.unique(labels * 1000 + predicted, return_counts=True)
    of = np.bincount(labels)[pairs[0] // 1000]
    wrong = pairs[0] // 1000 != pairs[0] % 1000
    assert {v.metric: v for v in found}["worst_pair"].value == pytest.approx((pairs[1] / of)[wrong].max())


def test_the_most_confused_pair_of_many_that_are_alike_is_covered_though_it_was_chosen():
    random, covered, samples = np.random.default_rng(0), 0, 60
    for _ in range(samples):
        labels = np.repeat(np.arange(10), 30)
        taken = (labels + random.integers(1, 10, 300)) % 10  # all errors alike: each pair has a share of .2 / 9
        told = _values(_result(labels, np.where(random.random(300) < 0.2, taken, labels), [*"abcdefghij"]), pairs=1)
        first = next(value for (metric, _), value in told.items() if metric == "confused")
        covered += first.ci_low <= 0.2 / 9 <= first.ci_high
    assert covered >= 0.93 * samples


def test_the_recall_of_one_class_alone_has_no_spread():
    """Not 0, surely: that would claim what one class cannot tell."""
    spread = next(v for v in confusion(_result(np.zeros(9, int), np.arange(9) % 2)) if v.metric == "recall_std")
    assert np.isnan(spread.value) and spread.n == 0 and spread.ci_method.startswith("none: ")
