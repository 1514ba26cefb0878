"""Scores that do not tell decisions: margins that jump where the answer changes, so that climbing leads nowhere."""

from collections.abc import Iterator

import numpy as np

from robust.attacks.diagnostics.diagnosis import Reason
from robust.attacks.diagnostics.probes import outputs_of
from robust.attacks.iterative import Task

_PAIRS, _FEW = 20, 10  # of images with different answers; fewer would say nothing
_PLACES, _ROUNDS = 5, 8  # on a line at a time, and how often: an interval of 6^-8, a two-millionth of the line
_JUMP = 0.25  # of the margins at the images: see tests/attacks/diagnostics/test_jumps.py for what sound models have
_QUANTA = 4  # smallest differences between the answers, as of eight bits: less is no jump
_DIGITS = 1e-4  # of the spread of the logits: less is rounding


def jumping_scores(task: Task, outputs: np.ndarray) -> Iterator[Reason]:
    """On lines between images, is the margin far from 0 on both sides of the place where the answer changes?

    There it is 0 where scores rule decisions: the two largest logits are equal. The place is looked for by the answers
    alone. Of a model that answers with one network and scores by another, or bends its scores against who climbs them,
    the number of an attack by gradients or scores says nothing.
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
    """Rows of images with different answers, at most 20 pairs, always the same."""
    before, after = np.nonzero(predicted[:, None] < predicted)
    chosen = np.random.default_rng(0).permutation(len(before))[:_PAIRS]
    return before[chosen], after[chosen]


def _sides(task: Task, before: np.ndarray, after: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """The answers right before and right after the first one leaves `answer` on each line, [2, pairs, C]."""
    start, way = task.images[before].astype(np.float64), task.images[after].astype(np.float64) - task.images[before]
    rows = np.arange(len(before))
    ends = np.array([np.zeros(len(before)), np.ones(len(before))])

    def ask(places: np.ndarray) -> np.ndarray:
        points = start + places[..., None, None, None] * way
        asked = outputs_of(task.classifier, points.reshape(-1, *points.shape[2:]).astype(task.images.dtype))
        return asked.reshape(*places.shape, -1)

    for _ in range(_ROUNDS):
        places = np.linspace(ends[0], ends[1], _PLACES + 2)
        left = np.ones(places.shape, bool)
        left[0], left[1:-1] = False, ask(places[1:-1]).argmax(axis=-1) != answer
        first = left.argmax(axis=0)
        ends = np.array([places[first - 1, rows], places[first, rows]])
    return ask(ends)


def margins(outputs: np.ndarray) -> np.ndarray:
    """The largest logit minus the second, of each row [..., C]."""
    two = np.sort(outputs.astype(np.float64), axis=-1)[..., -2:]
    return two[..., 1] - two[..., 0]


def quantum(outputs: np.ndarray) -> float:
    """The smallest difference between any two numbers of the answers: next to nothing of floats."""
    return float(np.diff(np.unique(outputs)).min(initial=np.inf)) if np.ptp(outputs) else 0.0
