"""Scores that are constant around an image, so that a search by scores gets no direction."""

from collections.abc import Iterator

import numpy as np

from robust.attacks.diagnostics.attack_checks import AttackRun
from robust.attacks.diagnostics.diagnosis import Reason, significantly_above
from robust.attacks.diagnostics.model_checks import around
from robust.attacks.diagnostics.probes import margins_of, outputs_of
from robust.core.declared import of_attack

_ALIKE = 5  # different margins of eleven, at most: float32 gives eleven


def flat_scores(run: AttackRun) -> Iterator[Reason]:
    """Are there at most five different margins at an image and ten random points of its ball, where the attack failed?

    This is so for hard labels, for probabilities rounded to few decimals or to eight bits, and for a softmax that
    saturates in float32. Only for attacks that maximise the margin by scores alone.
    """
    task, given, rows = run.task, run.call.arguments, np.flatnonzero(~run.is_adv)
    if not rows.size or of_attack(run.call.name).access != "score":
        return
    targets = (task.labels if task.targets is None else task.targets)[rows]
    seen = [task.images[rows], *around(task, rows, given.get("eps"), given.get("norm", "linf"))]
    margins = np.sort([margins_of(outputs_of(task.classifier, each), targets) for each in seen], axis=0)
    different = 1 + (np.diff(margins, axis=0) > 0).sum(axis=0)
    if significantly_above(count := int((different <= _ALIKE).sum()), n := len(run.is_adv)):
        yield Reason("flat_scores", count / n, n)
