"""The step of Auto-PGD in L1: few pixels at a time, in a ball that shrinks to eps."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from robust.attacks import ball, box
from robust.attacks.iterative import Memory, State, StepOutput, best, choose
from robust.core.types import AnyNorm

RADII, ENDS = (3, 2, 1), (0.3, 0.6)  # of the ball, in eps, and when a smaller one takes over, as a share of the steps
SHARE = 0.2  # of the pixels that the first step changes, at the least
WINDOW = 0.04  # of a ball's steps, between two looks at how many pixels the best point changes
SHORTER, SHORTEST = 1.5, 10  # what divides the step at such a look, and the radius by the least step


def hyperparameters(steps: int) -> dict[str, float]:
    """The turns at which the ball shrinks, and the length of a window in the first two balls and in the last."""
    two, one = (int(share * steps) for share in ENDS)
    windows = {"window": two, "last_window": steps - one}
    return {"steps": steps, "two": two, "one": one, **{k: max(int(WINDOW * n), 1) for k, n in windows.items()}}


def memory(points: np.ndarray, hyperparameters: Mapping[str, float]) -> Memory:
    """As a climb begins: a step as long as the radius, nothing seen."""
    n, dtype, radius = len(points), points.dtype, RADII[(hyperparameters["two"] == 0) + (hyperparameters["one"] == 0)]
    return {
        "best": points, "best_gradient": np.zeros_like(points), "best_loss": np.full(n, np.finfo(dtype).min),
        "size": np.full((n, 1, 1, 1), radius * hyperparameters["eps"], dtype),
        "share": np.ones(n, dtype), "pixels": np.full(n, points[0].size, dtype),
    }  # fmt: skip


def step(slots: State, output: StepOutput, hyperparameters: State, norm: AnyNorm) -> State:
    """Where the ball shrinks, begin anew from the best point brought into it; else climb."""
    del norm
    slots = {**slots, **best(slots, output)}
    turn = hyperparameters["steps"] - tf.cast(slots["left"], hyperparameters["steps"].dtype)
    factor, begun, window = _ball(turn, hyperparameters)
    radius = factor[:, None, None, None] * hyperparameters["eps"]
    shrinks = (turn > 0) & (turn == begun)
    ends = (turn > begun) & (tf.math.floormod(turn - begun, window) == 0)
    climbed = method(slots, output, turn == 0, ends, radius)
    point = box.onto_l1_ball(choose(shrinks, slots["best"], climbed["point"]), slots["centre"], radius)
    begun = begin(slots, point, radius)
    return {**{key: choose(shrinks, begun[key], climbed[key]) for key in begun}, "point": point}


def _ball(turn: tf.Tensor, hyperparameters: State) -> tuple[tf.Tensor, ...]:
    """Of the ball of each slot's turn: its radius in eps, the turn at which it takes over, its window."""
    first, second = turn < hyperparameters["two"], turn < hyperparameters["one"]

    def of(*each: tf.Tensor | float) -> tf.Tensor:
        large, middle, small = (tf.cast(v, turn.dtype) for v in each)
        return tf.where(first, large, tf.where(second, middle, small))

    window = hyperparameters["window"]
    return (
        of(*RADII),
        of(0, hyperparameters["two"], hyperparameters["one"]),
        of(window, window, hyperparameters["last_window"]),
    )


def begin(slots: State, point: tf.Tensor, radius: tf.Tensor) -> State:
    """What is remembered of the best point, brought into the ball, as the climb begins anew."""
    pixels = changed(point - slots["centre"])
    return {
        "best": point, "best_gradient": slots["best_gradient"],
        "best_loss": tf.fill(tf.shape(pixels), point.dtype.min), "size": radius * tf.ones_like(slots["size"]),
        "share": _share(pixels, point), "pixels": pixels,
    }  # fmt: skip


def method(slots: State, output: StepOutput, first: tf.Tensor, ends: tf.Tensor, radius: tf.Tensor) -> State:
    """One sparse step, not yet in the ball; at a window's end the best point tells over how many pixels to go on."""
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
    """The signs of the share of pixels with the largest gradient, of L1 norm 1."""
    slopes = tf.reshape(tf.abs(gradient), [tf.shape(gradient)[0], -1])
    n = tf.shape(slopes)[1]
    place = tf.clip_by_value(tf.cast((1 - share) * tf.cast(n, share.dtype), tf.int32), 0, n - 1)
    least = tf.gather(tf.sort(slopes, axis=1), place, batch_dims=1)[:, None, None, None]
    signs = tf.where(tf.abs(gradient) >= least, tf.sign(gradient), 0)
    return tf.math.divide_no_nan(signs, ball.size(signs, "l1"))


def changed(change: tf.Tensor) -> tf.Tensor:
    """How many pixels a change touches, [B]."""
    return tf.reduce_sum(tf.cast(change != 0, change.dtype), axis=[1, 2, 3])


def _share(pixels: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
    """The next steps go over two thirds as many pixels as the best point changes."""
    return pixels / tf.cast(tf.size(points[0]), pixels.dtype) / 1.5
