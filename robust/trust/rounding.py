"""Changes of the pixels that are lost, or drowned, in rounding before they reach the answers."""

import math
from collections.abc import Iterator

import numpy as np

from robust.attacks.survivors import Task
from robust.schema import Call
from robust.trust.attack import Run
from robust.trust.evidence import Reason
from robust.trust.model import LEVEL, answers, margins_of

_WAYS, _LARGER = 4, 4 * LEVEL
_SIZE, _ALIKE = 0.75, 0.5  # of what larger changes say, and of the squared changes that these explain: 1 where all pass
_MOST = 0.5  # of the images
_FEW = 10  # images that would say nothing of the others


def lost(run: Run) -> Iterator[Reason]:
    """Where changes of this eps, of less than a grey level, move the margin otherwise than four levels say.

    So it is where a model computes on its pixels in half precision, or takes whole grey levels only: robustness to
    what it does not see is none of what follows after the rounding.
    """
    step = _per_pixel(run.call, run.task.images)
    if not 0 < step < LEVEL:
        return
    small, large = _moves(run.task, step), _moves(run.task, _LARGER)
    both, own, others = ((a * b).sum(axis=0) for a, b in ((small, large), (small, small), (large, large)))
    moved = others > 0
    both, own, others = both[moved], own[moved], others[moved]
    size = both / others * _LARGER / step
    alike = both**2 / np.maximum(own * others, np.finfo(float).tiny)
    hidden = (size < _SIZE) | (alike < _ALIKE)
    if hidden.size >= _FEW and hidden.mean() > _MOST:
        yield Reason("lost_in_rounding", float(hidden.mean()), hidden.size)


def _per_pixel(call: Call, images: np.ndarray) -> float:
    """How far each pixel may go where all go alike; 0 where nothing is known, or few go far."""
    norm, eps = call.arguments.get("norm", "linf"), float(call.arguments.get("eps", 0))
    return {"linf": eps, "l2": eps / math.sqrt(math.prod(images.shape[1:]))}.get(norm, 0.0)


def _moves(task: Task, size: float) -> np.ndarray:
    """How the margins change between there and back along random signs, float64 [ways, N]."""
    rng, found = np.random.default_rng(0), []
    for _ in range(_WAYS):
        step = size * rng.choice([-1.0, 1.0], task.images.shape[1:])
        ends = (np.clip(task.images + way, 0, 1).astype(task.images.dtype) for way in (step, -step))
        there, back = (margins_of(answers(task.classifier, each), task.labels).astype(np.float64) for each in ends)
        found.append(there - back)
    return np.array(found)
