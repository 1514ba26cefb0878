"""DeepFool, in the implementation of Foolbox."""

from robust.attacks.contract import as_attack
from robust.attacks.foolbox import foolbox_attack
from robust.attacks.iterative import Task
from robust.core import declared
from robust.core.types import Count, Eps, NonNegative, Norm
from robust.results.attack_result import AttackResult

CLASSES = {"linf": "LinfDeepFoolAttack", "l2": "L2DeepFoolAttack"}


@declared.attack(access="gradient", minimizes=True, independent=False, returns_last=True, test_arguments={"steps": 3})
@as_attack
def deepfool(
    task: Task, *, eps: Eps, norm: Norm = "l2", steps: Count = 50, overshoot: NonNegative = 0.02, candidates: Count = 10
) -> AttackResult:
    """Steps to the nearest decision boundary of the linearised model, by Foolbox.

    Args:
        classifier, images, labels, seeds, targets: see `robust.attacks`; `start` is not used.
        eps: changes larger than this do not count, in units of a [0, 1] image.
        norm: in which the distance is minimised.
        steps: at most.
        overshoot: how far to go beyond the boundary, as a share of the way to it.
        candidates: how many of the most likely classes are considered.

    Source: Moosavi-Dezfooli, Fawzi & Frossard, DeepFool, CVPR 2016.
    """
    found = foolbox_attack(
        task.classifier, task.images, task.labels, seeds=task.seeds, start=task.start, targets=task.targets,
        attack=CLASSES[norm], eps=eps, norm=norm,
        steps=steps, overshoot=overshoot, candidates=min(candidates, task.classifier.classes),
    )  # fmt: skip
    found.by[found.by != ""] = "deepfool"
    return found
