"""Auto-PGD: projected gradient ascent with momentum and an adaptive step size, also in L1."""

from dataclasses import replace
from typing import Literal

from robust.attacks import auto_step, losses, sparse_step
from robust.attacks.contract import as_attack
from robust.attacks.iterative import IterativeAttack, Task
from robust.attacks.slots import attack, ranked
from robust.core import declared
from robust.core.types import AnyNorm, Count, Eps
from robust.results.attack_result import AttackResult

_LOSSES = {"ce": (losses.leave, losses.reach), "dlr": (losses.dlr, losses.dlr_reach)}


@declared.attack(access="gradient", warm_start=True, eps_per_image=True, random=True, trace=True)
@as_attack
def apgd(
    task: Task,
    *,
    eps: Eps,
    norm: AnyNorm = "linf",
    steps: Count = 100,
    loss: Literal["ce", "dlr"] = "ce",
    restarts: Count = 1,
    eot_iter: Count = 1,
) -> AttackResult:
    """Auto-PGD: steps of 2 eps with momentum, halved if the loss does not increase, each time from the best point.

    z = P(x_k + a g), x_(k+1) = P(x_k + 0.75 (z - x_k) + 0.25 (x_k - x_(k-1))). At the end of a window
    a is halved and the search continues from the best point if less than three quarters of the steps improved the
    loss, or if neither a nor the best loss has changed since the last window.

    Args:
        classifier, images, labels, seeds, start, targets: see `robust.attacks`.
        eps: radius of the ball around each image, in units of a [0, 1] image.
        norm: of the ball; in L1 the search starts in a ball of 3 eps and takes sparse steps.
        steps: of each run, at most: an image stops once it fools the model.
        loss: the cross-entropy or the difference of logits ratio; with targets, their targeted forms.
        restarts: runs from new random points, for the images that do not fool the model yet.
        eot_iter: passes over which the gradient is averaged, for a randomised model.

    Source: Croce & Hein, Reliable evaluation of adversarial robustness with an ensemble of diverse
    parameter-free attacks, ICML 2020; for L1 Croce & Hein, Mind the box, ICML 2021.
    """
    loss_function = _LOSSES[loss][task.targets is not None]
    method = _method("apgd", norm, steps, eps, loss_function, restarts=restarts, eot_iter=eot_iter)
    return attack(task, method)


@declared.attack(
    access="gradient",
    warm_start=True,
    eps_per_image=True,
    random=True,
    trace=True,
    several_searches=True,
    published_steps=100,
)
@as_attack
def apgd_t(
    task: Task, *, eps: Eps, norm: AnyNorm = "linf", steps: Count = 100, classes: Count = 9, restarts: Count = 1
) -> AttackResult:
    """Auto-PGD on the targeted difference of logits ratio, towards one likely class after the other.

    It aims at one class, but succeeds as soon as the label is left; with `targets`, once that class is predicted.

    Args:
        classifier, images, labels, seeds, start: see `robust.attacks`.
        targets: the one class to aim at and to reach.
        eps: radius of the ball around each image, in units of a [0, 1] image.
        norm: of the ball.
        steps: of each run, at most.
        classes: how many of the most likely other classes are tried; all, if there are fewer.
        restarts: rounds through these classes from new random points, for the images that do not fool the model yet.

    Source: Croce & Hein, Reliable evaluation of adversarial robustness with an ensemble of diverse
    parameter-free attacks, ICML 2020.
    """
    classes_to_try, passes = ranked(task, classes)
    loss = losses.dlr_to if task.targets is None else losses.dlr_reach
    method = _method("apgd_t", norm, steps, eps, loss, restarts=restarts * classes_to_try.shape[1])
    found = attack(replace(task, classes_to_try=classes_to_try), method)
    found.n_forward[:] += passes
    return found


def _method(
    name: str, norm: AnyNorm, steps: int, eps: float, loss: losses.Loss, *, restarts: int = 1, eot_iter: int = 1
) -> IterativeAttack:
    how = sparse_step if norm == "l1" else auto_step
    hyperparameters = {"eps": eps, **how.hyperparameters(steps)}
    return IterativeAttack(
        name, norm, steps, hyperparameters, loss, how.step, how.memory, restarts=restarts, eot_iter=eot_iter,
        leaves_ball=norm == "l1", keep="best",
    )  # fmt: skip
