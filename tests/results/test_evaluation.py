import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import log_softmax

from robust.core import statistics
from robust.results import tables
from robust.results.evaluation import BLOCK, EvaluationResult, proportion

quick = settings(deadline=None, derandomize=True, max_examples=60)
whole = st.integers(-3, 3).map(float)  # so that there are ties


@st.composite
def results(draw, elements=whole):
    n, classes = draw(st.integers(1, 6)), draw(st.integers(2, 7))
    logits = draw(arrays(np.float32, (n, classes), elements=elements))
    labels = draw(arrays(np.int64, n, elements=st.integers(0, classes - 1)))
    return EvaluationResult(tuple(map(str, range(classes))), np.array([str(i) for i in range(n)]), labels, logits)


@quick
@given(results())
def test_predicted_is_the_first_of_the_largest(result):
    assert result.predicted.tolist() == [row.index(max(row)) for row in result.logits.tolist()]


@quick
@given(results(), st.integers(1, 8))
def test_in_top_k_counts_the_first_of_equals_first(result, k):
    def by_hand(row, label):
        return label in sorted(range(len(row)), key=lambda c: (-row[c], c))[:k]

    expected = [by_hand(r, y) for r, y in zip(result.logits.tolist(), result.labels.tolist(), strict=True)]
    assert result.in_top(k).tolist() == expected


@quick
@given(results())
def test_top_one_is_being_right(result):
    assert np.array_equal(result.in_top(1), result.predicted == result.labels)


@quick
@given(results())
def test_the_margin_is_the_label_against_the_best_other(result):
    for row, label, margin in zip(result.logits.tolist(), result.labels.tolist(), result.margin.tolist(), strict=True):
        assert margin == row[label] - max(v for c, v in enumerate(row) if c != label)
    right = result.predicted == result.labels
    assert (result.margin[right] >= 0).all() and (result.margin[~right] <= 0).all()


@quick
@given(results(st.floats(-80, 80, width=32)))
def test_nll_is_minus_the_log_of_the_probability(result):
    for row, label, nll in zip(result.logits.tolist(), result.labels.tolist(), result.nll.tolist(), strict=True):
        assert nll == pytest.approx(math.log(sum(math.exp(v - row[label]) for v in row)), rel=1e-9, abs=1e-12)


def test_nll_stays_finite_where_probabilities_vanish():
    result = EvaluationResult(("a", "b"), np.array(["x"]), np.array([1]), np.array([[1e4, -1e4]], np.float32))
    assert result.nll.tolist() == [20000.0]


def test_measuring_does_not_change_the_logits():
    logits = np.array([[1.0, 2.0]])
    result = EvaluationResult(("a", "b"), np.array(["x"]), np.array([0]), logits)
    assert (result.margin.tolist(), result.in_top(1).tolist(), logits.tolist()) == ([-1.0], [False], [[1.0, 2.0]])


CLASSES, SUPER = ("cat", "dog", "car"), {"animal": ("cat", "dog")}
CLEAN = EvaluationResult(CLASSES, np.array(["x", "y"]), np.array([0, 2]), np.array([[2.0, 1, 0], [0, 0, 1]]), SUPER)


def test_outcomes_of_a_clean_trial():
    table = CLEAN.outcomes(model="m", seed=3, case="clean")
    assert list(table.columns) == list(tables.OUTCOMES)
    first, second = table.to_dict("records")
    assert (first["model"], first["seed"], first["case"], first["example"]) == ("m", 3, "clean", "x")
    assert (first["label"], first["superclass"], first["predicted"]) == ("cat", "animal", "cat")
    assert (second["label"], second["superclass"], second["predicted"]) == ("car", "", "car")
    assert first["in_top5"] and first["margin"] == 1.0
    assert first["confidence"] == pytest.approx(math.e**2 / (math.e**2 + math.e + 1))
    assert first["nll"] == pytest.approx(-math.log(first["confidence"]))
    for column, value in {"target": "", "success_by": "", "linf": 0, "l2": 0, "n_forward": 0, "n_backward": 0}.items():
        assert first[column] == second[column] == value


def test_outcomes_of_an_attack():
    attacked = EvaluationResult(
        CLASSES, CLEAN.ids, CLEAN.labels, np.array([[0.0, 1, 0], [0, 0, 1]]), SUPER,
        targets=np.array([1, 0]), clean=CLEAN, by=np.array(["pgd", ""], object),
        linf=np.array([0.1, 0.2]), l2=np.array([0.3, 0.4]), n_forward=np.array([5, 21]), n_backward=np.array([5, 20]),
    )  # fmt: skip
    table = attacked.outcomes(model="m", seed=0, case="pgd", eps=0.2)
    assert table["target"].tolist() == ["dog", "cat"]
    assert table["predicted"].tolist() == ["dog", "car"]
    assert table["success_by"].tolist() == ["pgd", ""]
    for column, values in {"linf": [0.1, 0.2], "l2": [0.3, 0.4], "n_forward": [5, 21], "n_backward": [5, 20]}.items():
        assert table[column].tolist() == pytest.approx(values)
    assert table["eps"].tolist() == [0.2, 0.2]
    assert attacked.clean.predicted.tolist() == [0, 2]


def test_a_proportion_carries_an_exact_interval():
    value = proportion("top1", np.array([True] * 7 + [False] * 3), "cat")
    assert (value.metric, value.subset, value.value, value.n, value.unit) == ("top1", "cat", 0.7, 10, "proportion")
    assert (value.ci_low, value.ci_high) == statistics.clopper_pearson(7, 10)
    assert value.ci_method == "exact 95 %"


def test_a_proportion_of_nothing_is_not_a_number():
    value = proportion("recall", np.zeros(0, bool))
    assert math.isnan(value.value) and value.n == 0 and math.isnan(value.ci_low) and value.ci_method == ""


def test_more_rows_than_a_block_are_those_of_the_whole_array():
    random, n = np.random.default_rng(0), BLOCK + 3
    logits = random.integers(-3, 4, (n, 7)).astype(np.float32)  # many equal ones
    labels = random.integers(0, 7, n)
    result = EvaluationResult(tuple("abcdefg"), np.arange(n).astype(str), labels, logits)
    rank = np.array([np.argsort(-row, kind="stable").tolist().index(i) for row, i in zip(logits, labels, strict=True)])
    others = [np.delete(row, i).max() for row, i in zip(logits, labels, strict=True)]
    np.testing.assert_array_equal(result.in_top(3), rank < 3)
    np.testing.assert_array_equal(result.margin, logits[np.arange(n), labels] - others)
    np.testing.assert_array_equal(result.log_probabilities, log_softmax(logits.astype(np.float64), axis=1))
