"""The scatter of the penultimate features within and between classes."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from robust.core.declared import metric
from robust.metrics.means import class_means
from robust.results.evaluation import EvaluationResult, Value, proportion

UNBOUNDED = "none: features have no bounds, so that images outside the sample could change it by any amount"


class Scatter(NamedTuple):
    """Traces of the within-class and the between-class covariance, and NC1."""

    within: float
    between: float
    nc1: float


@metric(
    names=("within_scatter", "between_scatter", "fisher_ratio", "nc1", "ncc_agreement"),
    per_class=("class_scatter",),
    shares=("ncc_agreement",),
    needs=("train", "features"),
    table="structure",
    headings={"fisher_ratio": "Fisher ratio", "nc1": "NC1", "ncc_agreement": "agrees with nearest mean"},
    spread=("fisher_ratio", "nc1"),
)
def structure(
    result: EvaluationResult,
) -> Iterator[Value]:
    """Scatter of the penultimate features within and between classes, and neural collapse.

    Of features h, means m_c of the classes and their mean m: W = the mean of (h - m_c)(h - m_c)' and
    B = the mean over classes of (m_c - m)(m_c - m)'. `within_scatter` is tr W, `between_scatter` tr B,
    `fisher_ratio` tr B / tr W, and `nc1` tr(W B⁺) / C for C classes: 0 where the features of every class have
    collapsed into its mean. `class_scatter` is tr W over the images of one class. All are of the images of
    this result; `ncc_agreement` is the share of them for which the nearest of the class means of the
    training images is the class that the model predicts. Classes without images are left out. Where the
    means differ by no more than rounding, there is neither `nc1` nor `fisher_ratio`: NaN, with n = 0. Few
    images of a class make `nc1` too low. Features have no bounds, and so their scatter has no intervals that
    would cover it: compare it between models on the same images.

    Raises ModelError for a model without a graph of layers.

    Source: Papyan, Han & Donoho, Prevalence of neural collapse during the terminal phase of deep learning
    training, PNAS 117, 2020.

    >>> found = scatter(np.array([[0.0], [2.0], [10.0], [12.0]]), np.array([0, 0, 1, 1]))
    >>> found.within, found.between
    (1.0, 25.0)
    """
    features, labels = np.asarray(result.features, np.float64), result.labels
    found = scatter(features, labels)
    for name, value in (
        ("within_scatter", found.within),
        ("between_scatter", found.between),
        ("fisher_ratio", _ratio(*found)),
        ("nc1", found.nc1),
    ):
        n = len(labels) if np.isfinite(value) else 0
        yield Value(name, value, n, "", "", ci_method=UNBOUNDED)
    for label, name in enumerate(result.classes):
        yield _class_scatter(features[labels == label], name)
    train = result.predictions("train")
    yield proportion("ncc_agreement", nearest_mean(features, train.features, train.labels) == result.predicted)


def scatter(features: np.ndarray, labels: np.ndarray) -> Scatter:
    """Of features [N, D] and labels [N]; no D x D matrix is made."""
    means, place = class_means(features, labels)
    inner = features - means[place]
    outer = means - means.mean(axis=0)
    _, sizes, directions = np.linalg.svd(outer, full_matrices=False)
    eps = np.finfo(float).eps
    rounding = np.abs(features).max(initial=0) * eps * len(features)  # of the means
    kept = sizes > max(sizes.max(initial=0) * max(outer.shape) * eps, rounding, 1e-12)
    kept[len(means) - 1 :] = False  # k means about their mean span at most k - 1 dimensions
    within, between = float((inner**2).sum(axis=1).mean()), float((outer**2).sum(axis=1).mean())
    if not kept.any():
        return Scatter(within, between, float("nan"))
    scores = inner @ directions[kept].T / sizes[kept]  # B⁺ = C V diag(1 / s²) V'
    return Scatter(within, between, float((scores**2).sum(axis=1).mean()))


def nearest_mean(features: np.ndarray, train: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """For each of the features the class whose training features have the nearest mean, int [N].

    scikit-learn's `NearestCentroid` does the same, and rejects images of one class only.
    """
    means, _ = class_means(np.asarray(train, np.float64), labels)
    distances = (means**2).sum(axis=1) - 2 * features @ means.T  # up to a term that is the same for all means
    return np.unique(labels)[distances.argmin(axis=1)]


def _ratio(within: float, between: float, nc1: float) -> float:
    return between / within if within and not np.isnan(nc1) else float("nan")


def _class_scatter(features: np.ndarray, name: str) -> Value:
    if not len(features):
        return Value("class_scatter", float("nan"), 0, name, "")
    squares = ((features - features.mean(axis=0)) ** 2).sum(axis=1)
    return Value("class_scatter", float(squares.mean()), len(features), name, "", ci_method=UNBOUNDED)
