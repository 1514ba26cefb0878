"""The momentum iterative fast gradient sign method."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from robust.attacks import ball, losses
from robust.attacks.contract import as_attack
from robust.attacks.iterative import IterativeAttack, Memory, State, StepOutput, Task
from robust.attacks.slots import attack
from robust.core import declared
from robust.core.types import AnyNorm, Count, Eps, NonNegative, Norm, Positive
from robust.results.attack_result import AttackResult


@declared.attack(access="gradient", warm_start=True, eps_per_image=True, trace=True)
@as_attack
def mifgsm(
    task: Task,
    *,
    eps: Eps,
    norm: Norm = "linf",
    steps: Count = 10,
    step_size: Positive | None = None,
    decay: NonNegative = 1.0,
) -> AttackResult:
    """Steps along a sum of past gradients: v <- decay * v + g / ||g||_1; x <- P(x + a * sign(v)).

    Its adversarial examples are less specific to one model than those of plain steps.

    Args:
        classifier, images, labels, seeds, start, targets: see `robust.attacks`.
        eps: radius of the ball around each image, in units of a [0, 1] image.
        norm: of the ball; for L2 the step goes along v / ||v||.
        steps: at most: an image stops once it fools the model.
        step_size: of one step; by default eps / steps, as in the paper.
        decay: of the earlier gradients; 0 gives plain steps.

    Source: Dong et al., Boosting adversarial attacks with momentum, CVPR 2018.
    """
    hyperparameters = {"eps": eps, "size": eps / steps if step_size is None else step_size, "decay": decay}
    loss = losses.leave if task.targets is None else losses.reach
    method = IterativeAttack("mifgsm", norm, steps, hyperparameters, loss, _step, _memory, n_clean_starts=1)
    return attack(task, method)


def _memory(points: np.ndarray, hyperparameters: Mapping[str, float]) -> Memory:
    del hyperparameters
    return {"velocity": np.zeros_like(points)}


def _step(slots: State, output: StepOutput, hyperparameters: State, norm: AnyNorm) -> State:
    gradient = tf.math.divide_no_nan(output.gradients, ball.size(output.gradients, "l1"))
    velocity = hyperparameters["decay"] * slots["velocity"] + gradient
    point = ball.step(slots["point"], velocity, slots["centre"], hyperparameters["eps"], hyperparameters["size"], norm)
    return {"point": point, "velocity": velocity}
