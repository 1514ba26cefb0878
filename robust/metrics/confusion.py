"""Which classes the model confuses with which."""

from collections.abc import Iterator

import numpy as np

from robust.core import statistics
from robust.core.declared import metric
from robust.core.types import Count
from robust.metrics.extremes import SELECTED, largest, least
from robust.results.evaluation import EvaluationResult, Value, proportion

UNSEEN = "none: classes that were not predicted in this sample would add to it by an unknown amount"
SPREAD = "triangle inequality 95 %"
ALONE = "none: the recalls of fewer than two classes have no spread"
DRAWS = 2000  # of the recalls of all classes


@metric(
    names=("worst_class", "worst_pair", "recall_std"),
    per_class=("recall", "precision", "prediction_entropy"),
    per_pair=("confused",),
    shares=("worst_class", "worst_pair", "recall", "precision", "confused"),
    paired={"recall": "higher"},
    table="structure",
    headings={"worst_class": "worst class", "worst_pair": "worst pair", "recall_std": "spread of recalls"},
    spread=("worst_class", "worst_pair", "recall_std"),
    extreme_of={"worst_class": "recall", "worst_pair": "confused"},
    perfect={
        "worst_class": 1.0,
        "worst_pair": 0.0,
        "recall_std": 0.0,
        "recall": 1.0,
        "precision": 1.0,
        "prediction_entropy": 0.0,
    },
)
def confusion(result: EvaluationResult, *, pairs: Count = 5) -> Iterator[Value]:
    """Recall, precision and entropy of the predictions of each class, the most confused pairs, and the worst of all.

    Args:
        result: what the model predicted.
        pairs: how many of the most confused pairs of classes to report, most errors first, each in both
            directions: "Shirt -> Coat" is the share of the images of the first that are classified as the second. The
            pair of `worst_pair` is reported as well.

    `prediction_entropy` is that of the predicted classes of the images of one class, in nats: 0 where all are the same.
    `worst_class` is the least recall, `worst_pair` the largest share of a class that is classified as one other;
    since they are selected, their intervals hold for all classes, or all pairs, at once; so do those of the pairs
    that are reported, as the most confused of all. `recall_std` is the standard deviation of the recalls of the
    classes, NaN where only one has images. An entropy has no interval: what classes that were not predicted in this
    sample would add to it is not known.

    A class without images has no recall, and one that is never predicted no precision: NaN, with n = 0.
    The matrix itself is in outcomes.parquet: `pandas.crosstab(outcomes.label, outcomes.predicted)`.

    >>> result = EvaluationResult(
    ...     ("cat", "dog"), np.array(["a", "b"]), np.array([1, 0]), np.array([[0.0, 1.0], [0.0, 1.0]])
    ... )
    >>> [(v.subset, v.value) for v in confusion(result) if v.metric == "confused"]
    [('cat -> dog', 1.0), ('dog -> cat', 0.0)]
    """
    labels, predicted, classes = result.labels, result.predicted, result.classes
    for label, name in enumerate(classes):
        yield proportion("recall", predicted[labels == label] == label, name)
        yield proportion("precision", labels[predicted == label] == label, name)
        yield entropy(predicted[labels == label], name)
    n = np.bincount(labels, minlength=len(classes))
    kinds, times = np.unique(np.stack([labels, predicted], axis=1), axis=0, return_counts=True)
    wrong = kinds[:, 0] != kinds[:, 1]
    for true, predicted_as in _reported(kinds[wrong], times[wrong], n, pairs):
        hits = predicted[labels == true] == predicted_as
        yield chosen(f"{classes[true]} -> {classes[predicted_as]}", hits, int((n > 0).sum()) * (len(n) - 1))
    yield least("worst_class", np.bincount(labels[predicted == labels], minlength=len(classes))[n > 0], n[n > 0])
    yield worst_pair(kinds[wrong, 0], times[wrong], n)
    yield spread(labels, predicted == labels)


def entropy(predicted: np.ndarray, name: str) -> Value:
    """From the counts of the predicted classes. Too low for few images; by how much depends on the unseen classes."""
    from scipy.special import entr  # thirty times faster than scipy.stats.entropy, for each of a thousand classes

    if not len(predicted):
        return Value("prediction_entropy", float("nan"), 0, name, "nats")
    share = np.unique(predicted, return_counts=True)[1] / len(predicted)
    value = float(entr(share).sum())
    return Value("prediction_entropy", value, len(predicted), name, "nats", ci_method=UNSEEN)


def _reported(kinds: np.ndarray, times: np.ndarray, n: np.ndarray, most: int) -> list[tuple[int, int]]:
    """The pairs with the most errors, and the worst one by its share where it is not among them."""
    most_errors = list(_most(kinds, times, most))
    worst = [tuple(kinds[(times / n[kinds[:, 0]]).argmax()].tolist())] if len(kinds) else []
    return most_errors + [pair for pair in worst if pair not in most_errors]


def _most(kinds: np.ndarray, times: np.ndarray, most: int) -> Iterator[tuple[int, int]]:
    """Both directions of the pairs with the most errors, summed over both; the more frequent direction first."""
    both, place = np.unique(np.sort(kinds, axis=1), axis=0, return_inverse=True)
    sums = np.bincount(place.reshape(-1), times, len(both))
    known = dict(zip(map(tuple, kinds.tolist()), times.tolist(), strict=True))
    for i in np.argsort(-sums, kind="stable")[:most]:
        one, other = both[i].tolist()
        ahead = known.get((one, other), 0) >= known.get((other, one), 0)
        yield from [(one, other), (other, one)] if ahead else [(other, one), (one, other)]


def chosen(pair: str, hits: np.ndarray, pairs: int) -> Value:
    """The share of a pair that was selected among `pairs`, with an interval that holds for all of them at once."""
    value = proportion("confused", hits, pair)
    if not len(hits):
        return value
    low, high = statistics.simultaneous(np.array([hits.sum()]), np.array([len(hits)]), pairs)
    return value._replace(ci_low=float(low[0]), ci_high=float(high[0]), ci_method=SELECTED)


def worst_pair(true: np.ndarray, times: np.ndarray, n: np.ndarray) -> Value:
    """Pairs that never occurred count, too: one of each class represents all of them, so nothing has C x C entries."""
    there = np.flatnonzero(n)
    hits, of = np.concatenate([times, np.zeros(len(there))]), n[np.concatenate([true, there])]
    return largest("worst_pair", hits, of, len(there) * (len(n) - 1))


def spread(labels: np.ndarray, right: np.ndarray) -> Value:
    """Estimated and true spread differ by at most the spread of the errors of the recalls, which are simulated.

    Of n images of a class with a recall of 1/2, `near` has on average 1 - n / (n + 1)^2 times its variance.
    """
    n = np.unique(labels, return_counts=True)[1]
    if len(n) < 2:
        return Value("recall_std", float("nan"), 0, "", "", ci_method=ALONE)
    hits = np.unique(labels[right], return_counts=True)
    share = np.zeros(len(n))
    share[np.searchsorted(np.unique(labels), hits[0])] = hits[1]
    share /= n
    near = (share * n + 0.5) / (n + 1)  # no class is certain to be always correct
    drawn = np.random.default_rng(0).binomial(n, near, (DRAWS, len(n))) / n
    apart = (drawn - near) / np.sqrt(1 - n / (n + 1) ** 2)  # few images of a class make its recall seem too certain
    half, value = float(np.quantile(apart.std(axis=1), 1 - statistics.TAIL)), float(share.std())
    ends = max(value - half, 0.0), min(value + half, 0.5)
    return Value("recall_std", value, len(labels), "", "", *ends, SPREAD)
