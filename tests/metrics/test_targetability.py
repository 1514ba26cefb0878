import numpy as np

from robust.core.statistics import clopper_pearson
from robust.metrics import targetability
from robust.results.evaluation import EvaluationResult

CLASSES = ("panda", "gibbon", "cat")


def values(labels, targets, predicted):
    n = len(labels)
    logits = np.eye(3)[np.array(predicted)]
    result = EvaluationResult(CLASSES, np.arange(n).astype(str), np.array(labels), logits, targets=np.array(targets))
    return {(v.metric, v.subset): v for v in targetability(result)}


def test_the_share_of_each_pair_with_its_interval():
    found = values([0, 0, 0, 0, 1, 1], [1, 1, 1, 2, 0, 0], [1, 1, 0, 0, 1, 2])
    assert {group: v.value for (metric, group), v in found.items() if metric == "sent"} == {
        "panda -> gibbon": 2 / 3, "panda -> cat": 0, "gibbon -> panda": 0,
    }  # fmt: skip
    sent = found["sent", "panda -> gibbon"]
    assert (sent.n, sent.ci_low, sent.ci_high, sent.unit) == (3, *clopper_pearson(2, 3), "proportion")


def test_the_largest_share_comes_first_and_has_no_interval():
    found = values([0, 1, 1], [1, 2, 2], [0, 2, 1])
    assert next(iter(found)) == ("most_sent", "") and found["most_sent", ""].value == 0.5
    assert found["most_sent", ""].n == 2 and np.isnan(found["most_sent", ""].ci_low)


def test_all_pairs_of_three_classes_are_six():
    labels, targets = np.repeat([0, 1, 2], 2), np.array([1, 2, 0, 2, 0, 1])
    assert len(values(labels, targets, targets)) == 7 and len(values(labels, targets, labels)) == 7


def test_without_targets_nothing_is_said():
    result = EvaluationResult(CLASSES, np.array(["x"]), np.array([0]), np.zeros((1, 3)))
    assert list(targetability(result)) == []
