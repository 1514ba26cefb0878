"""The step of Auto-PGD in L1: a few pixels at a time, in a ball that shrinks to eps."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from robust.attacks import ball, box
from robust.attacks.iterative import Memory, State, StepOutput, best, choose
from robust.core.types import AnyNorm

RADII, ENDS = (3, 2, 1), (0.3, 0.6)  # of the ball, in eps, and when the next one begins, as a share of the steps
SHARE = 0.2  # of the pixels: the least that the first step changes
WINDOW = 0.04  # of a ball's steps, between two checks of how many pixels the best point changes
SHORTER, SHORTEST = 1.5, 10  # divisor of the step at such a check; the radius over the smallest step


def hyperparameters(steps: int) -> dict[str, float]:
    """The iterations at which the ball shrinks, and the length of a window in the first two balls and in the last."""
    two, one = (int(share * steps) for share in ENDS)
    windows = {"window": two, "last_window": steps - one}
    return {"steps": steps, "two": two, "one": one, **{k: max(int(WINDOW * n), 1) for k, n in windows.items()}}


def memory(points: np.ndarray, hyperparameters: Mapping[str, float]) -> Memory:
    """As a run begins: a step as long as the radius, no loss known."""
    n, dtype, radius = len(points), points.dtype, RADII[(hyperparameters["two"] == 0) + (hyperparameters["one"] == 0)]
    return {
        "best": points, "best_gradient": np.zeros_like(points), "best_loss": np.full(n, np.finfo(dtype).min),
        "size": np.full((n, 1, 1, 1), radius * hyperparameters["eps"], dtype),
        "share": np.ones(n, dtype), "pixels": np.full(n, points[0].size, dtype),
    }  # fmt: skip


def step(slots: State, output: StepOutput, hyperparameters: State, norm: AnyNorm) -> State:
    """Where the ball shrinks, start again from the best point projected onto it; else take a step."""
    del norm
    slots = {**slots, **best(slots, output)}
    iteration = hyperparameters["steps"] - tf.cast(slots["left"], hyperparameters["steps"].dtype)
    factor, first, window = _ball(iteration, hyperparameters)
    radius = factor[:, None, None, None] * hyperparameters["eps"]
    shrinks = (iteration > 0) & (iteration == first)
    ends = (iteration > first) & (tf.math.floormod(iteration - first, window) == 0)
    moved = method(slots, output, iteration == 0, ends, radius)
    point = box.onto_l1_ball(choose(shrinks, slots["best"], moved["point"]), slots["centre"], radius)
    restarted = begin(slots, point, radius)
    return {**{key: choose(shrinks, restarted[key], moved[key]) for key in restarted}, "point": point}


def _ball(iteration: tf.Tensor, hyperparameters: State) -> tuple[tf.Tensor, ...]:
    """The ball of each slot at its iteration: its radius in eps, the iteration at which it begins, its window."""
    first, second = iteration < hyperparameters["two"], iteration < hyperparameters["one"]

    def of(*each: tf.Tensor | float) -> tf.Tensor:
        large, middle, small = (tf.cast(v, iteration.dtype) for v in each)
        return tf.where(first, large, tf.where(second, middle, small))

    window = hyperparameters["window"]
    return (
        of(*RADII),
        of(0, hyperparameters["two"], hyperparameters["one"]),
        of(window, window, hyperparameters["last_window"]),
    )


def begin(slots: State, point: tf.Tensor, radius: tf.Tensor) -> State:
    """The memory of the best point, projected onto the ball, as the run starts again."""
    pixels = changed(point - slots["centre"])
    return {
        "best": point, "best_gradient": slots["best_gradient"],
        "best_loss": tf.fill(tf.shape(pixels), point.dtype.min), "size": radius * tf.ones_like(slots["size"]),
        "share": _share(pixels, point), "pixels": pixels,
    }  # fmt: skip


def method(slots: State, output: StepOutput, first: tf.Tensor, ends: tf.Tensor, radius: tf.Tensor) -> State:
    """One sparse step, not yet projected; at a window's end the best point sets how many pixels to change."""
    pixels = changed(slots["best"] - slots["centre"])
    sparser = ends & (pixels < 0.95 * slots["pixels"])
    size = tf.maximum(slots["size"] / SHORTER, radius / SHORTEST)
    size = choose(ends, choose(sparser, radius * tf.ones_like(size), size), slots["size"])
    share = _share(pixels, slots["point"])
    share = choose(first, tf.maximum(share, SHARE), choose(ends, share, slots["share"]))
    point = choose(sparser, slots["best"], slots["point"])
    gradient = choose(sparser, slots["best_gradient"], output.gradients)
    return {
        **slots, "size": size, "share": share, "pixels": choose(first | ends, pixels, slots["pixels"]),
        "point": point + size * sparse_sign(gradient, share),
    }  # fmt: skip


def sparse_sign(gradient: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    """The signs of the share of pixels with the largest gradients, scaled to L1 norm 1."""
    slopes = tf.reshape(tf.abs(gradient), [tf.shape(gradient)[0], -1])
    n = tf.shape(slopes)[1]
    place = tf.clip_by_value(tf.cast((1 - share) * tf.cast(n, share.dtype), tf.int32), 0, n - 1)
    least = tf.gather(tf.sort(slopes, axis=1), place, batch_dims=1)[:, None, None, None]
    signs = tf.where(tf.abs(gradient) >= least, tf.sign(gradient), 0)
    return tf.math.divide_no_nan(signs, ball.size(signs, "l1"))


def changed(change: tf.Tensor) -> tf.Tensor:
    """How many pixels a change modifies, [B]."""
    return tf.reduce_sum(tf.cast(change != 0, change.dtype), axis=[1, 2, 3])


def _share(pixels: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
    """The next steps change two thirds as many pixels as the best point does."""
    return pixels / tf.cast(tf.size(points[0]), pixels.dtype) / 1.5
