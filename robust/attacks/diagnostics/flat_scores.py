"""Answers that are alike all around an image, so that a search by answers cannot see where it goes."""

from collections.abc import Iterator

import numpy as np

from robust.attacks.diagnostics.attack_checks import AttackRun
from robust.attacks.diagnostics.diagnosis import Reason, clearly
from robust.attacks.diagnostics.model_checks import around
from robust.attacks.diagnostics.probes import margins_of, outputs_of
from robust.core.declared import of_attack

_ALIKE = 5  # different margins of eleven, at the most: float32 gives eleven of them


def flat_scores(run: AttackRun) -> Iterator[Reason]:
    """Has an image that stands at most five different margins, at itself and at ten random points of its ball?

    So it is of hard labels, of probabilities rounded to few decimals or to eight bits, and of a softmax that is
    sure beyond float32. Asked of attacks that climb the margin by the answers alone.
    """
    task, given, rows = run.task, run.call.arguments, np.flatnonzero(~run.is_adv)
    if not rows.size or of_attack(run.call.name).access != "score":
        return
    targets = (task.labels if task.targets is None else task.targets)[rows]
    seen = [task.images[rows], *around(task, rows, given.get("eps"), given.get("norm", "linf"))]
    margins = np.sort([margins_of(outputs_of(task.classifier, each), targets) for each in seen], axis=0)
    different = 1 + (np.diff(margins, axis=0) > 0).sum(axis=0)
    if clearly(count := int((different <= _ALIKE).sum()), n := len(run.is_adv)):
        yield Reason("flat_scores", count / n, n)
