"""The step of Auto-PGD in Linf and L2: momentum, and a step size that is halved if it makes no progress."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from robust.attacks import ball
from robust.attacks.iterative import Memory, State, StepOutput, best, choose
from robust.core.types import AnyNorm

MOMENTUM = 0.75  # share of the new step; the remainder is the previous one
RHO = 0.75  # share of a window's steps that must have improved the loss
FIRST, SHORTER, LEAST = 0.22, 0.03, 0.06  # length of the windows, as shares of all steps


def hyperparameters(steps: int) -> dict[str, float]:
    """The windows in whole steps: the first, by how much each is shorter than the one before, the minimum."""
    shares = {"steps": 1.0, "first": FIRST, "shorter": SHORTER, "least": LEAST}
    return {key: max(int(share * steps), 1) for key, share in shares.items()}


def memory(points: np.ndarray, hyperparameters: Mapping[str, float]) -> Memory:
    """As a run begins: a step of 2 eps, no loss known."""
    n, unknown = len(points), np.full(len(points), np.finfo(points.dtype).min)
    return {
        "previous": points, "best": points, "best_gradient": np.zeros_like(points),
        "best_loss": unknown, "last_loss": unknown, "checked_loss": unknown,
        "size": np.full((n, 1, 1, 1), 2 * hyperparameters["eps"], points.dtype), "halved": np.ones(n, bool),
        "age": np.full(n, -1, np.int32), "rises": np.zeros(n, np.int32),
        "window": np.full(n, hyperparameters["first"], np.int32),
    }  # fmt: skip


def step(slots: State, output: StepOutput, hyperparameters: State, norm: AnyNorm) -> State:
    """Record the new point; at the end of a window, halve the step if it failed; go on from here or the best point."""
    slots = {**slots, **best(slots, output), **_rises(slots, output)}
    ends = slots["age"] == slots["window"]
    again = ends & fails(slots)
    slots = {**slots, **_next_window(slots, ends, again, hyperparameters)}
    point = choose(again, slots["best"], slots["point"])
    gradient = choose(again, slots["best_gradient"], output.gradients)
    return {**slots, "previous": point, "point": momentum_step(slots, point, gradient, hyperparameters, norm)}


def _rises(slots: State, output: StepOutput) -> State:
    rose = (output.losses > slots["last_loss"]) & (slots["age"] >= 0)  # the first point has no predecessor
    return {"rises": slots["rises"] + tf.cast(rose, tf.int32), "age": slots["age"] + 1, "last_loss": output.losses}


def fails(slots: State) -> tf.Tensor:
    """Too few of the window's steps improved the loss, or neither step size nor best loss has changed."""
    few = tf.cast(slots["rises"], tf.float32) < RHO * tf.cast(slots["window"], tf.float32)
    return few | (~slots["halved"] & (slots["best_loss"] <= slots["checked_loss"]))


def _next_window(slots: State, ends: tf.Tensor, again: tf.Tensor, hyperparameters: State) -> State:
    shorter, least = (tf.cast(hyperparameters[key], tf.int32) for key in ("shorter", "least"))
    window = tf.maximum(slots["window"] - shorter, least)
    return {
        "size": choose(again, slots["size"] / 2, slots["size"]),
        "last_loss": choose(again, slots["best_loss"], slots["last_loss"]),
        "checked_loss": choose(ends, slots["best_loss"], slots["checked_loss"]),
        "halved": choose(ends, again, slots["halved"]),
        "age": choose(ends, tf.zeros_like(window), slots["age"]),
        "rises": choose(ends, tf.zeros_like(window), slots["rises"]),
        "window": choose(ends, window, slots["window"]),
    }


def momentum_step(
    slots: State, point: tf.Tensor, gradient: tf.Tensor, hyperparameters: State, norm: AnyNorm
) -> tf.Tensor:
    """P(x + m (z - x) + (1 - m) (x - previous)) with z = P(x + a g); no momentum on the first step."""
    centre, eps = slots["centre"], hyperparameters["eps"]
    plain = ball.step(point, gradient, centre, eps, slots["size"], norm)
    first = slots["left"] == tf.cast(hyperparameters["steps"], tf.int32)
    share = tf.cast(tf.where(first, 1.0, MOMENTUM), point.dtype)[:, None, None, None]
    onward = point + share * (plain - point) + (1 - share) * (point - slots["previous"])
    return ball.project(onward, centre, eps, norm)
