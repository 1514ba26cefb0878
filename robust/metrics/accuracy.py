"""How often the model is correct."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from robust.core import statistics
from robust.core.declared import metric
from robust.results.evaluation import (
    EvaluationResult,
    Metric,
    Value,
    at_labels,
    by_image,
    mean,
    proportion,
    without_interval,
)


@metric(
    names=("top1", "top5", "top1_error", "top5_error", "nll", "targeted_success_rate", "success_after_8bit"),
    shares=("top1", "top5", "top1_error", "top5_error", "targeted_success_rate", "success_after_8bit"),
    only_if={
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
    per_image=True,
    units={"nll": "nats"},
    table="calibration",
    headings={"nll": "NLL"},
    spread=("top1", "nll"),
)  # fmt: skip
def accuracy(
    result: EvaluationResult,
) -> Iterator[Value]:
    """Top-1 and top-5, their errors, negative log-likelihood and the success rate of a targeted attack.

    Shares are of all images with exact intervals; so under an attack `top1` is the robust accuracy: the
    share of all images that are correct after it, an upper bound on the true one. Top-5 requires six classes.
    `nll` is in nats; its interval allows for an error as costly as the least probable class of any of these images:
    no sample can exclude one that is costlier yet. It is infinite where a label has the probability 0.
    `success_after_8bit` is the share of the images on which the attack succeeds that still fool the model when their
    pixels are rounded to 8 bits. Where an image is attacked with several targets, the numbers are means over the images
    of the share, or mean, of its targets.

    Source: top-1 and top-5 as in Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, IJCV 2015.

    >>> import numpy as np
    >>> result = EvaluationResult(("cat", "dog"), np.array(["a"]), np.array([1]), np.array([[0.0, 1.0]]))
    >>> next(accuracy(result)).value
    1.0
    """
    yield from shares(result, result.predicted == result.labels, result.in_top(5))
    yield nll(result, result.log_probabilities)
    if result.rounded is not None and result.attack_success.any():
        kept: Value = proportion("success_after_8bit", result.rounded[result.attack_success])
        yield without_interval(kept) if result.has_repeated_images else kept


def nll(result: EvaluationResult, log_probabilities: np.ndarray, metric: Any = "nll") -> Value:
    """The negative log-likelihood in nats under log probabilities [N, C]."""
    losses = -at_labels(log_probabilities, result.labels)
    highest = float(-log_probabilities.min())
    return mean(metric, by_image(result.ids, losses), 0, highest, unit="nats", ci_method=statistics.OF_PREDICTIONS)


def shares(result: EvaluationResult, right: np.ndarray, near: np.ndarray) -> Iterator[Value]:
    """Those values of `accuracy` that are shares, from the rows that are correct, and in the top five, bool [N]."""
    yield _share(result, "top1", right)
    yield _share(result, "top1_error", ~right)
    if len(result.classes) > 5:  # of five or fewer, the label is always in the top five
        yield _share(result, "top5", near)
        yield _share(result, "top5_error", ~near)
    if result.targets is not None:
        yield _share(result, "targeted_success_rate", result.predicted == result.targets)


def _share(result: EvaluationResult, metric: Metric, hits: np.ndarray) -> Value[Metric]:
    if not result.has_repeated_images:
        return proportion(metric, hits)
    found = mean(metric, by_image(result.ids, hits), 0, 1, unit="proportion")
    rounded = math.isclose(found.value, hits.mean(), rel_tol=1e-12)  # e.g. where all images have equally many targets
    return found._replace(value=float(hits.mean())) if rounded else found
