import math
from dataclasses import replace

import numpy as np
import pytest

from robust import statistics
from robust.measures import accuracy
from robust.trial import Trial

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
TRIAL = Trial(CLASSES, np.array(list("vwxyz")), np.array([0, 4, 5, 5, 6]), LOGITS)


def _values(trial):
    return {value.metric: value for value in accuracy(trial)}


def test_shares_by_hand():
    values = _values(TRIAL)
    shares = {metric: value.value for metric, value in values.items() if value.unit == "proportion"}
    assert shares == pytest.approx({"top1": 2 / 5, "top5": 3 / 5, "top1_error": 3 / 5, "top5_error": 2 / 5})
    assert {value.n for value in values.values()} == {5} and {value.group for value in values.values()} == {""}


def test_each_share_has_an_exact_interval():
    for metric, count in {"top1": 2, "top5": 3, "top1_error": 3, "top5_error": 2}.items():
        value = _values(TRIAL)[metric]
        assert (value.low, value.high, value.interval) == (*statistics.clopper_pearson(count, 5), statistics.EXACT)


def test_nll_by_hand():
    value = _values(TRIAL)["nll"]
    by_hand = [math.log(sum(math.exp(z - row[y]) for z in row)) for row, y in zip(LOGITS, TRIAL.labels, strict=True)]
    assert value.value == pytest.approx(np.mean(by_hand))
    assert (value.unit, value.interval) == ("nats", statistics.BOUNDED)
    dearest = max(math.log(sum(math.exp(z - min(row)) for z in row)) for row in LOGITS)
    assert (value.low, value.high) == pytest.approx(statistics.bounded_mean(np.array(by_hand), 0, dearest))
    assert value.low < value.value < value.high


def test_a_target_is_reached_or_not():
    aimed = replace(TRIAL, targets=np.array([1, 0, 0, 1, 0]))
    value = _values(aimed)["target_reached"]
    assert (value.value, value.n) == (2 / 5, 5)  # the equal logits of the fourth go to the first class
    assert "target_reached" not in _values(TRIAL)


def test_with_five_classes_or_fewer_there_is_no_top_five():
    trial = Trial(("a", "b"), np.array(["x", "y"]), np.array([0, 1]), np.array([[0.0, 1], [1, 0]]))
    values = _values(trial)
    assert values["top1"].value == 0 and not {"top5", "top5_error"} & set(values)


def test_how_many_of_the_fallen_survive_rounding():
    by = np.array(["pgd", "", "clean", "pgd", "pgd"], object)
    attacked = replace(TRIAL, by=by, rounded=np.array([True, False, False, False, True]))
    value = _values(attacked)["survives_8bit"]
    assert (value.value, value.n) == (2 / 3, 3)
    assert "survives_8bit" not in _values(replace(attacked, by=np.array(["", "", "clean", "", ""], object)))
    assert "survives_8bit" not in _values(replace(TRIAL, by=by))
