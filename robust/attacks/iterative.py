"""What an attack gives to the engine: its starting points, its graph-pure step, and its memory.

An attack keeps its memory of an image (momentum, step size, best point) in tensors with one entry per slot; the
engine moves them in and out of the batch with the image.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from robust.attacks import ball
from robust.attacks.losses import Loss
from robust.core.types import AnyNorm, Table
from robust.models.classifier import Classifier

State = dict[str, tf.Tensor]
Memory = dict[str, np.ndarray]


@dataclass(frozen=True)
class Task:
    """What to attack: everything about the images that stays the same during an attack."""

    classifier: Classifier
    images: np.ndarray  # [N, H, W, C] in [0, 1]
    labels: np.ndarray  # int64 [N]
    seeds: np.ndarray  # int64 [N]
    start: np.ndarray | None  # [N, H, W, C]: starting points of the first run, instead of the attack's own
    targets: np.ndarray | None  # int64 [N]: the model is fooled only if it predicts this class
    classes_to_try: np.ndarray | None = None  # int64 [N, A]: the class that each run aims at, one after the other


class StepOutput(NamedTuple):
    """What one pass returns for the points [B, H, W, C]; the gradients are 0 where an attack uses none."""

    losses: tf.Tensor  # [B]
    logits: tf.Tensor  # [B, C]
    gradients: tf.Tensor  # [B, H, W, C]


Step = Callable[[State, StepOutput, State, AnyNorm], State]
RandomPoint = Callable[[tf.Tensor, tf.Tensor, tf.Tensor, ball.Scalar, AnyNorm], tf.Tensor]


def nothing(points: np.ndarray, hyperparameters: Mapping[str, float]) -> Memory:
    """The memory of an attack that needs none."""
    del points, hyperparameters
    return {}


@dataclass(frozen=True)
class IterativeAttack:
    """How an attack searches.

    name: the entry in `by` of an image on which it succeeds.
    steps: of each run, at most.
    hyperparameters: what the step reads, including `eps`; tensors in the graph, so that another value needs no
        retracing. `eps` and `size` may be given per image, [N]; they reach step, memory and random_point as
        [B, 1, 1, 1].
    loss: `(logits, labels, targets) -> [B]`, which the attack maximises; see `robust.attacks.losses`.
    step: graph-pure `(slots, output, hyperparameters, norm) -> what changes`, at least the next "point". `slots`
        has "point", "centre", "label", "target", "seed", "left" (iterations, this one included) and the memory.
    memory: `(points, hyperparameters) -> {name: array [n, ...]}`: what the step remembers, as a run begins.
    random_point: graph-pure `(centres, seeds, stream, eps, norm) -> points`: the starting points of a random run.
    n_clean_starts: how many runs begin at the image itself, before the random ones.
    restarts: the number of runs, the first included, each for the images that do not fool the model yet.
    eot_iter: passes over which the gradients of a randomised model are averaged; 0 uses no gradients.
    leaves_ball: its points may leave the ball; those outside do not count.
    keep: what is returned for an image on which it fails: "point", the last one, or an image in the memory.
    """

    name: str
    norm: AnyNorm
    steps: int
    hyperparameters: Mapping[str, float | np.ndarray]
    loss: Loss
    step: Step
    memory: Callable[[np.ndarray, Table], Memory] = nothing
    random_point: RandomPoint = ball.random_point
    n_clean_starts: int = 0
    restarts: int = 1
    eot_iter: int = 1
    leaves_ball: bool = False
    keep: str = "point"


def ascend(slots: State, output: StepOutput, hyperparameters: State, norm: AnyNorm) -> State:
    """A step of `size` that increases the loss, projected onto the ball."""
    eps, size = hyperparameters["eps"], hyperparameters["size"]
    return {"point": ball.step(slots["point"], output.gradients, slots["centre"], eps, size, norm)}


def best(slots: State, output: StepOutput) -> State:
    """The best point so far and its loss; and its gradient, if the memory has it."""
    better = output.losses > slots["best_loss"]
    seen = {"best": slots["point"], "best_gradient": output.gradients, "best_loss": output.losses}
    return {key: choose(better, new, slots[key]) for key, new in seen.items() if key in slots}


def choose(where: tf.Tensor, new: tf.Tensor, old: tf.Tensor) -> tf.Tensor:
    """The new value in the slots where `where` [B] is true, the old one in the others."""
    return tf.where(tf.reshape(where, [-1] + [1] * (len(old.shape) - 1)), new, old)
