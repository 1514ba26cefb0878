"""Transfer: examples made on one model, shown to another."""

from dataclasses import replace
from typing import Any

import numpy as np

from robust.attacks.contract import as_attack
from robust.attacks.iterative import Task
from robust.core import declared, signature
from robust.core.types import AnyNorm, Eps, Source
from robust.models.classifier import Classifier
from robust.models.classifier.memory import fitting
from robust.results.attack_result import AttackResult, fooled
from robust.suite.transfer import inner


@declared.attack(access="transfer")
@as_attack
def transfer(
    task: Task, *, source: Source, attack: str | dict[str, Any], eps: Eps, norm: AnyNorm = "linf"
) -> AttackResult:
    """Attack another model, and show this one what came out: who needs no access to a model can still fool it.

    The attack stops at what fools the source, so its images say little of one that is harder to fool: then
    take one that makes its whole way in a step (fgsm), or a source that is as hard.

    Args:
        classifier, images, labels, seeds, targets: see `robust.attacks`.
        start: not used: what a smaller eps has left fools the source already.
        source: the other model: in a suite its name there; from Python a model of the same classes.
        attack: the attack on the source, as in a suite: "fgsm" or {"name": "pgd", "steps": 40}.
        eps: radius of the ball around each image, in units of a [0, 1] image.
        norm: of the ball.

    Passes are those through the source, and one look of this model.

    Raises SuiteError where the attack is not one, or has an eps or a norm of its own.

    Source: Szegedy et al., Intriguing properties of neural networks, ICLR 2014; Papernot, McDaniel &
    Goodfellow, Transferability in machine learning, 2016.
    """
    made_on = source if isinstance(source, Classifier) else Classifier(source, task.classifier.classes)
    call = signature.bind("attacks", inner({"attack": attack, "eps": eps, "norm": norm}))
    # Of two models this is the one that may ask for too much memory here, so it is the one whose batches are halved.
    found = fitting(
        made_on,
        lambda: call(made_on, task.images, task.labels, seeds=task.seeds, start=None, targets=task.targets),
        lambda line: None,
    )
    is_adv = fooled(task.classifier.logits(found.images).argmax(axis=1), task.labels, task.targets)
    return replace(found, by=np.where(is_adv, "transfer", ""), n_forward=found.n_forward + np.int32(1))
