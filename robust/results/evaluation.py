"""The result of one case on one model, and the values that metrics compute from it."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import pandas as pd

from robust.core import statistics
from robust.core.declared import yields
from robust.core.errors import ModelError
from robust.core.zero_probability import NEVER
from robust.results import tables

Metric = TypeVar("Metric", bound=str)

BLOCK = 256  # rows at a time: 2 MB of a thousand classes in double precision

IMPOSSIBLE = "none: the model gives an image's own class the probability 0, or less than 1.2e-38"


class Value(NamedTuple, Generic[Metric]):
    """One number: its metric, its subset of the images ("" for all), their number n, its interval.

    `examples` are ids of a few images that illustrate it; the page shows them next to the number.
    """

    metric: Metric
    value: float
    n: int
    subset: str = ""
    unit: str = "proportion"
    ci_low: float = float("nan")
    ci_high: float = float("nan")
    ci_method: str = ""
    examples: tuple[str, ...] = ()


def proportion(metric: Metric, hits: np.ndarray, subset: str = "") -> Value[Metric]:
    """The share of `hits` (bool [n]) with its exact interval; NaN where n is 0.

    >>> proportion("top1", np.array([True, False])).value
    0.5
    """
    n = len(hits)
    if not n:
        return Value(metric, float("nan"), 0, subset)
    ends = statistics.clopper_pearson(int(np.sum(hits)), n)
    return Value(metric, float(np.mean(hits)), n, subset, "proportion", *ends, statistics.EXACT)


def mean(
    metric: Metric,
    values: np.ndarray,
    least: float,
    most: float,
    subset: str = "",
    unit: str = "",
    ci_method: str = statistics.BOUNDED,
) -> Value[Metric]:
    """The mean of `values` (float [n]) in [least, most], with its interval; NaN where there are none.

    Infinite values make it infinite, without an interval; an infinite end is also that of the interval.

    >>> mean("brier", np.array([0.5, 0.7]), 0, 2).value
    0.6
    """
    if not len(values):
        return Value(metric, float("nan"), 0, subset, unit)
    if not np.isfinite(values).all():
        return Value(metric, float(np.mean(values)), len(values), subset, unit, ci_method=IMPOSSIBLE)
    ends = statistics.bounded_mean(values, least, most)
    return Value(metric, float(np.mean(values)), len(values), subset, unit, *ends, ci_method)


def at_labels(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The values [n, C], such as logits, at the labels, [n].

    >>> at_labels(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1, 0]))
    array([2., 3.])
    """
    return np.take_along_axis(values, labels[:, None], axis=1)[:, 0]


def row_blocks(values: np.ndarray) -> Iterator[np.ndarray]:
    """Views of consecutive rows of values [n, ...], at least one: work on 50,000 x 1,000 logits copies few at a time.

    >>> [len(part) for part in row_blocks(np.zeros((600, 1)))]
    [256, 256, 88]
    """
    yield from (values[first : first + BLOCK] for first in range(0, max(len(values), 1), BLOCK))


def by_image(ids: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The mean of the values of each image, float64 [M], from rows [N] that may contain an image several times.

    >>> by_image(np.array(["a", "b", "a"]), np.array([True, True, False]))
    array([0.5, 1. ])
    """
    _, place, times = np.unique(ids, return_inverse=True, return_counts=True)
    return np.bincount(place.reshape(-1), values) / times


class Predictions(NamedTuple):
    """Predictions of a model on unperturbed images: labels int64 [M], logits [M, C], penultimate features [M, D]."""

    labels: np.ndarray
    logits: np.ndarray
    features: np.ndarray


@dataclass(frozen=True)
class EvaluationResult:
    """One case on one model, at one strength of the perturbation.

    classes: names, by label. superclasses: name -> its classes; may be empty.
    ids: str [N]; labels: int64 [N]; logits: float [N, C], of the perturbed images.
    targets: int64 [N] where the attack had some. clean: the same images unperturbed; None where this is it.
    by: str [N]: the attack that succeeded on the image; linf, l2: float [N], sizes of the change; n_forward,
    n_backward: passes [N].
    rounded: bool [N] after an attack: does the image, rounded to 8 bits, fool the model?
    distance: float32 [N], the least change found that fools the model, in `norm` and at most `limit`: 0 where it
    erred before, infinite (censored) where none was found; None where it was not searched for.
    get_features, get_predictions: how `features` and `predictions` are computed, when a metric first uses them.
    """

    classes: tuple[str, ...]
    ids: np.ndarray
    labels: np.ndarray
    logits: np.ndarray
    superclasses: dict[str, tuple[str, ...]] = field(default_factory=dict)
    targets: np.ndarray | None = None
    clean: "EvaluationResult | None" = None
    by: np.ndarray | None = None
    linf: np.ndarray | None = None
    l2: np.ndarray | None = None
    n_forward: np.ndarray | None = None
    n_backward: np.ndarray | None = None
    rounded: np.ndarray | None = None
    distance: np.ndarray | None = None
    limit: float = math.inf
    norm: str = ""
    get_features: Callable[[], np.ndarray] | None = None
    get_predictions: Callable[[str], Predictions] | None = None

    @cached_property
    def features(self) -> np.ndarray:
        """The penultimate features of these images, the inputs of the last layer, float32 [N, D].

        Raises ModelError where the result was made without a model, and for a model without a graph of layers.
        """
        if self.get_features is None:
            raise ModelError("this result has no features: give it get_features, a function that returns them [N, D]")
        return self.get_features()

    def predictions(self, split: str) -> Predictions:
        """Predictions on the unperturbed images of "train", of "validation", or on the case's "ood" images.

        Raises ModelError where the result was made without a model, DataError for a missing split.
        """
        if self.get_predictions is None:
            raise ModelError(
                f"this result has no predictions on {split!r}: give it get_predictions, a function of the split"
            )
        return self.get_predictions(split)

    @cached_property
    def predicted(self) -> np.ndarray:
        """The class with the largest logit, the first of equal ones, int64 [N]."""
        return self.logits.argmax(axis=1)

    @cached_property
    def has_repeated_images(self) -> bool:
        """Does an image occur in several rows, as it was attacked with several targets?"""
        return len(np.unique(self.ids)) < len(self.ids)

    @property
    def attack_success(self) -> np.ndarray:
        """On which images the attack succeeded, bool [N]: not those that were misclassified before."""
        return np.zeros(len(self.ids), bool) if self.by is None else (self.by != "") & (self.by != "clean")

    @cached_property
    def log_probabilities(self) -> np.ndarray:
        """log softmax of the logits, float64 [N, C]; minus infinity where the model gave the probability 0."""
        from scipy.special import log_softmax

        found = np.empty(self.logits.shape, np.float64)
        for logits, rows in zip(row_blocks(self.logits), row_blocks(found), strict=True):
            rows[...] = np.where(logits == NEVER, -np.inf, log_softmax(logits.astype(np.float64), axis=1))
        return found

    @property
    def nll(self) -> np.ndarray:
        """Negative log-likelihood of the label in nats, [N]."""
        return -self._at_label(self.log_probabilities)

    def in_top(self, k: int) -> np.ndarray:
        """Is the label among the k largest logits? Ties are resolved to the first classes, as for `predicted`."""
        blocks = zip(row_blocks(self.logits), row_blocks(self.labels), strict=True)
        return np.concatenate([_ranks(logits, labels) for logits, labels in blocks]) < k

    @property
    def margin(self) -> np.ndarray:
        """The label's logit minus the largest other, [N]; negative where the model errs."""
        blocks = zip(row_blocks(self.logits), row_blocks(self.labels), strict=True)
        return self._at_label(self.logits) - np.concatenate([_largest_other(*block) for block in blocks])

    def _at_label(self, values: np.ndarray) -> np.ndarray:
        return at_labels(values, self.labels)

    def outcomes(self, **same: Any) -> pd.DataFrame:
        """One row per example, in the columns of outcomes.parquet; `same` fills those that do not vary."""
        names = np.array(self.classes, dtype=object)
        superclass = {c: s for s, members in self.superclasses.items() for c in members}
        zeros = np.zeros(len(self.ids))
        columns = {
            "example": self.ids,
            "label": names[self.labels],
            "superclass": [superclass.get(c, "") for c in names[self.labels]],
            "target": "" if self.targets is None else names[self.targets],
            "predicted": names[self.predicted],
            "in_top5": self.in_top(5),
            "confidence": np.exp(self.log_probabilities.max(axis=1)),
            "margin": self.margin,
            "nll": self.nll,
            "success_by": "" if self.by is None else self.by,
            **{
                k: zeros if getattr(self, k) is None else getattr(self, k)
                for k in ("linf", "l2", "n_forward", "n_backward")
            },
        }
        return tables.table(pd.DataFrame(columns).assign(**same), tables.OUTCOMES)


def _ranks(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    own, before = at_labels(logits, labels)[:, None], np.arange(logits.shape[1]) < labels[:, None]
    return np.count_nonzero((logits > own) | ((logits == own) & before), axis=1)


def _largest_other(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    others = logits.copy()
    np.put_along_axis(others, labels[:, None], -np.inf, axis=1)
    return others.max(axis=1)


SEVERAL = "none: an image counts, also in n, once for each of its targets, and these are not independent"


def with_valid_intervals(
    metric: str, values: Iterable[Value[Metric]], result: EvaluationResult
) -> Iterator[Value[Metric]]:
    """The values of a metric; without intervals where these would count several rows of an image as several images.

    Values that are not computed from the images of the case keep theirs.
    """
    about = yields("metrics", metric)
    for value in values:
        counts = about.per_image or value.metric in about.other_images
        yield value if counts or not result.has_repeated_images else without_interval(value)


def without_interval(value: Value[Metric]) -> Value[Metric]:
    """The value without its interval, as images occur in several rows."""
    return value._replace(ci_low=math.nan, ci_high=math.nan, ci_method=SEVERAL)


def pairs(result: EvaluationResult) -> Iterator[tuple[str, np.ndarray]]:
    """Every pair "label -> target" of a result with targets, and the rows of its images."""
    targets = result.labels if result.targets is None else result.targets
    for label, target in np.unique(np.stack([result.labels, targets], axis=1), axis=0):
        places = np.flatnonzero((result.labels == label) & (targets == target))
        yield f"{result.classes[label]} -> {result.classes[target]}", places
