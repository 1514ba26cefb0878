"""The fast gradient sign method."""

from dataclasses import replace

from robust.attacks import losses
from robust.attacks.contract import as_attack
from robust.attacks.iterative import IterativeAttack, Task, ascend
from robust.attacks.slots import attack
from robust.core import declared
from robust.core.types import Eps, Norm, Positive
from robust.results.attack_result import AttackResult


@declared.attack(access="gradient", one_step=True, eps_per_image=True, trace=True)
@as_attack
def fgsm(
    task: Task, *, eps: Eps, norm: Norm = "linf", random_start: bool = False, step_size: Positive | None = None
) -> AttackResult:
    """One step that increases the loss: x + eps * sign(grad CE(x, y)) for Linf, x + eps * g / ||g|| for L2.

    Args:
        classifier, images, labels, seeds, targets: see `robust.attacks`.
        start: not used: one step from the result at a smaller eps would be another attack.
        eps: radius of the ball around each image, in units of a [0, 1] image.
        norm: of the ball.
        random_start: start from a random point of the ball (Wong et al., ICLR 2020).
        step_size: length of the step; by default eps, or 1.25 eps after a random start, as in that paper.

    Source: Goodfellow, Shlens & Szegedy, Explaining and harnessing adversarial examples, ICLR 2015.
    """
    size = step_size if step_size is not None else (1.25 * eps if random_start else eps)
    loss = losses.leave if task.targets is None else losses.reach
    method = IterativeAttack(
        "fgsm", norm, 1, {"eps": eps, "size": size}, loss, ascend, n_clean_starts=0 if random_start else 1
    )
    return attack(replace(task, start=None), method)
