"""Scores that do not determine the predictions: margins that jump where the predicted class changes."""

from collections.abc import Iterator

import numpy as np

from robust.attacks.diagnostics.diagnosis import Reason
from robust.attacks.diagnostics.probes import outputs_of
from robust.attacks.iterative import Task

_PAIRS, _FEW = 20, 10  # of images with different predictions; with fewer there is no result
_POINTS, _ROUNDS = 5, 8  # points on a line per round, and rounds: an interval of 6^-8, a two-millionth of the line
_JUMP = 0.25  # of the margins at the images: for sound models see tests/attacks/diagnostics/test_jumping_scores.py
_QUANTA = 4  # smallest differences between outputs, as of eight bits: less is no jump
_DIGITS = 1e-4  # of the spread of the logits: less is rounding


def jumping_scores(task: Task, outputs: np.ndarray) -> Iterator[Reason]:
    """On lines between images, is the margin far from 0 on both sides of the place where the predicted class changes?

    It is 0 there if the scores determine the prediction: the two largest logits are equal. The place is found by the
    predicted classes alone. For a model that predicts with one network and scores with another, or distorts its scores
    against attacks that follow them, an attack by gradients or scores shows nothing.
    """
    if not np.isfinite(outputs).all() or outputs.shape[1] < 2:
        return
    before, after = pairs(outputs.argmax(axis=1))
    if len(before) < _FEW:
        return
    sides = _sides(task, before, after, outputs.argmax(axis=1)[before])
    if not np.isfinite(sides).all():
        return
    gap, size = float(np.median(margins(sides).mean(axis=0))), float(np.median(margins(outputs)))
    least = max(_QUANTA * quantum(outputs), _DIGITS * float(np.median(np.ptp(outputs, axis=1))))
    if size and gap > max(_JUMP * size, least):
        yield Reason("jumping_scores", gap / size, len(before))


def pairs(predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of images with different predictions, at most 20 pairs, always the same."""
    before, after = np.nonzero(predicted[:, None] < predicted)
    chosen = np.random.default_rng(0).permutation(len(before))[:_PAIRS]
    return before[chosen], after[chosen]


def _sides(task: Task, before: np.ndarray, after: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """The outputs right before and right after the prediction first leaves `predicted` on each line, [2, pairs, C]."""
    start, way = task.images[before].astype(np.float64), task.images[after].astype(np.float64) - task.images[before]
    rows = np.arange(len(before))
    ends = np.array([np.zeros(len(before)), np.ones(len(before))])

    def outputs_at(places: np.ndarray) -> np.ndarray:
        points = start + places[..., None, None, None] * way
        outputs = outputs_of(task.classifier, points.reshape(-1, *points.shape[2:]).astype(task.images.dtype))
        return outputs.reshape(*places.shape, -1)

    for _ in range(_ROUNDS):
        places = np.linspace(ends[0], ends[1], _POINTS + 2)
        left = np.ones(places.shape, bool)
        left[0], left[1:-1] = False, outputs_at(places[1:-1]).argmax(axis=-1) != predicted
        first = left.argmax(axis=0)
        ends = np.array([places[first - 1, rows], places[first, rows]])
    return outputs_at(ends)


def margins(outputs: np.ndarray) -> np.ndarray:
    """The largest logit minus the second, for each row [..., C]."""
    two = np.sort(outputs.astype(np.float64), axis=-1)[..., -2:]
    return two[..., 1] - two[..., 0]


def quantum(outputs: np.ndarray) -> float:
    """The smallest difference between any two numbers of the outputs: close to 0 for floats."""
    return float(np.diff(np.unique(outputs)).min(initial=np.inf)) if np.ptp(outputs) else 0.0
