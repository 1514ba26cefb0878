"""Situations of `measure_coverage.py` for whole metrics and summaries, on sampled images."""

from collections.abc import Iterator
from functools import cache, partial

import numpy as np
import pandas as pd
from coverage_kinds import CLASSES, Held, Kind, result

from robust.metrics.clusters import clusters
from robust.metrics.confusion import confusion
from robust.metrics.hierarchy import hierarchy
from robust.results.evaluation import EvaluationResult, Predictions, Value
from robust.results.summaries.corruption_error import own_errors

TREE = {"a-e": {"ab": ["a", "b"], "c-e": {"cd": ["c", "d"], "e": ["e"]}}, "f-j": ["f", "g", "h", "i", "j"]}


def kinds() -> Iterator[Kind]:
    """All situations of this file."""
    for name, recalls in {"all equal": [0.8] * 10, "near 1": [0.99] * 10, "from 0 to 1": np.linspace(0, 1, 10)}.items():
        yield Kind(f"recalls {name}", partial(_recalls, np.array(recalls)))
    for near in (0.02, 0.5, 0.98):
        yield Kind(f"mistakes, {near:g} of them near", partial(_mistakes, near))
    for name, recalls in {"all equal": [0.8] * 9, "from 0.1 to 1": np.linspace(0.1, 1, 9)}.items():
        yield Kind(f"recalls of clusters {name}", partial(_clusters, np.array(recalls)))
    for share, tied in ((0.3, 0.0), (0.01, 0.95), (0.3, 0.95), (0.97, 0.95)):
        how = "mostly alike at all strengths" if tied else "each strength independently"
        yield Kind(f"share {share:g}, {how}", partial(_corrupted, share, tied))


def _recalls(recalls: np.ndarray, random: np.random.Generator, n: int) -> Iterator[Held]:
    labels = np.arange(n) % CLASSES
    predicted = np.where(random.random(n) < recalls[labels], labels, (labels + 1) % CLASSES)
    values = list(confusion(result(np.eye(CLASSES)[predicted], labels)))
    true = {"worst_class": recalls.min(), "worst_pair": 1 - recalls.min(), "recall_std": recalls.std()}
    yield from (Held(v.metric, v.ci_low, float(true[v.metric]), v.ci_high) for v in values if v.metric in true)
    pairs = [_pair(v, recalls) for v in values if v.metric == "confused"]
    if pairs:  # simultaneous intervals: the worst covered one is counted
        yield min(pairs, key=lambda one: min(one.high - one.true, one.true - one.low))


def _pair(value: Value, recalls: np.ndarray) -> Held:
    label, taken_for = ("abcdefghij".index(name) for name in value.subset.split(" -> "))
    true = 1 - recalls[label] if taken_for == (label + 1) % CLASSES else 0.0
    return Held("confused", value.ci_low, float(true), value.ci_high)


def _predicted(near: float, random: np.random.Generator, n: int) -> EvaluationResult:
    """Three of ten images are misclassified: as the adjacent class, or as any other."""
    labels, far = random.integers(CLASSES, size=n), random.integers(1, CLASSES, size=n)
    wrong = (labels + np.where(random.random(n) < near, 1, far)) % CLASSES
    return result(np.eye(CLASSES)[np.where(random.random(n) < 0.3, wrong, labels)], labels)


def _mistakes(near: float, random: np.random.Generator, n: int) -> Iterator[Held]:
    found = next(v for v in hierarchy(_predicted(near, random, n), tree=TREE) if v.metric == "mistake_severity")
    if found.n:
        yield Held("mistake_severity", found.ci_low, _severity(near), found.ci_high)


@cache
def _severity(near: float) -> float:
    many = _predicted(near, np.random.default_rng(1), 400_000)
    return next(v.value for v in hierarchy(many, tree=TREE) if v.metric == "mistake_severity")


def _clusters(recalls: np.ndarray, random: np.random.Generator, n: int) -> Iterator[Held]:
    """Three classes of three well separated clusters, with as many images in each."""
    place = np.arange(n) % 9
    features, labels = 10.0 * np.eye(9)[place] + random.normal(0, 0.1, (n, 9)), place // 3
    predicted = np.where(random.random(n) < recalls[place], labels, (labels + 1) % 3)
    train = Predictions(np.repeat(np.arange(3), 6), np.zeros((18, 3)), 10.0 * np.eye(9)[np.repeat(np.arange(9), 2)])
    ids = np.arange(n).astype(str)
    own = EvaluationResult(
        tuple("abc"),
        ids,
        labels,
        np.eye(3)[predicted],
        get_features=lambda: features + 0.0,
        get_predictions=lambda _: _spread_out(train),
    )
    found = next(v for v in clusters(own, smallest=min(10, n // 9)) if v.metric == "worst_cluster")
    yield Held("worst_cluster", found.ci_low, float(recalls.min()), found.ci_high)


def _spread_out(train: Predictions) -> Predictions:
    """With a little noise, so that k-means finds two different images of each cluster."""
    return train._replace(features=train.features + 0.01 * np.random.default_rng(0).normal(size=train.features.shape))


def _corrupted(share: float, tied: float, random: np.random.Generator, n: int) -> Iterator[Held]:
    """Three corruptions at two severities; a share `tied` of the images is wrong at all strengths or at none."""
    alike = random.random((n, 1)) < tied
    wrong = np.where(alike, random.random((n, 1)) < share, random.random((n, 6)) < share)
    strengths = [(name, severity) for name in ("fog", "snow", "frost") for severity in (1, 5)]
    columns = {
        "example": np.repeat(np.arange(n), 6),
        "perturbation": [name for name, _ in strengths] * n,
        "severity": [severity for _, severity in strengths] * n,
        "label": "cat",
        "predicted": np.where(wrong.ravel(), "dog", "cat"),
    }
    for row in own_errors(pd.DataFrame(columns)):
        yield Held(row["metric"], row["ci_low"], share, row["ci_high"])
