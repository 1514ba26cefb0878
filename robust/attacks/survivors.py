"""The engine of the gradient attacks: only images that still stand are attacked, in full batches.

A batch has a fixed number of slots. A compiled graph takes every slot a few steps up the loss and stops
each at its first iterate that fools the model; then the slots of fooled and of finished images go to the
next images that wait. An image's path hangs on its own seed, never on who shares its batch.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from robust.attacks import ball, losses
from robust.classifier import Classifier
from robust.perturbed import Perturbed
from robust.quantities import Norm

LOOK = 4  # steps between two looks at who has fallen: fewer cost hand-overs, more cost steps of the fallen

Step = Callable[[tf.Tensor, tf.Tensor, tf.Tensor, ball.Scalar, ball.Scalar, Norm], tf.Tensor]


@dataclass(frozen=True)
class Climb:
    """How an attack climbs the loss: its graph-pure step, and how often it is taken from where."""

    eps: float
    norm: Norm
    steps: int
    step_size: float
    random_start: bool
    restarts: int = 1
    step: Step = ball.step


@dataclass(frozen=True)
class Task:
    """Whom to attack: everything about the images that stays the same while they are attacked."""

    classifier: Classifier
    images: np.ndarray  # [N, H, W, C] in [0, 1]
    labels: np.ndarray  # int64 [N]
    seeds: np.ndarray  # int64 [N]
    start: np.ndarray | None  # [N, H, W, C]: where the first climb begins, instead of the climb's own choice
    targets: np.ndarray | None  # int64 [N]


@dataclass(frozen=True)
class _Slots:
    """The batch: which image each slot holds (-1: none), where it is, and how many steps it has left."""

    rows: np.ndarray
    centres: np.ndarray
    points: np.ndarray
    aims: np.ndarray
    left: np.ndarray


def attack(task: Task, climb: Climb, name: str) -> Perturbed:
    """Climb from each image until it fools the model or its steps are used up; restart those that stand."""
    result = Perturbed.of(task.images, looks=-(-climb.steps // LOOK))
    for restart in range(climb.restarts):
        standing = np.flatnonzero(result.by == "")
        if not standing.size:
            break
        _climb(task, climb, standing, restart, name, result)
        _judge_last(task, standing[result.by[standing] == ""], name, result)
    return result


def _climb(task: Task, climb: Climb, rows: np.ndarray, restart: int, name: str, result: Perturbed) -> None:
    classifier, waiting = task.classifier, deque(rows)
    slots = _empty(task)
    graph = classifier.compiled(
        ("walk", climb.step, climb.norm, task.targets is None),
        lambda: walk(classifier, climb.step, climb.norm, task.targets is not None),
    )
    numbers = [tf.constant(v, classifier.dtype) for v in (climb.eps, climb.step_size)]
    steps = min(LOOK, climb.steps)
    while True:
        _refill(slots, waiting, task, climb, restart)
        if (slots.rows < 0).all():
            return
        tensors = [tf.constant(v) for v in (slots.points, slots.centres, slots.aims, slots.left)]
        walked = graph(*tensors, *numbers, tf.constant(steps))
        classifier.count(forward=steps * len(slots.rows), backward=steps * len(slots.rows))
        _harvest(slots, [v.numpy() for v in walked], climb.steps, name, result)


def _empty(task: Task) -> _Slots:
    size = task.classifier.batch_size
    centres = np.zeros((size, *task.images.shape[1:]), task.classifier.dtype.as_numpy_dtype)
    return _Slots(np.full(size, -1), centres, centres.copy(), np.zeros(size, np.int64), np.zeros(size, np.int32))


def _refill(slots: _Slots, waiting: deque, task: Task, climb: Climb, restart: int) -> None:
    free = np.flatnonzero(slots.rows < 0)[: len(waiting)]
    rows = np.array([waiting.popleft() for _ in free], int)
    if not rows.size:
        return
    slots.rows[free], slots.left[free] = rows, climb.steps
    slots.centres[free] = task.images[rows]
    slots.aims[free] = (task.labels if task.targets is None else task.targets)[rows]
    slots.points[free] = _starts(task, climb, rows, restart)


def _starts(task: Task, climb: Climb, rows: np.ndarray, restart: int) -> np.ndarray:
    """Where these images begin: where they were left, or at a random point of the ball, or at the image."""
    if restart == 0 and task.start is not None:
        return task.start[rows]
    if restart == 0 and not climb.random_start:
        return task.images[rows]
    classifier, norm = task.classifier, climb.norm
    draw = classifier.compiled(("draw", norm), lambda: lambda c, s, r, e: ball.random_point(c, s, r, e, norm))
    padded = np.resize(rows, classifier.batch_size)  # the one shape: repeats the rows to fill up
    points = draw(
        tf.constant(task.images[padded], classifier.dtype),
        tf.constant(task.seeds[padded]),
        tf.constant(restart),
        tf.constant(climb.eps, classifier.dtype),
    )
    return points.numpy()[: len(rows)]


def walk(classifier: Classifier, step: Step, norm: Norm, targeted: bool) -> Callable[..., tuple]:
    """The graph: `steps` steps of every slot; those that have fallen or have none left stay where they are."""
    loss = losses.towards if targeted else losses.cross_entropy

    def take(points, centres, aims, left, eps, size, steps):  # type: ignore[no-untyped-def]
        def body(i, points, left, fooled, value):  # type: ignore[no-untyped-def]
            losses_, logits, gradients = classifier.gradient(points, aims, loss)
            hits = tf.argmax(logits, 1) == aims if targeted else tf.argmax(logits, 1) != aims
            moving = (left > 0) & ~hits  # whoever fools the model stays, and fools it at the next look, too
            value = tf.where(left > 0, tf.cast(losses_, tf.float32), value)
            points = tf.where(moving[:, None, None, None], step(points, gradients, centres, eps, size, norm), points)
            return i + 1, points, left - tf.cast(moving, tf.int32), (left > 0) & hits, value

        start = 0, points, left, tf.zeros_like(left, tf.bool), tf.fill(tf.shape(left), float("nan"))
        return tf.while_loop(lambda i, *_: i < steps, body, start, parallel_iterations=1)[1:]

    return take


def _harvest(slots: _Slots, walked: list[np.ndarray], steps: int, name: str, result: Perturbed) -> None:
    points, left, fooled, value = walked
    busy = np.flatnonzero(slots.rows >= 0)
    rows = slots.rows[busy]
    spent = slots.left[busy] - left[busy] + fooled[busy]  # the pass that found it fooled was spent, too
    result.forward[rows] += spent
    result.backward[rows] += spent
    result.trace[rows, (steps - slots.left[busy]) // LOOK] = value[busy]
    slots.points[busy], slots.left[busy] = points[busy], left[busy]
    done = busy[fooled[busy] | (left[busy] == 0)]
    result.images[slots.rows[done]] = points[done]
    result.by[slots.rows[done[fooled[done]]]] = name
    slots.rows[done], slots.left[done] = -1, 0


def _judge_last(task: Task, rows: np.ndarray, name: str, result: Perturbed) -> None:
    """The last iterates have not been looked at yet: that takes one more forward pass."""
    if not rows.size:
        return
    predicted = task.classifier.logits(result.images[rows]).argmax(axis=1)
    result.forward[rows] += 1
    fell = predicted != task.labels[rows] if task.targets is None else predicted == task.targets[rows]
    result.by[rows[fell]] = name
