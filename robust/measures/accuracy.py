"""How often the model is right."""

from collections.abc import Iterator
from typing import Literal

from robust.trial import Trial, Value, mean, proportion


def accuracy(
    trial: Trial,
) -> Iterator[Value[Literal["top1", "top5", "top1_error", "top5_error", "nll", "target_reached", "survives_8bit"]]]:
    """Top-1 and top-5, their errors, negative log-likelihood and, for an attack with targets, how many it reached.

    Shares are of all images with exact intervals; so under an attack `top1` is the robust accuracy: the
    share of all images that are right after it, an upper bound on the true one. Top-5 takes six classes.
    `nll` is in nats; its interval allows for a mistake as dear as the least probable class of any of the images,
    which among few of them need not have come. `survives_8bit` is the share of the images felled by an attack
    that still fool the model when their pixels are rounded to 8 bits.

    Source: top-1 and top-5 as in Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, IJCV 2015.

    >>> import numpy as np
    >>> trial = Trial(("cat", "dog"), np.array(["a"]), np.array([1]), np.array([[0.0, 1.0]]))
    >>> next(accuracy(trial)).value
    1.0
    """
    right, near = trial.predicted == trial.labels, trial.in_top(5)
    yield proportion("top1", right)
    yield proportion("top1_error", ~right)
    if len(trial.classes) > 5:  # of five or fewer, the label is always among the first five
        yield proportion("top5", near)
        yield proportion("top5_error", ~near)
    yield mean("nll", trial.nll, 0, float(-trial.log_probabilities.min()), unit="nats")
    if trial.targets is not None:
        yield proportion("target_reached", trial.predicted == trial.targets)
    if trial.rounded is not None and trial.felled.any():
        yield proportion("survives_8bit", trial.rounded[trial.felled])
