"""The attack of Carlini & Wagner in L2, in the implementation of Foolbox."""

from typing import Literal

from robust.attacks.contract import as_attack
from robust.attacks.foolbox import foolbox_attack
from robust.attacks.iterative import Task
from robust.core import declared
from robust.core.types import Count, Eps, Positive
from robust.results.attack_result import AttackResult


@declared.attack(
    access="gradient",
    minimizes=True,
    independent=False,
    returns_last=True,
    test_arguments={"steps": 12, "searches": 1, "step_size": 0.05, "constant": 10.0},
)
@as_attack
def carlini_wagner(
    task: Task,
    *,
    eps: Eps,
    norm: Literal["l2"] = "l2",
    steps: Count = 1000,
    searches: Count = 9,
    step_size: Positive = 0.01,
    constant: Positive = 0.001,
) -> AttackResult:
    """Minimise ||d||_2^2 + c max(z_y - max z_other, 0) by Adam, with a search for c, by Foolbox.

    Args:
        classifier, images, labels, seeds, targets: see `robust.attacks`; `start` is not used.
        eps: changes larger than this do not count, in units of a [0, 1] image.
        norm: in which the distance is minimised; only L2.
        steps: of each minimisation, at most; in the paper 10,000.
        searches: how many values of c are tried, one after the other.
        step_size: of Adam, in the tanh space of the image.
        constant: the first c.

    Source: Carlini & Wagner, Towards evaluating the robustness of neural networks, S&P 2017.
    """
    found = foolbox_attack(
        task.classifier, task.images, task.labels, seeds=task.seeds, start=task.start, targets=task.targets,
        attack="L2CarliniWagnerAttack",
        eps=eps, norm=norm, steps=steps, binary_search_steps=searches, stepsize=step_size, initial_const=constant,
    )  # fmt: skip
    found.by[found.by != ""] = "carlini_wagner"
    return found
