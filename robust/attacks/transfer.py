"""Transfer: adversarial examples of one model, evaluated on another."""

from dataclasses import replace

import numpy as np

from robust.attacks.contract import as_attack
from robust.attacks.iterative import Task
from robust.core import declared, signature
from robust.core.types import AnyNorm, Eps, Source
from robust.models.classifier import Classifier
from robust.models.classifier.memory import halving_batches
from robust.results.attack_result import AttackResult, fooled
from robust.suite.transfer import inner


@declared.attack(access="transfer")
@as_attack
def transfer(
    task: Task, *, source: Source, attack: str | dict[str, object], eps: Eps, norm: AnyNorm = "linf"
) -> AttackResult:
    """Attack another model, and evaluate the adversarial examples on this one, to which no access is needed.

    The attack stops at the first point that fools the source, so its images are a weak test of a model that is harder
    to fool. For such a model choose an attack of one full step (fgsm), or a source that is as hard to fool.

    Args:
        classifier, images, labels, seeds, targets: see `robust.attacks`.
        start: not used: the images found at a smaller eps fool the source already.
        source: the other model: in a suite, its name there; from Python, a model of the same classes.
        attack: the attack on the source, as in a suite: "fgsm" or {"name": "pgd", "steps": 40}.
        eps: radius of the ball around each image, in units of a [0, 1] image.
        norm: of the ball.

    The passes counted are those through the source, and one forward pass of this model.

    Raises SuiteError if the attack is unknown, or sets its own eps or norm.

    Source: Szegedy et al., Intriguing properties of neural networks, ICLR 2014; Papernot, McDaniel &
    Goodfellow, Transferability in machine learning, 2016.
    """
    made_on = source if isinstance(source, Classifier) else Classifier(source, task.classifier.classes)
    call = signature.bind("attacks", inner({"attack": attack, "eps": eps, "norm": norm}))
    # Of the two models the source is the one that may run out of memory here: its batches are halved.
    found = halving_batches(
        made_on,
        lambda: call(made_on, task.images, task.labels, seeds=task.seeds, start=None, targets=task.targets),
        lambda line: None,
    )
    is_adv = fooled(task.classifier.logits(found.images).argmax(axis=1), task.labels, task.targets)
    return replace(found, by=np.where(is_adv, "transfer", ""), n_forward=found.n_forward + np.int32(1))
