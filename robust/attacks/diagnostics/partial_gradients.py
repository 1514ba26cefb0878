"""Parts of a model that no gradient reaches, small ones too, where the model is smooth enough to tell."""

from collections.abc import Callable, Iterator

import numpy as np

from robust.attacks.diagnostics.diagnosis import Reason, clearly
from robust.attacks.diagnostics.model_checks import BOX, LEVEL, at_random_points, gradient_of
from robust.attacks.diagnostics.probes import coarse_signs, explained, random_signs, there_and_back
from robust.attacks.iterative import Task

_WAYS, _SCALES = 4, (LEVEL, LEVEL / 4)
_SMOOTH = 0.98  # of the squared changes, from one scale to the other; half precision and bends seldom pass
_SEEN = 0.9  # of these that a gradient explains; of 18 sound nets all but one of fifty images are above 0.93
_EXCEPTIONS = 0.2  # share of the telling images that need not speak of the others

Directions = Callable[[tuple[int, ...], int], Iterator[np.ndarray]]


def partial_gradients(task: Task, eps: float | None, norm: str | None) -> Iterator[Reason]:
    """Where the margins of two small scales agree with each other, and the gradient does not agree with them.

    Asked at random points around the images, of 8/255 or more: at whole grey levels an area of one colour lies in
    the bends of max pooling, where a gradient is one of many. Along white signs, and along signs on a coarse grid,
    which alone move what averages over places.
    """
    wide = norm == "linf" and (eps or 0) > BOX
    task = at_random_points(task, eps if wide else BOX, "linf")
    gradient = gradient_of(task)
    found = [reason for kind in (random_signs, coarse_signs) for reason in _of_kind(task, gradient, kind)]
    yield from sorted(found, key=lambda reason: reason.value)[-1:]


def _of_kind(task: Task, gradient: np.ndarray, directions: Directions) -> Iterator[Reason]:
    (_, large), (said, small) = (moves(task, gradient, directions, scale) for scale in _SCALES)
    telling = explained(large, small) >= _SMOOTH
    blind = explained(said, small)[telling] < _SEEN
    if clearly(count := int(blind.sum()), n := blind.size, _EXCEPTIONS):
        yield Reason("partial_gradients", count / n, n)


def moves(task: Task, gradient: np.ndarray, directions: Directions, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """What the gradient says of the margins between there and back, and what they are, float64 [ways, N] each."""
    said, found = [], []
    for signs in directions(task.images.shape[1:], _WAYS):
        moved, change = there_and_back(task, scale * signs)
        said.append((gradient * moved.astype(np.float64)).sum(axis=(1, 2, 3)))
        found.append(change)
    return np.array(said), np.array(found)
