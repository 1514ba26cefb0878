"""Random noise: the control that every attack must beat."""

from dataclasses import replace
from functools import partial
from typing import Literal

import tensorflow as tf

from robust.attacks import ball, losses
from robust.attacks.contract import as_attack
from robust.attacks.iterative import IterativeAttack, RandomPoint, State, StepOutput, Task
from robust.attacks.slots import attack
from robust.core import declared, randomness
from robust.core.types import AnyNorm, Count, Eps
from robust.results.attack_result import AttackResult


@declared.attack(access="none", eps_per_image=True, random=True)
@as_attack
def noise(
    task: Task,
    *,
    eps: Eps,
    norm: AnyNorm = "linf",
    kind: Literal["uniform", "gaussian"] = "uniform",
    repeats: Count = 10,
) -> AttackResult:
    """Random points of the ball, one after the other, until one fools the model: a control, not an attack.

    Args:
        classifier, images, labels, seeds, targets: see `robust.attacks`.
        start: not used: each point is drawn afresh.
        eps: radius of the ball around each image, in units of a [0, 1] image.
        norm: of the ball.
        kind: "uniform" in the ball; or normal noise of standard deviation eps / 2 in each pixel, clipped to
            eps, for Linf, and for L2 and L1 normal noise scaled to the norm eps.
        repeats: points tried after the first one, at most.
    """
    loss = losses.margin if task.targets is None else losses.target_margin
    hyperparameters = {"eps": eps, "repeats": repeats}
    method = IterativeAttack(
        "noise", norm, repeats, hyperparameters, loss, _STEPS[kind], random_point=_RANDOM_POINTS[kind], eot_iter=0
    )
    return attack(replace(task, start=None), method)


def _another(
    random_point: RandomPoint, slots: State, output: StepOutput, hyperparameters: State, norm: AnyNorm
) -> State:
    del output
    stream = tf.cast(hyperparameters["repeats"], tf.int32) - slots["left"] + 1  # the first point used stream 0
    return {"point": random_point(slots["centre"], slots["seed"], stream, hyperparameters["eps"], norm)}


def _gaussian(centres: tf.Tensor, seeds: tf.Tensor, stream: tf.Tensor, eps: ball.Scalar, norm: AnyNorm) -> tf.Tensor:
    change = randomness.normal(seeds, stream, ball.sides(centres), centres.dtype)
    change = change / 2 if norm == "linf" else tf.math.divide_no_nan(change, ball.size(change, norm))
    return ball.project(centres + eps * change, centres, eps, norm)


_RANDOM_POINTS = {"uniform": ball.random_point, "gaussian": _gaussian}
_STEPS = {
    kind: partial(_another, random_point) for kind, random_point in _RANDOM_POINTS.items()
}  # once: graphs are cached by step
