"""The engine of the native attacks: only images that still stand are attacked, in full batches.

The search asks a copy of the model that takes less work (`Classifier.lean`); the model itself confirms each
success, and what fooled the copy alone is attacked from there once more, on the model itself.

A batch has a fixed number of slots. Each turn looks at the points of all slots in one pass and hands what
it saw to the attack's own step, which says where to look next. A compiled graph takes every slot some
turns and stops each at its first point that fools the model; where enough are fooled or finished, their
slots go to the next images that wait. An image's path hangs on its own seed, never on who shares its batch.
"""

from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np
import tensorflow as tf

from robust.attacks.climb import IterativeAttack, Memory, Task
from robust.attacks.walk import walk
from robust.models.classifier import Classifier
from robust.results.attack_result import AttackResult, fooled

LOOK = 16  # turns between two looks at who is done, at the most: what Ctrl-C waits for
SHARE = 8  # one slot of so many idle, while images wait, and they are filled anew: that costs a hand-over
LENGTHS = ("eps", "size")  # numbers of a climb that each image may have of its own
TRACE, STRIDE = 32, 4  # places of a trace, at the most; turns to a place, at the least


@dataclass(frozen=True)
class _Slots:
    """The batch: which image each slot holds (-1: none), what is known of it, and what the attack remembers."""

    rows: np.ndarray
    fixed: Memory
    lengths: Memory  # [B, 1, 1, 1] each
    state: Memory = field(default_factory=dict)


def attack(task: Task, climb: IterativeAttack) -> AttackResult:
    """Run the attack from each image until it fools the model or its steps are spent; restart those not fooled yet."""
    result = AttackResult.of(task.images, looks=_places(climb))
    doubtful, begun = search(task, climb, task.classifier.lean(), np.arange(len(task.images)), result)
    search(begun, climb, task.classifier, doubtful, result)
    return result


def search(
    task: Task, climb: IterativeAttack, asked: Classifier, rows: np.ndarray, result: AttackResult
) -> tuple[np.ndarray, Task]:
    """All climbs of these images; gives those that stand although the one asked was fooled, and where it was so."""
    points, fell_in = task.images.copy(), np.full(len(task.images), -1)
    for restart in range(climb.restarts):
        standing = rows[result.by[rows] == ""]
        if not standing.size:
            break
        last = _climb(task, climb, asked, standing, restart, result)
        fell = standing[result.by[standing] != ""]
        judge(task, climb, standing if asked is not task.classifier else np.setdiff1d(standing, fell), result, last)
        new = fell[(result.by[fell] == "") & (fell_in[fell] < 0)]
        points[new], fell_in[new] = last[new], restart
    begun = replace(task, start=points, aims=None if task.aims is None else rolled(task.aims, np.maximum(fell_in, 0)))
    return np.flatnonzero((fell_in >= 0) & (result.by == "")), begun


def rolled(aims: np.ndarray, first: np.ndarray) -> np.ndarray:
    """The same classes to head for, in a round that begins with the one of this restart."""
    places = (first[:, None] + np.arange(aims.shape[1])) % aims.shape[1]
    return np.take_along_axis(aims, places, axis=1)


def stride(climb: IterativeAttack) -> int:
    """Turns for which the trace has one place: the last of them is noted."""
    return STRIDE * -(-climb.steps // (STRIDE * TRACE))


def _places(climb: IterativeAttack) -> int:
    return -(-climb.steps // stride(climb))


def _climb(
    task: Task, climb: IterativeAttack, asked: Classifier, rows: np.ndarray, restart: int, result: AttackResult
) -> np.ndarray:
    """One climb of each of these images; gives their last points."""
    classifier, targeted = task.classifier, task.targets is not None
    waiting, slots, last = deque(rows), _empty(task, climb), result.images.copy()
    last[rows] = _starts(task, climb, rows, restart)
    graph = classifier.compiled(
        ("walk", asked is classifier, climb.step, climb.loss, climb.norm, climb.eot_iter, climb.roams, targeted),
        lambda: walk(asked, climb, targeted),
    )
    common = {k: tf.constant(v, classifier.dtype) for k, v in climb.numbers.items() if k not in LENGTHS}
    while True:
        _refill(slots, waiting, task, climb, restart, last)
        if (slots.rows < 0).all():
            return last
        idle = max(len(slots.rows) // SHARE, 1) if waiting else len(slots.rows)
        limits = {"turns": LOOK, "idle": idle, "stride": stride(climb)}
        parts = (slots.fixed, slots.state, slots.lengths, limits)
        fixed, state, own, limits = ({k: tf.constant(v) for k, v in part.items()} for part in parts)
        taken, state, hits = graph(fixed, state, {**common, **own}, limits)
        passes = int(taken) * len(slots.rows)
        classifier.count(n_forward=passes * max(climb.eot_iter, 1), n_backward=passes * climb.eot_iter)
        harvest(slots, {k: np.array(v) for k, v in state.items()}, hits.numpy(), climb, result, last)


def _empty(task: Task, climb: IterativeAttack) -> _Slots:
    size = task.classifier.batch_size
    numbers = {k: np.zeros(size, np.int64) for k in ("label", "aim", "seed")}
    dtype = task.classifier.dtype.as_numpy_dtype
    lengths = {k: np.zeros((size, 1, 1, 1), dtype) for k in LENGTHS if k in climb.numbers}
    return _Slots(np.full(size, -1), {"centre": np.zeros((size, *task.images.shape[1:]), dtype), **numbers}, lengths)


def _lengths(task: Task, climb: IterativeAttack, rows: np.ndarray) -> Memory:
    """The radius, and the step where there is one, of each of these images, [n, 1, 1, 1]."""
    dtype = task.classifier.dtype.as_numpy_dtype
    everyone = {
        k: np.broadcast_to(np.asarray(climb.numbers[k], dtype), len(task.images)) for k in LENGTHS if k in climb.numbers
    }
    return {k: v[rows, None, None, None] for k, v in everyone.items()}


def _refill(
    slots: _Slots, waiting: deque, task: Task, climb: IterativeAttack, restart: int, starts: np.ndarray
) -> None:
    free = np.flatnonzero(slots.rows < 0)[: len(waiting)]
    rows = np.array([waiting.popleft() for _ in free], int)
    if not rows.size:
        return
    slots.rows[free] = rows
    for key, values in (("centre", task.images), ("label", task.labels), ("seed", task.seeds)):
        slots.fixed[key][free] = values[rows]
    slots.fixed["aim"][free] = _aims(task, restart)[rows]
    own = _lengths(task, climb, rows)
    for key, values in own.items():
        slots.lengths[key][free] = values
    points = starts[rows].astype(slots.fixed["centre"].dtype)
    known = {
        "point": points,
        "left": np.full(len(rows), climb.steps, np.int32),
        "trace": np.full((len(rows), TRACE), np.nan, np.float32),
        **climb.memory(points, {**climb.numbers, **own}),
    }
    for key, values in known.items():
        empty = np.zeros((len(slots.rows), *values.shape[1:]), values.dtype)
        slots.state.setdefault(key, empty)[free] = values


def _aims(task: Task, restart: int) -> np.ndarray:
    if task.aims is not None:
        return task.aims[:, restart % task.aims.shape[1]]
    return task.labels if task.targets is None else task.targets


def _starts(task: Task, climb: IterativeAttack, rows: np.ndarray, restart: int) -> np.ndarray:
    """Where these images begin: where they were left, or at the image, or at a random point of the ball."""
    if restart == 0 and task.start is not None:
        return task.start[rows]
    if restart < climb.plain:
        return task.images[rows]
    classifier, draw, norm = task.classifier, climb.draw, climb.norm
    graph = classifier.compiled(("draw", draw, norm), lambda: lambda c, s, r, e: draw(c, s, r, e, norm))
    each = (task.images[rows], task.seeds[rows], _lengths(task, climb, rows)["eps"])
    stream, batches = tf.constant(restart), zip(*(classifier.batches(values) for values in each), strict=True)
    points = [
        graph(tf.constant(c, classifier.dtype), tf.constant(s), stream, tf.constant(e)).numpy() for c, s, e in batches
    ]
    return np.concatenate(points)[: len(rows)]


def harvest(
    slots: _Slots, state: Memory, hits: np.ndarray, climb: IterativeAttack, result: AttackResult, last: np.ndarray
) -> None:
    """Write down what the turns gave, and free the slots of those that are done."""
    busy = slots.rows >= 0
    rows, before = slots.rows[busy], slots.state["left"][busy]
    spent = before - state["left"][busy] + hits[busy]  # the pass that found it fooled was spent, too
    result.n_forward[rows] += spent * max(climb.eot_iter, 1)
    result.n_backward[rows] += spent * climb.eot_iter
    done = busy & (hits | (state["left"] == 0))
    rows, fell = slots.rows[done], hits[done]
    result.trace[rows] = state["trace"][done, : _places(climb)][:, ::-1]
    result.images[rows], last[rows] = state[climb.keep][done], state["point"][done]
    result.images[rows[fell]], result.by[rows[fell]] = last[rows[fell]], climb.name
    slots.state.update(state)
    slots.rows[done], slots.state["left"][done] = -1, 0


def judge(task: Task, climb: IterativeAttack, rows: np.ndarray, result: AttackResult, last: np.ndarray) -> None:
    """Whether the model has not looked yet or only its copy has: that takes one more forward pass."""
    if not rows.size:
        return
    predicted = task.classifier.logits(last[rows]).argmax(axis=1)
    result.n_forward[rows] += 1
    hits = fooled(predicted, task.labels[rows], None if task.targets is None else task.targets[rows])
    result.by[rows] = np.where(hits, climb.name, "")
    result.images[rows[hits]] = last[rows[hits]]


def ranked(task: Task, classes: int) -> tuple[np.ndarray, int]:
    """The classes [N, A] to head for, likeliest first, and the forward passes it took to rank them."""
    if task.targets is not None:
        return task.targets[:, None], 0
    logits = task.classifier.logits(task.images)
    logits[np.arange(len(task.labels)), task.labels] = -np.inf
    return np.argsort(-logits, axis=1, kind="stable")[:, : min(classes, task.classifier.classes - 1)], 1
