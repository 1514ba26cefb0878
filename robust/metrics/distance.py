"""The distance to the nearest misclassification."""

from collections.abc import Iterator

import numpy as np

from robust.core import statistics
from robust.core.declared import metric
from robust.core.types import Count, radius
from robust.results.attack_result import is_within
from robust.results.evaluation import EvaluationResult, Metric, Value, pairs, proportion

_QUARTILES = {"lower": 0.25, "upper": 0.75}
ORDERED = "order statistics 95 %"
TOO_FEW = "none: the range of so few images covers it less than 95 times of 100"
OF_SEVERAL = "none: an image counts once for each of its targets, and these depend on each other"


@metric(
    names=("median_distance", "censored"),
    per_pair=("median_distance",),
    radii={"top1_by_distance": "points"},
    subsets={"distance_quartile": ("lower", "upper")},
    shares=("censored", "top1_by_distance"),
    needs=("minimal",),
    per_image=True,
    spread=("median_distance",),
)
def distance(result: EvaluationResult, *, points: Count = 8) -> Iterator[Value]:
    """The median of the smallest changes found that fool the model, their quartiles, and the accuracy they imply.

    The distance of an image is 0 where the model is wrong before, and infinite (censored) where no change within
    the case's eps was found; so the median is infinite where more than half of the images are censored, NaN where
    just half are, and a quartile or an end of an interval likewise: not found up to eps. Every distance is an upper
    bound.

    `top1_by_distance` at e is the share of images with a distance above e, for `points` steps up to eps and
    for 0: no attack was run at e, so it is an upper bound that is weaker than that of an attack at that eps.

    With targets the distances are those to the targets, the median is also reported for each pair "i -> j" of
    label and target, and there is no accuracy. A case that searched for no distances yields nothing.

    Args:
        result: of a case with `distance = `.
        points: steps of the accuracy.

    The intervals of the median (from 6 images on) and the quartiles (13) are of order statistics; shares have exact
    ones. Where an image is attacked with several targets, numbers over all of them have none: `n` counts the images.

    >>> result = EvaluationResult(
    ...     ("a", "b"), np.array(["x"]), np.array([0]), np.eye(2)[:1], distance=np.ones(1), limit=2.0
    ... )
    >>> [(v.subset, v.value) for v in distance(result, points=2) if v.metric == "top1_by_distance"]
    [('0', 1.0), ('1', 0.0), ('2', 0.0)]
    """
    if result.distance is None:
        return
    sizes = result.distance.astype(np.float64)
    n = len(np.unique(result.ids))
    yield of(n, _median(sizes))
    for name, share in _QUARTILES.items():
        value = float(
            np.quantile(sizes, share, method="inverted_cdf")
        )  # one of them: a mean with infinity is not finite
        yield of(n, _quantile("distance_quartile", value, sizes, name, share))
    yield of(n, proportion("censored", np.isinf(sizes)))
    if result.targets is not None:
        for pair, rows in pairs(result):
            yield _median(sizes[rows], pair)
        return
    for eps in result.limit * np.arange(points + 1) / points:
        yield proportion("top1_by_distance", ~is_within(sizes, eps), radius(eps, result.norm))


def of(images: int, value: Value[Metric]) -> Value[Metric]:
    """A value of `images` images: without interval where there are more distances, which depend on each other."""
    if value.n == images:
        return value
    return value._replace(n=images, ci_low=float("nan"), ci_high=float("nan"), ci_method=OF_SEVERAL)


def _median(sizes: np.ndarray, subset: str = "") -> Value:
    below, above = np.sort(sizes)[[(len(sizes) - 1) // 2, len(sizes) // 2]]
    value = float("nan") if below < above == np.inf else float((below + above) / 2)
    return _quantile("median_distance", value, sizes, subset, 0.5)


def _quantile(metric: Metric, value: float, sizes: np.ndarray, subset: str, share: float) -> Value[Metric]:
    low, high = statistics.order_statistics(sizes, share)
    return Value(metric, value, len(sizes), subset, "distance", low, high, TOO_FEW if np.isnan(low) else ORDERED)
