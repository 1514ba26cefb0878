import math
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from robust import metrics
from robust.core import statistics
from robust.metrics import accuracy
from robust.models.classifier.black_box import BlackBox
from robust.results.evaluation import SEVERAL, EvaluationResult, with_valid_intervals

CLASSES = tuple("abcdefg")
LOGITS = np.array(
    [
        [9, 8, 7, 6, 5, 4, 3],
        [9, 8, 7, 6, 5, 4, 3],
        [9, 8, 7, 6, 5, 4, 3],
        [0, 0, 0, 0, 0, 0, 0],
        [1, 2, 3, 4, 5, 6, 7],
    ],
    float,
)
RESULT = EvaluationResult(CLASSES, np.array(list("vwxyz")), np.array([0, 4, 5, 5, 6]), LOGITS)


def _values(result):
    return {value.metric: value for value in accuracy(result)}


def test_shares_by_hand():
    values = _values(RESULT)
    shares = {metric: value.value for metric, value in values.items() if value.unit == "proportion"}
    assert shares == pytest.approx({"top1": 2 / 5, "top5": 3 / 5, "top1_error": 3 / 5, "top5_error": 2 / 5})
    assert {value.n for value in values.values()} == {5} and {value.subset for value in values.values()} == {""}


def test_each_share_has_an_exact_interval():
    for metric, count in {"top1": 2, "top5": 3, "top1_error": 3, "top5_error": 2}.items():
        value = _values(RESULT)[metric]
        assert (value.ci_low, value.ci_high, value.ci_method) == (
            *statistics.clopper_pearson(count, 5),
            statistics.EXACT,
        )


def test_nll_by_hand():
    value = _values(RESULT)["nll"]
    by_hand = [math.log(sum(math.exp(z - row[y]) for z in row)) for row, y in zip(LOGITS, RESULT.labels, strict=True)]
    assert value.value == pytest.approx(np.mean(by_hand))
    assert (value.unit, value.ci_method) == ("nats", statistics.OF_PREDICTIONS)
    dearest = max(math.log(sum(math.exp(z - min(row)) for z in row)) for row in LOGITS)
    assert (value.ci_low, value.ci_high) == pytest.approx(statistics.bounded_mean(np.array(by_hand), 0, dearest))
    assert value.ci_low < value.value < value.ci_high


def test_a_label_of_probability_0_has_an_infinite_nll_and_what_may_have_one_no_high_end():
    certain = BlackBox(lambda x: np.array([[1.0, 0], [0.25, 0.75]])[x[:, 0, 0, 0].astype(int)], "certain")
    logits = certain(tf.constant([0.0, 1], shape=(2, 1, 1, 1))).numpy()
    results = [
        EvaluationResult(("a", "b"), np.array(["x", "y"]), np.array(labels), logits) for labels in ([0, 1], [1, 1])
    ]
    assert all(np.isfinite(result.margin).all() for result in results)
    may, has = (_values(result)["nll"] for result in results)
    assert may.value == pytest.approx(math.log(4 / 3) / 2) and 0 <= may.ci_low < may.value and may.ci_high == math.inf
    assert has.value == math.inf and math.isnan(has.ci_low) and math.isnan(has.ci_high) and "0" in has.ci_method


def test_a_target_is_reached_or_not():
    aimed = replace(RESULT, targets=np.array([1, 0, 0, 1, 0]))
    value = _values(aimed)["targeted_success_rate"]
    assert (value.value, value.n) == (2 / 5, 5)  # the equal logits of the fourth go to the first class
    assert "targeted_success_rate" not in _values(RESULT)


def test_with_five_classes_or_fewer_there_is_no_top_five():
    result = EvaluationResult(("a", "b"), np.array(["x", "y"]), np.array([0, 1]), np.array([[0.0, 1], [1, 0]]))
    values = _values(result)
    assert values["top1"].value == 0 and not {"top5", "top5_error"} & set(values)


def test_how_many_of_the_fallen_survive_rounding():
    by = np.array(["pgd", "", "clean", "pgd", "pgd"], object)
    attacked = replace(RESULT, by=by, rounded=np.array([True, False, False, False, True]))
    value = _values(attacked)["success_after_8bit"]
    assert (value.value, value.n) == (2 / 3, 3)
    assert "success_after_8bit" not in _values(replace(attacked, by=np.array(["", "", "clean", "", ""], object)))
    assert "success_after_8bit" not in _values(replace(RESULT, by=by))


def _sent(each, images=20):
    """Images of which each is sent to `each` other classes, and falls to all of them or to none."""
    labels, ids = np.zeros(images, int), np.arange(images).astype(str)
    fell = np.arange(images) % 4 == 0
    rows, aims = np.repeat(np.arange(images), each), np.tile(np.arange(1, each + 1), images)
    logits = np.zeros((len(rows), len(CLASSES)))
    logits[np.arange(len(rows)), np.where(fell[rows], aims, 0)] = 5
    by, rounded = np.where(fell[rows], "pgd", ""), fell[rows]
    return EvaluationResult(CLASSES, ids[rows], labels[rows], logits, targets=aims, by=by, rounded=rounded)


def test_an_image_that_is_sent_to_several_targets_is_one_image():
    once, often = _values(_sent(1)), _values(_sent(6))
    for metric in ("top1", "top1_error", "top5", "top5_error", "nll", "targeted_success_rate"):
        one, other = once[metric], often[metric]
        assert (one.value, one.n) == pytest.approx((other.value, other.n)), metric
        assert (one.ci_low, one.ci_high) == pytest.approx((other.ci_low, other.ci_high), abs=0.005), metric
    assert math.isnan(often["success_after_8bit"].ci_low) and often["success_after_8bit"].ci_method == SEVERAL


@pytest.mark.parametrize("name", ["confusion", "calibration", "hierarchy"])
def test_other_measures_have_no_intervals_where_images_stand_in_several_rows(name):
    measure, groups = getattr(metrics, name), {"ci_low": ("a", "b", "c"), "ci_high": ("d", "e", "f", "g")}
    once, often = (replace(_sent(each), superclasses=groups) for each in (1, 6))
    given = [value for value in measure(once) if value.n]
    assert list(with_valid_intervals(name, given, once)) == given
    found = list(with_valid_intervals(name, measure(often), often))
    assert all(math.isnan(value.ci_low) and math.isnan(value.ci_high) and value.ci_method == SEVERAL for value in found)
