import math

import numpy as np
import pandas as pd
import pytest

from robust import statistics
from robust.measures import confusion
from robust.trial import Trial

CLASSES = ("cat", "dog", "car", "ship")
#         cat -> dog twice, cat -> car once, dog -> cat twice, car right; no ship, and never predicted
LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 2])
PREDICTED = np.array([0, 1, 1, 2, 0, 0, 1, 2])


def _trial(labels=LABELS, predicted=PREDICTED, classes=CLASSES):
    return Trial(classes, np.array([str(i) for i in range(len(labels))]), labels, np.eye(len(classes))[predicted])


def _values(trial, **arguments):
    return {(value.metric, value.group): value for value in confusion(trial, **arguments)}


def test_recall_and_precision_by_hand():
    values = _values(_trial())
    expected = {
        ("recall", "cat"): (1, 4), ("recall", "dog"): (1, 3), ("recall", "car"): (1, 1),
        ("precision", "cat"): (1, 3), ("precision", "dog"): (1, 3), ("precision", "car"): (1, 2),
    }  # fmt: skip
    for key, (right, n) in expected.items():
        value = values[key]
        assert (value.value, value.n) == (pytest.approx(right / n), n)
        assert (value.low, value.high) == statistics.wilson(right, n)


def test_a_class_without_images_or_never_predicted_has_no_number():
    values = _values(_trial())
    for metric in ("recall", "precision"):
        assert math.isnan(values[metric, "ship"].value) and values[metric, "ship"].n == 0


def test_the_most_confused_pairs_come_first():
    pairs = [(v.group, v.value, v.n) for v in confusion(_trial()) if v.metric == "confused"]
    assert pairs == [
        ("cat -> dog", 2 / 4, 4),
        ("dog -> cat", pytest.approx(2 / 3), 3),
        ("cat -> car", 1 / 4, 4),
    ]


def test_so_many_pairs_as_are_asked_for():
    for pairs in (1, 2, 3, 9):
        told = [v.group for v in confusion(_trial(), pairs=pairs) if v.metric == "confused"]
        assert told == ["cat -> dog", "dog -> cat", "cat -> car"][:pairs]


def test_a_perfect_model_confuses_nothing():
    values = _values(_trial(predicted=LABELS))
    assert not [group for metric, group in values if metric == "confused"]
    assert (
        {values["recall", c].value for c in CLASSES[:3]} == {values["precision", c].value for c in CLASSES[:3]} == {1}
    )


def test_the_matrix_of_the_outcomes_says_the_same():
    outcomes = _trial().outcomes(model="m", seed=0, case="clean")
    matrix = pd.crosstab(outcomes["label"], outcomes["predicted"])
    assert matrix.loc["cat", "dog"] == 2 and matrix.loc["dog", "cat"] == 2 and matrix.to_numpy().sum() == 8
    values = _values(_trial())
    for name in ("cat", "dog", "car"):
        assert values["recall", name].value == pytest.approx(matrix.loc[name, name] / matrix.loc[name].sum())
        assert values["precision", name].value == pytest.approx(matrix.loc[name, name] / matrix[name].sum())
