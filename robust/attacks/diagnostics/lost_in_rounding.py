"""Changes of the pixels that are lost in rounding, or dominated by it, before they reach the outputs."""

import math
from collections.abc import Iterator

import numpy as np

from robust.attacks.diagnostics.attack_checks import AttackRun
from robust.attacks.diagnostics.diagnosis import Reason
from robust.attacks.diagnostics.model_checks import LEVEL
from robust.attacks.diagnostics.probes import central_difference, random_signs
from robust.attacks.iterative import Task
from robust.core.signature import Call

_DIRECTIONS, _LARGER = 4, 4 * LEVEL
_SIZE, _ALIKE = 0.75, 0.5  # of what larger changes predict; of the squared changes that these explain: 1 without loss
_MOST = 0.5  # of the images
_FEW = 10  # with fewer images there is no result


def lost_in_rounding(run: AttackRun) -> Iterator[Reason]:
    """Where changes of this eps, below one grey level, move the margin differently than changes of four levels predict.

    This is so where a model computes on its pixels in half precision, or uses whole grey levels only: robustness to
    changes that the rounding removes says nothing of the layers after it.
    """
    step = per_pixel(run.call, run.task.images)
    if not 0 < step < LEVEL:
        return
    small, large = moves(run.task, step), moves(run.task, _LARGER)
    both, own, others = ((a * b).sum(axis=0) for a, b in ((small, large), (small, small), (large, large)))
    moved = others > 0
    both, own, others = both[moved], own[moved], others[moved]
    size = both / others * _LARGER / step
    alike = both**2 / np.maximum(own * others, np.finfo(float).tiny)
    lost = (size < _SIZE) | (alike < _ALIKE)
    if lost.size >= _FEW and lost.mean() > _MOST:
        yield Reason("lost_in_rounding", float(lost.mean()), lost.size)


def per_pixel(call: Call, images: np.ndarray) -> float:
    """How far each pixel may change if all change equally; 0 if unknown, or if the norm lets few change far."""
    norm, eps = call.arguments.get("norm", "linf"), float(call.arguments.get("eps", 0))
    return {"linf": eps, "l2": eps / math.sqrt(math.prod(images.shape[1:]))}.get(norm, 0.0)


def moves(task: Task, size: float) -> np.ndarray:
    """Central differences of the margins along random signs, float64 [ways, N]."""
    directions = random_signs(task.images.shape[1:], _DIRECTIONS)
    return np.array([central_difference(task, size * signs)[1] for signs in directions])
