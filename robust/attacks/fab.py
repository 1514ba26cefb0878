"""The fast adaptive boundary attack: towards the nearest point of the decision boundary."""

from dataclasses import replace
from functools import partial

import tensorflow as tf

from robust.attacks import ball, losses
from robust.attacks.contract import as_attack
from robust.attacks.iterative import IterativeAttack, State, StepOutput, Task, choose
from robust.attacks.onto_boundary import BACK, beyond, towards
from robust.attacks.slots import attack, ranked
from robust.core import declared
from robust.core.types import AnyNorm, Count, Eps
from robust.results.attack_result import AttackResult


@declared.attack(
    access="gradient", minimizes_by_class=True, warm_start=True, several_searches=True, published_steps=100
)
@as_attack
def fab(
    task: Task, *, eps: Eps, norm: AnyNorm = "linf", steps: Count = 100, classes: Count = 9, restarts: Count = 1
) -> AttackResult:
    """FAB, targeted: projections onto the linearised boundary with one class after the other, ever closer to the image.

    Where z_t = z_y is linear, the nearest points of the boundary in the box are p to x_k and p0 to the
    image x; x_(k+1) = (1 - a) (x_k + 1.05 (p - x_k)) + a (x + 1.05 (p0 - x)), with a = d / (d + d0) of the
    two distances, at most 0.1. From beyond the boundary it goes back, x + 0.9 (x_k - x), which takes a
    separate iteration. Its points may be outside the ball; it succeeds when one inside fools the model.

    Args:
        classifier, images, labels, seeds: see `robust.attacks`.
        start: not used: the end of a search towards one class is a bad starting point for one towards another.
        targets: the one class to aim at and to reach.
        eps: radius of the ball around each image, in units of a [0, 1] image.
        norm: in which the distance is minimised.
        steps: iterations towards each class, at most.
        classes: how many of the most likely other classes are tried; all, if there are fewer.
        restarts: rounds through these classes, the later ones from random points within half the radius.

    Source: Croce & Hein, Minimally distorted adversarial examples with a fast adaptive boundary attack,
    ICML 2020; towards one class at a time as in AutoAttack, ICML 2020.
    """
    classes_to_try, passes = ranked(task, classes)
    tried = classes_to_try.shape[1]
    loss, step = (
        (losses.margin_towards, _STEPS[False]) if task.targets is None else (losses.target_margin, _STEPS[True])
    )
    method = IterativeAttack(
        "fab", norm, steps, {"eps": eps}, loss, step,
        random_point=_near, n_clean_starts=tried, restarts=tried * restarts, leaves_ball=True,
    )  # fmt: skip
    found = attack(replace(task, start=None, classes_to_try=classes_to_try), method)
    found.n_forward[:] += passes
    return found


def _near(centres: tf.Tensor, seeds: tf.Tensor, stream: tf.Tensor, eps: ball.Scalar, norm: AnyNorm) -> tf.Tensor:
    return ball.random_point(centres, seeds, stream, eps / 2, norm)


def _step(targeted: bool, slots: State, output: StepOutput, hyperparameters: State, norm: AnyNorm) -> State:
    centre, point = slots["centre"], slots["point"]
    back = centre + BACK * (point - centre)
    following = choose(beyond(slots, output, targeted), back, towards(centre, point, output, norm))
    # the last point is returned if none succeeds: it must be in the ball
    last = (slots["left"] == 1)[:, None, None, None]
    return {"point": tf.where(last, ball.project(following, centre, hyperparameters["eps"], norm), following)}


_STEPS = {targeted: partial(_step, targeted) for targeted in (False, True)}  # once: graphs are cached by step
