"""The engine of the native attacks: only images that do not fool the model yet are attacked, in full batches.

The search queries a cheaper copy of the model (`Classifier.lean`). The model itself confirms each success; an image
that fooled only the copy is attacked once more from there, on the model itself.

A batch has as many slots as its images need. Each iteration evaluates the points of all slots in one pass and gives
the outputs to the attack's step, which returns the next points. A compiled graph runs several iterations and stops each
slot at its first point that fools the model; once enough slots are done, they are given to the next waiting images, and
when none waits, the batch gets smaller. The path of an image depends on its own seed, never on the other images, except
that a convolution may round differently in batches of another size.
"""

from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np
import tensorflow as tf

from robust.attacks.iterative import IterativeAttack, Memory, Task
from robust.attacks.slot_loop import loop
from robust.models.classifier import Classifier
from robust.results.attack_result import AttackResult, fooled

CHECK_EVERY = 16  # iterations, at most, between two checks of which slots are done: how long Ctrl-C waits
REFILL_FRACTION = 8  # slots are refilled when one in this many is idle and images wait: each refill costs a transfer
LENGTHS = ("eps", "size")  # hyperparameters that may differ per image
TRACE, STRIDE = 32, 4  # entries of a trace, at most; iterations per entry, at least


@dataclass(frozen=True)
class _Slots:
    """The batch: which image each slot holds (-1: none), its data, and the attack's memory of it."""

    rows: np.ndarray
    fixed: Memory
    lengths: Memory  # [B, 1, 1, 1] each
    state: Memory = field(default_factory=dict)


def attack(task: Task, method: IterativeAttack) -> AttackResult:
    """Run the attack on each image until it fools the model or its steps are used up; restart for those that do not."""
    result = AttackResult.of(task.images, trace_length=_trace_length(method))
    unconfirmed, resumed = search(task, method, task.classifier.lean(), np.arange(len(task.images)), result)
    search(resumed, method, task.classifier, unconfirmed, result)
    return result


def search(
    task: Task, method: IterativeAttack, queried: Classifier, rows: np.ndarray, result: AttackResult
) -> tuple[np.ndarray, Task]:
    """All runs on these images; returns those that fooled only the queried model, and the task that starts there."""
    points, succeeded_in_restart = task.images.copy(), np.full(len(task.images), -1)
    for restart in range(method.restarts):
        remaining = rows[result.by[rows] == ""]
        if not remaining.size:
            break
        last = _search_once(task, method, queried, remaining, restart, result)
        is_adv = remaining[result.by[remaining] != ""]
        confirm(
            task, method, remaining if queried is not task.classifier else np.setdiff1d(remaining, is_adv), result, last
        )
        new = is_adv[(result.by[is_adv] == "") & (succeeded_in_restart[is_adv] < 0)]
        points[new], succeeded_in_restart[new] = last[new], restart
    resumed = replace(
        task,
        start=points,
        classes_to_try=None
        if task.classes_to_try is None
        else rolled(task.classes_to_try, np.maximum(succeeded_in_restart, 0)),
    )
    return np.flatnonzero((succeeded_in_restart >= 0) & (result.by == "")), resumed


def rolled(classes_to_try: np.ndarray, first: np.ndarray) -> np.ndarray:
    """The same target classes, in a round that begins with the one of this restart."""
    columns = (first[:, None] + np.arange(classes_to_try.shape[1])) % classes_to_try.shape[1]
    return np.take_along_axis(classes_to_try, columns, axis=1)


def stride(method: IterativeAttack) -> int:
    """Iterations per entry of the trace: the last of them is recorded."""
    return STRIDE * -(-method.steps // (STRIDE * TRACE))


def _trace_length(method: IterativeAttack) -> int:
    return -(-method.steps // stride(method))


def _search_once(
    task: Task, method: IterativeAttack, queried: Classifier, rows: np.ndarray, restart: int, result: AttackResult
) -> np.ndarray:
    """One run on each of these images; returns their last points."""
    classifier, targeted = task.classifier, task.targets is not None
    waiting, slots, last = deque(rows), _empty(task, method, classifier.batch(len(rows))), result.images.copy()
    last[rows] = _starts(task, method, rows, restart)
    graph = classifier.compiled(
        (
            "loop",
            queried is classifier,
            method.step,
            method.loss,
            method.norm,
            method.eot_iter,
            method.leaves_ball,
            targeted,
        ),
        lambda: loop(queried, method, targeted),
    )
    common = {k: tf.constant(v, classifier.dtype) for k, v in method.hyperparameters.items() if k not in LENGTHS}
    while True:
        _refill(slots, waiting, task, method, restart, last)
        if (slots.rows < 0).all():
            return last
        slots = slots if waiting else _shrunk(slots, classifier)
        size = len(slots.rows)
        idle = max(size // REFILL_FRACTION, 1) if waiting else size - classifier.smaller_batch(size)
        limits = {"turns": CHECK_EVERY, "idle": idle, "stride": stride(method)}
        parts = (slots.fixed, slots.state, slots.lengths, limits)
        fixed, state, lengths, limits = ({k: tf.constant(v) for k, v in part.items()} for part in parts)
        taken, state, hits = graph(fixed, state, {**common, **lengths}, limits)
        passes = int(taken) * len(slots.rows)
        classifier.count(n_forward=passes * max(method.eot_iter, 1), n_backward=passes * method.eot_iter)
        collect(slots, {k: np.array(v) for k, v in state.items()}, hits.numpy(), method, result, last)


def _shrunk(slots: _Slots, classifier: Classifier) -> _Slots:
    """The slots in use, and as many idle ones as fill a batch."""
    size = min(classifier.batch(int((slots.rows >= 0).sum())), len(slots.rows))
    if size == len(slots.rows):
        return slots
    kept = np.argsort(slots.rows < 0, kind="stable")[:size]
    parts = slots.fixed, slots.lengths, slots.state
    return _Slots(slots.rows[kept], *({name: values[kept] for name, values in part.items()} for part in parts))


def _empty(task: Task, method: IterativeAttack, size: int) -> _Slots:
    integers = {k: np.zeros(size, np.int64) for k in ("label", "target", "seed")}
    dtype = task.classifier.dtype.as_numpy_dtype
    lengths = {k: np.zeros((size, 1, 1, 1), dtype) for k in LENGTHS if k in method.hyperparameters}
    return _Slots(np.full(size, -1), {"centre": np.zeros((size, *task.images.shape[1:]), dtype), **integers}, lengths)


def _lengths(task: Task, method: IterativeAttack, rows: np.ndarray) -> Memory:
    """The radius, and the step size if there is one, of each of these images, [n, 1, 1, 1]."""
    dtype = task.classifier.dtype.as_numpy_dtype
    per_image = {
        k: np.broadcast_to(np.asarray(method.hyperparameters[k], dtype), len(task.images))
        for k in LENGTHS
        if k in method.hyperparameters
    }
    return {k: v[rows, None, None, None] for k, v in per_image.items()}


def _refill(
    slots: _Slots, waiting: deque, task: Task, method: IterativeAttack, restart: int, starts: np.ndarray
) -> None:
    free = np.flatnonzero(slots.rows < 0)[: len(waiting)]
    rows = np.array([waiting.popleft() for _ in free], int)
    if not rows.size:
        return
    slots.rows[free] = rows
    for key, values in (("centre", task.images), ("label", task.labels), ("seed", task.seeds)):
        slots.fixed[key][free] = values[rows]
    slots.fixed["target"][free] = _current_targets(task, restart)[rows]
    lengths = _lengths(task, method, rows)
    for key, values in lengths.items():
        slots.lengths[key][free] = values
    points = starts[rows].astype(slots.fixed["centre"].dtype)
    known = {
        "point": points,
        "left": np.full(len(rows), method.steps, np.int32),
        "trace": np.full((len(rows), TRACE), np.nan, np.float32),
        **method.memory(points, {**method.hyperparameters, **lengths}),
    }
    for key, values in known.items():
        empty = np.zeros((len(slots.rows), *values.shape[1:]), values.dtype)
        slots.state.setdefault(key, empty)[free] = values


def _current_targets(task: Task, restart: int) -> np.ndarray:
    if task.classes_to_try is not None:
        return task.classes_to_try[:, restart % task.classes_to_try.shape[1]]
    return task.labels if task.targets is None else task.targets


def _starts(task: Task, method: IterativeAttack, rows: np.ndarray, restart: int) -> np.ndarray:
    """The starting points of these images: those of the task, the image itself, or a random point of the ball."""
    if restart == 0 and task.start is not None:
        return task.start[rows]
    if restart < method.n_clean_starts:
        return task.images[rows]
    classifier, random_point, norm = task.classifier, method.random_point, method.norm
    graph = classifier.compiled(
        ("random_point", random_point, norm), lambda: lambda c, s, r, e: random_point(c, s, r, e, norm)
    )
    each = (task.images[rows], task.seeds[rows], _lengths(task, method, rows)["eps"])
    stream, batches = tf.constant(restart), zip(*(classifier.batches(values) for values in each), strict=True)
    points = [
        graph(tf.constant(c, classifier.dtype), tf.constant(s), stream, tf.constant(e)).numpy() for c, s, e in batches
    ]
    return np.concatenate(points)[: len(rows)]


def collect(
    slots: _Slots, state: Memory, hits: np.ndarray, method: IterativeAttack, result: AttackResult, last: np.ndarray
) -> None:
    """Record what the iterations found, and free the slots that are done."""
    busy = slots.rows >= 0
    rows, before = slots.rows[busy], slots.state["left"][busy]
    spent = before - state["left"][busy] + hits[busy]  # the pass that found the success counts, too
    result.n_forward[rows] += spent * max(method.eot_iter, 1)
    result.n_backward[rows] += spent * method.eot_iter
    done = busy & (hits | (state["left"] == 0))
    rows, is_adv = slots.rows[done], hits[done]
    result.trace[rows] = state["trace"][done, : _trace_length(method)][:, ::-1]
    result.images[rows], last[rows] = state[method.keep][done], state["point"][done]
    result.images[rows[is_adv]], result.by[rows[is_adv]] = last[rows[is_adv]], method.name
    slots.state.update(state)
    slots.rows[done], slots.state["left"][done] = -1, 0


def confirm(task: Task, method: IterativeAttack, rows: np.ndarray, result: AttackResult, last: np.ndarray) -> None:
    """Evaluate the last points on the model itself, which was not queried at them yet: one more forward pass."""
    if not rows.size:
        return
    predicted = task.classifier.logits(last[rows]).argmax(axis=1)
    result.n_forward[rows] += 1
    hits = fooled(predicted, task.labels[rows], None if task.targets is None else task.targets[rows])
    result.by[rows] = np.where(hits, method.name, "")
    result.images[rows[hits]] = last[rows[hits]]


def ranked(task: Task, classes: int) -> tuple[np.ndarray, int]:
    """The classes [N, A] to aim at, most likely first, and the forward passes it took to rank them."""
    if task.targets is not None:
        return task.targets[:, None], 0
    logits = task.classifier.logits(task.images)
    logits[np.arange(len(task.labels)), task.labels] = -np.inf
    return np.argsort(-logits, axis=1, kind="stable")[:, : min(classes, task.classifier.classes - 1)], 1
