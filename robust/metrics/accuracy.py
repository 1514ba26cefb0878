"""How often the model is right."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from robust.core import statistics
from robust.core.declared import metric
from robust.results.evaluation import EvaluationResult, Metric, Value, at_labels, by_image, mean, proportion, unsure


@metric(
    names=("top1", "top5", "top1_error", "top5_error", "nll", "targeted_success_rate", "success_after_8bit"),
    shares=("top1", "top5", "top1_error", "top5_error", "targeted_success_rate", "success_after_8bit"),
    given={
        "top5": "six classes",
        "top5_error": "six classes",
        "targeted_success_rate": "target",
        "success_after_8bit": "attack",
    },
    paired={
        "top1": "higher", "top5": "higher", "top1_error": "lower", "top5_error": "lower", "nll": "lower",
        "targeted_success_rate": "lower",
    },
    perfect={"top1": 1.0, "top5": 1.0, "top1_error": 0.0, "top5_error": 0.0, "nll": 0.0},
    once=True,
)  # fmt: skip
def accuracy(
    result: EvaluationResult,
) -> Iterator[Value]:
    """Top-1 and top-5, their errors, negative log-likelihood and, for an attack with targets, how many it reached.

    Shares are of all images with exact intervals; so under an attack `top1` is the robust accuracy: the
    share of all images that are right after it, an upper bound on the true one. Top-5 takes six classes.
    `nll` is in nats; its interval allows for a mistake as dear as the least probable class of any of these images:
    one that is dearer yet no sample can exclude. It is infinite where a label has the probability 0.
    `success_after_8bit` is the share of the images felled by an attack that still fool the model when their pixels are
    rounded to 8 bits. Where an image is sent to several targets, the numbers are means over the images of the share,
    or mean, of its targets.

    Source: top-1 and top-5 as in Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, IJCV 2015.

    >>> import numpy as np
    >>> result = EvaluationResult(("cat", "dog"), np.array(["a"]), np.array([1]), np.array([[0.0, 1.0]]))
    >>> next(accuracy(result)).value
    1.0
    """
    yield from shares(result, result.predicted == result.labels, result.in_top(5))
    yield nll(result, result.log_probabilities)
    if result.rounded is not None and result.felled.any():
        kept: Value[Any] = proportion("success_after_8bit", result.rounded[result.felled])
        yield unsure(kept) if result.several else kept


def nll(result: EvaluationResult, log_probabilities: np.ndarray, metric: Any = "nll") -> Value:
    """The negative log-likelihood in nats under log probabilities [N, C]."""
    costs = -at_labels(log_probabilities, result.labels)
    dearest = float(-log_probabilities.min())
    return mean(metric, by_image(result.ids, costs), 0, dearest, unit="nats", ci_method=statistics.OF_ANSWERS)


def shares(result: EvaluationResult, right: np.ndarray, near: np.ndarray) -> Iterator[Value]:
    """Those values of `accuracy` that are shares, of which rows are right, and right among the first five, bool [N]."""
    yield _share(result, "top1", right)
    yield _share(result, "top1_error", ~right)
    if len(result.classes) > 5:  # of five or fewer, the label is always among the first five
        yield _share(result, "top5", near)
        yield _share(result, "top5_error", ~near)
    if result.targets is not None:
        yield _share(result, "targeted_success_rate", result.predicted == result.targets)


def _share(result: EvaluationResult, metric: Metric, hits: np.ndarray) -> Value[Metric]:
    if not result.several:
        return proportion(metric, hits)
    found = mean(metric, by_image(result.ids, hits), 0, 1, unit="proportion")
    rounded = math.isclose(found.value, hits.mean(), rel_tol=1e-12)  # as where all images have as many targets
    return found._replace(value=float(hits.mean())) if rounded else found
