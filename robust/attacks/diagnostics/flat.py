"""Answers that are alike all around an image, so that a search by answers cannot see where it goes."""

from collections.abc import Iterator

import numpy as np

from robust.attacks.diagnostics.attack import AttackRun
from robust.attacks.diagnostics.evidence import Reason, clearly
from robust.attacks.diagnostics.model import around
from robust.attacks.diagnostics.steps import answers, margins_of
from robust.core.declared import of_attack

_ALIKE = 5  # different margins of eleven, at the most: float32 gives eleven of them


def flat(run: AttackRun) -> Iterator[Reason]:
    """Has an image that stands at most five different margins, at itself and at ten random points of its ball?

    So it is of hard labels, of probabilities rounded to few decimals or to eight bits, and of a softmax that is
    sure beyond float32. Asked of attacks that climb the margin by the answers alone.
    """
    task, given, rows = run.task, run.call.arguments, np.flatnonzero(~run.fell)
    if not rows.size or of_attack(run.call.name).access != "score":
        return
    aims = (task.labels if task.targets is None else task.targets)[rows]
    seen = [task.images[rows], *around(task, rows, given.get("eps"), given.get("norm", "linf"))]
    margins = np.sort([margins_of(answers(task.classifier, each), aims) for each in seen], axis=0)
    different = 1 + (np.diff(margins, axis=0) > 0).sum(axis=0)
    if clearly(count := int((different <= _ALIKE).sum()), n := len(run.fell)):
        yield Reason("flat_answers", count / n, n)
