"""Parts of a model that no gradient reaches, small ones included, where the model is smooth enough to detect them."""

from collections.abc import Callable, Iterator

import numpy as np

from robust.attacks.diagnostics.diagnosis import Reason, significantly_above
from robust.attacks.diagnostics.model_checks import BOX, LEVEL, at_random_points, gradient_of
from robust.attacks.diagnostics.probes import central_difference, coarse_signs, explained, random_signs
from robust.attacks.iterative import Task

_DIRECTIONS, _SCALES = 4, (LEVEL, LEVEL / 4)
_SMOOTH = 0.98  # of the squared changes, from one scale to the other; half precision and kinks rarely pass
_EXPLAINED = 0.9  # of these that a gradient explains; for 18 sound networks all but one of fifty images exceed 0.93
_EXCEPTIONS = 0.2  # share of the smooth images that is tolerated

Directions = Callable[[tuple[int, ...], int], Iterator[np.ndarray]]


def partial_gradients(task: Task, eps: float | None, norm: str | None) -> Iterator[Reason]:
    """Where the changes of the margin at two small scales agree with each other, but not with the gradient.

    Evaluated at random points around the images, of 8/255 or more: at whole grey levels an area of one colour is at
    the kinks of max pooling, where a gradient is one of many. The directions are random signs per pixel, and random
    signs on a coarse grid, the only ones that change averages over places.
    """
    wide = norm == "linf" and (eps or 0) > BOX
    task = at_random_points(task, eps if wide else BOX, "linf")
    gradient = gradient_of(task)
    found = [reason for kind in (random_signs, coarse_signs) for reason in _of_kind(task, gradient, kind)]
    yield from sorted(found, key=lambda reason: reason.value)[-1:]


def _of_kind(task: Task, gradient: np.ndarray, directions: Directions) -> Iterator[Reason]:
    (_, large), (predicted, small) = (moves(task, gradient, directions, scale) for scale in _SCALES)
    smooth = explained(large, small) >= _SMOOTH
    unexplained = explained(predicted, small)[smooth] < _EXPLAINED
    if significantly_above(count := int(unexplained.sum()), n := unexplained.size, _EXCEPTIONS):
        yield Reason("partial_gradients", count / n, n)


def moves(task: Task, gradient: np.ndarray, directions: Directions, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """The central differences of the margins: as the gradient predicts, and as observed, float64 [ways, N] each."""
    predicted, found = [], []
    for signs in directions(task.images.shape[1:], _DIRECTIONS):
        moved, change = central_difference(task, scale * signs)
        predicted.append((gradient * moved.astype(np.float64)).sum(axis=(1, 2, 3)))
        found.append(change)
    return np.array(predicted), np.array(found)
