"""Projected gradient descent."""

from robust.attacks import losses
from robust.attacks.contract import as_attack
from robust.attacks.iterative import IterativeAttack, Task, ascend
from robust.attacks.slots import attack
from robust.core import declared
from robust.core.types import AnyNorm, Count, Eps, Positive
from robust.results.attack_result import AttackResult


@declared.attack(access="gradient", warm_start=True, eps_per_image=True, trace=True)
@as_attack
def pgd(
    task: Task,
    *,
    eps: Eps,
    norm: AnyNorm = "linf",
    steps: Count = 20,
    step_size: Positive | None = None,
    random_start: bool = True,
    restarts: Count = 1,
) -> AttackResult:
    """Steps that increase the loss, each projected onto the ball: x <- P(x + a * sign(grad CE(x, y))).

    Args:
        classifier, images, labels, seeds, start, targets: see `robust.attacks`.
        eps: radius of the ball around each image, in units of a [0, 1] image.
        norm: of the ball; for L2 the step goes along g / ||g||, for L1 it moves the pixels with the largest
            |g| to black or white, and the projection onto ball and box is exact.
        steps: of each run, at most: an image stops once it fools the model.
        step_size: of one step; by default 2.5 * eps / steps, as in Madry et al. for L2, so that a run can
            reach any side of the ball.
        random_start: start from a random point of the ball instead of the image.
        restarts: runs from new random points, for the images that do not fool the model yet.

    Source: Madry et al., Towards deep learning models resistant to adversarial attacks, ICLR 2018;
    Kurakin, Goodfellow & Bengio, ICLR 2017 workshop, without the random start.
    """
    hyperparameters = {"eps": eps, "size": 2.5 * eps / steps if step_size is None else step_size}
    loss = losses.leave if task.targets is None else losses.reach
    n_clean_starts = 0 if random_start else 1
    method = IterativeAttack(
        "pgd", norm, steps, hyperparameters, loss, ascend, n_clean_starts=n_clean_starts, restarts=restarts
    )
    return attack(task, method)
