"""A different search for the smallest change, on images for which the search of the case has found one."""

from collections.abc import Iterator

import numpy as np

from robust.attacks import ball
from robust.attacks.diagnostics.attack_checks import AttackRun
from robust.attacks.diagnostics.diagnosis import Reason, significantly_above
from robust.attacks.minimal.search import smallest_changes
from robust.core.declared import of_attack
from robust.core.errors import ModelError
from robust.core.signature import Call

SMALLER = 0.1  # two searches may differ by this share although nothing is wrong
_IMAGES = 32
_FAB, _APGD = {"steps": 50, "classes": 3, "restarts": 1}, {"steps": 20}


def smaller_distance_found(run: AttackRun) -> Iterator[Reason]:
    """Does another search find clearly smaller changes? Then a distance is an upper bound that is far from tight.

    APGD in shrinking balls, or FAB if the case used APGD, does not use what was found: it may get stuck elsewhere,
    which is no fault of the search that is checked. Without gradients, the search used scores alone: on a small
    convolutional net Square with 100 queries gave changes 1.6 times as large as APGD.
    """
    found = np.flatnonzero(run.is_adv & ~run.wrong)
    rows, task, given = found[:_IMAGES], run.task, run.call.arguments
    if not rows.size or run.sizes is None or given.get("norm") == "l0":
        return
    made = {run.call.name, *of_attack(run.call.name).includes}
    name, options = ("fab", _FAB) if made & {"apgd", "apgd_t"} else ("apgd", _APGD)
    call = Call("attacks", name, {**options, "norm": given.get("norm", "linf"), "eps": given["eps"]})
    targets, images = None if task.targets is None else task.targets[rows], task.images[rows]
    try:
        other = smallest_changes(
            call, task.classifier, images, task.labels[rows], seeds=task.seeds[rows], targets=targets
        )
    except ModelError:
        yield Reason("no_model_gradients", len(found) / len(run.is_adv), len(run.is_adv))
        return
    sizes = np.where(other.by == "", np.inf, ball.distances[call.arguments["norm"]](other.images - images))
    count = int((sizes < (1 - SMALLER) * run.sizes[rows]).sum())
    if significantly_above(count, len(rows)):
        yield Reason("smaller_distance_found", count / len(rows), len(rows))
