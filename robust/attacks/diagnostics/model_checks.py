"""Checks of the model itself: its outputs, whether they change when repeated, its gradients, its stability."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import tensorflow as tf

from robust.attacks import ball, losses
from robust.attacks.diagnostics.diagnosis import Reason
from robust.attacks.diagnostics.probes import central_difference, explained, margins_of, outputs_of, random_signs
from robust.attacks.iterative import Task
from robust.core.errors import ModelError
from robust.core.types import AnyNorm
from robust.models.classifier import Loss

ALSO_FROM_RANDOMNESS = ("misleading_gradients", "partial_gradients")  # reasons that random outputs would give, too
_ROUNDING = 1e-4  # of a row's spread of logits: what the order of summation may change
_BRIGHT = 1e4  # factor on an image: outputs without bounds grow with it
_AT_END = 0.01
_CAPPED = 0.05  # share of outputs at bounds other than those of a plain sigmoid or tanh
LEVEL = 1 / 255  # one grey level of an 8-bit image
BOX, _POINTS = 8 / 255, 10  # how far a random point near the images is, in each pixel
_ZERO = 0.01  # share of images without gradient that is still accepted
_FEW = 10  # with fewer images there is no result
_SHORT = 0.1  # increase of the margin over that predicted by its gradient; known trained networks stay above 0.19
_DIRECTIONS = 8  # random steps
_EXPLAINED = 0.5  # share of their squared changes that the gradient must explain, up to a factor
_UNSTABLE = 0.5  # change of the margin by noise, over the margin; known trained networks stay under 0.1


def probabilities(outputs: np.ndarray) -> Iterator[Reason]:
    """Are the outputs in [0, 1], and do they sum to 1?"""
    if (outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, atol=1e-2):
        yield Reason("probabilities", 1.0, len(outputs))


def bounded_outputs(task: Task, outputs: np.ndarray) -> Iterator[Reason]:
    """Do the outputs stay within two bounds and reach them, as those of a sigmoid or tanh, for any input?

    If the bounds are not 0 or -1, and 1, as with a sigmoid times 6, some outputs of the images must be at them, too:
    logits that are clipped far beyond lose no gradient.
    """
    bright = outputs_of(task.classifier, (task.images * _BRIGHT).astype(task.images.dtype))
    both = np.concatenate([outputs, bright])
    if not np.isfinite(both).all():  # half precision overflows where there are no bounds
        return
    plain = both.min() >= -1 and both.max() <= 1
    low, high = (0.0 if both.min() >= 0 else -1.0, 1.0) if plain else (float(bright.min()), float(bright.max()))
    lows, highs = (np.abs(both - end) < _AT_END * (high - low) for end in (low, high))
    at, of_bright = (lows | highs)[: len(outputs)], slice(len(outputs), None)
    if outputs.ndim != 2 or (lows | highs)[of_bright].mean() <= 1 / 2:
        return
    if plain or (
        is_between(outputs, low, high) and reaches_both_ends(lows[of_bright], highs[of_bright]) and at.mean() > _CAPPED
    ):
        yield Reason("bounded_outputs", float(at.mean()), len(outputs))


def is_between(outputs: np.ndarray, low: float, high: float) -> bool:
    """Is every output within the bounds, up to rounding?"""
    slack = _AT_END * (high - low)
    return bool(low - slack <= outputs.min() and outputs.max() <= high + slack)


def reaches_both_ends(lows: np.ndarray, highs: np.ndarray) -> bool:
    """Is some class at both bounds? Otherwise all bright images may merely look alike to the model."""
    return bool((lows.any(axis=0) & highs.any(axis=0)).any())


def stateful_or_randomised(task: Task, first: np.ndarray) -> Iterator[Reason]:
    """Evaluated twice more: does that change a variable of the model (stateful), do the outputs differ (randomised)?

    A model is also stateful if the two outputs are equal, but differ from those before. The seed state of random
    layers does not count as a change of the model.
    """
    before = state(task)
    second, third = (outputs_of(task.classifier, task.images) for _ in range(2))
    turned, differ = _differ(first, second), _differ(second, third)
    if any(not np.array_equal(a, b) for a, b in zip(before, state(task), strict=True)):
        yield Reason("stateful", float((turned | differ).mean()), len(first))
    elif differ.any():
        yield Reason("randomised", float(differ.mean()), len(first))
    elif turned.any():
        yield Reason("stateful", float(turned.mean()), len(first))


def _differ(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    spread = np.ptp(one, axis=1) + np.finfo(one.dtype).tiny
    return ~(np.abs(one - other).max(axis=1) <= _ROUNDING * spread)  # NaN differs


def state(task: Task) -> list[np.ndarray]:
    """Every variable that a pass uses, those in a Lambda included, except the states of random layers."""
    classifier = task.classifier
    if classifier.is_black_box:
        return [v.numpy() for v in classifier.network.weights]
    return [v.numpy() for v in classifier.variables(task.images) if "seed_generator" not in v.name]


def gradients(task: Task) -> Iterator[Reason]:
    """Are there gradients, are they finite, and does the margin change as they predict?

    For an image without a gradient of the margin, that of the cross-entropy is checked, too: a network that is merely
    confident has lost the one in single precision, and keeps the other.
    """
    try:
        margins, gradient = losses_and_gradients(task, _margin)
    except ModelError:
        yield Reason("no_gradients", 1.0, len(task.labels))
        return
    zero, finite = _largest(gradient) == 0, np.isfinite(margins) & np.isfinite(_largest(gradient))
    if zero.mean() > _ZERO:
        entropies, other = losses_and_gradients(task, _entropy)
        zero, finite = zero & (_largest(other) == 0), finite & np.isfinite(entropies) & np.isfinite(_largest(other))
    if not finite.all():
        yield Reason("non_finite", float(1 - finite.mean()), len(zero))
        return
    if zero.mean() > _ZERO:
        yield Reason("zero_gradients", float(zero.mean()), len(zero))
    yield from misleading_gradients(task, gradient, margins, ~zero)
    yield from locally_partial_gradients(task, gradient, ~zero)


def misleading_gradients(task: Task, gradient: np.ndarray, margins: np.ndarray, has: np.ndarray) -> Iterator[Reason]:
    """Where the margin increases by less than a tenth of what its gradient predicts, on more than half of the images.

    The step is one grey level along the sign, the smallest change that an image can store. The margin of a trained
    network of 224 x 224 pixels still increases by about a fifth of the prediction or more, that of a network with
    shattered gradients by next to nothing.
    """
    moved = np.clip(task.images + LEVEL * np.sign(gradient), 0, 1).astype(task.images.dtype)
    predicted = (gradient.astype(np.float64) * (moved - task.images)).sum(axis=(1, 2, 3))
    increase = margins_of(outputs_of(task.classifier, moved), task.labels) - margins
    has = has & (predicted > 0)
    short = increase[has] < _SHORT * predicted[has]
    if short.size >= _FEW and short.mean() > 0.5:
        yield Reason("misleading_gradients", float(short.mean()), int(has.sum()))


def locally_partial_gradients(task: Task, gradient: np.ndarray, has: np.ndarray) -> Iterator[Reason]:
    """Where random steps of one grey level do not change the margin as its gradient predicts, on most of the images.

    This is so where the gradient covers a part of the model only, as with a rounding or a `stop_gradient` in it: along
    itself it may be right. The differences are central, so that curvature that is equal on both sides cancels.
    """
    predicted, found = [], []
    for signs in random_signs(task.images.shape[1:], _DIRECTIONS):
        moved, change = central_difference(task, LEVEL * signs)
        predicted.append((gradient.astype(np.float64) * moved).sum(axis=(1, 2, 3)))
        found.append(change)
    predicted, found = (np.array(each)[:, has] for each in (predicted, found))
    room = (predicted**2).sum(axis=0) * (found**2).sum(axis=0)
    few = explained(predicted, found)[room > 0] < _EXPLAINED
    if few.size >= _FEW and few.mean() > 0.5:
        yield Reason("partial_gradients", float(few.mean()), few.size)


def gradient_of(task: Task) -> np.ndarray:
    """The gradient of the margins, [N, H, W, C]. Raises ModelError where there is none."""
    return losses_and_gradients(task, _margin)[1]


def losses_and_gradients(task: Task, loss: Loss) -> tuple[np.ndarray, np.ndarray]:
    """The loss of each image [N], and its gradient [N, H, W, C]."""
    classifier = task.classifier

    def evaluate(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        values, _, gradient = classifier.gradient(images, labels, loss)
        return values, gradient

    graph = classifier.compiled(("reliability", loss), lambda: evaluate)
    pairs = zip(classifier.batches(task.images), classifier.batches(task.labels), strict=True)
    found = [graph(tf.constant(images, classifier.dtype), tf.constant(labels)) for images, labels in pairs]
    classifier.count(*[sum(len(values) for values, _ in found)] * 2)
    n = len(task.labels)
    values, gradient = (np.concatenate([f.numpy() for f in parts])[:n] for parts in zip(*found, strict=True))
    return values, gradient


def _margin(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    return losses.margin(logits, labels, labels)


def _entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def _largest(gradient: np.ndarray) -> np.ndarray:
    return np.abs(gradient).max(axis=(1, 2, 3))


def unstable(task: Task, outputs: np.ndarray) -> Iterator[Reason]:
    """Does the margin change by more than half of its size, on average, at random points of a small box?"""
    margins, rows = margins_of(outputs, task.labels), np.arange(len(outputs))
    moved = [outputs_of(task.classifier, points) for points in nearby(task, rows, BOX, "linf")]
    change = np.mean([np.abs(margins_of(found, task.labels) - margins) for found in moved])
    if (size := np.abs(margins).mean()) and change / size > _UNSTABLE:
        yield Reason("unstable", float(change / size), len(margins))


def nearby(task: Task, rows: np.ndarray, eps: float, norm: AnyNorm) -> Iterator[np.ndarray]:
    """Ten random points of the ball around each of these images, one at a time, [n, H, W, C]."""
    images, seeds = tf.constant(task.images[rows], task.classifier.dtype), tf.constant(task.seeds[rows])
    for stream in range(_POINTS):
        yield ball.random_point(images, seeds, tf.constant(stream), eps, norm).numpy()


def at_random_points(task: Task, eps: float | None, norm: str | None) -> Task:
    """The same images, each at a random point of its ball: gradients that are right at an image may be wrong there."""
    return replace(task, images=next(around(task, np.arange(len(task.labels)), eps, norm)))


def around(task: Task, rows: np.ndarray, eps: float | None, norm: Any) -> Iterator[np.ndarray]:
    """As `nearby`; in a small box if the attack has no ball, or one in L0, as some of Foolbox."""
    box = not eps or norm not in get_args(AnyNorm)
    return nearby(task, rows, *((BOX, "linf") if box else (eps, norm)))
