"""What an attack brings to the engine: where it begins, its graph-pure step, and what it remembers.

An attack keeps what it remembers of an image (momentum, step size, best point) in tensors of one entry a
slot; the engine carries them in and out of the batch with the image.
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
    """Whom to attack: everything about the images that stays the same while they are attacked."""

    classifier: Classifier
    images: np.ndarray  # [N, H, W, C] in [0, 1]
    labels: np.ndarray  # int64 [N]
    seeds: np.ndarray  # int64 [N]
    start: np.ndarray | None  # [N, H, W, C]: where the first climb begins, instead of the climb's own choice
    targets: np.ndarray | None  # int64 [N]: the model is fooled by this answer only
    surrogate_targets: np.ndarray | None = None  # int64 [N, A]: the class each climb heads for, one after the other


class StepOutput(NamedTuple):
    """What one pass says about the points [B, H, W, C]; the gradients are 0 where an attack asks for none."""

    losses: tf.Tensor  # [B]
    logits: tf.Tensor  # [B, C]
    gradients: tf.Tensor  # [B, H, W, C]


Step = Callable[[State, StepOutput, State, AnyNorm], State]
RandomPoint = Callable[[tf.Tensor, tf.Tensor, tf.Tensor, ball.Scalar, AnyNorm], tf.Tensor]


def nothing(points: np.ndarray, hyperparameters: Mapping[str, float]) -> Memory:
    """What an attack without a memory remembers."""
    del points, hyperparameters
    return {}


@dataclass(frozen=True)
class IterativeAttack:
    """How an attack searches.

    name: what stands in `by` for an image that falls.
    numbers: what the step reads, `eps` among it; tensors in the graph, so that another value traces nothing.
        `eps` and `size` may have a value for each image, [N], and reach step, memory and draw as [B, 1, 1, 1].
    step: graph-pure `(slots, look, numbers, norm) -> what changes`, at least the next "point". In `slots`
        are "point", "centre", "label", "target", "seed", "left" (turns, this one included) and the memory.
    memory: `(points, numbers) -> {name: array [n, ...]}`: what the step remembers, as a climb begins.
    draw: graph-pure `(centres, seeds, stream, eps, norm) -> points` where a random climb begins.
    plain: how many climbs begin at the image itself, before the random ones.
    restarts: climbs, for the images that still stand.
    eot_iter: passes over which a look averages the gradients of a randomised model; 0 asks for no gradients.
    roams: its points may leave the ball, so those outside do not count.
    keep: what is left of an image that stands: "point", the last, or another image that is remembered.
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
    """A step of `size` up the loss, brought back into the ball."""
    eps, size = hyperparameters["eps"], hyperparameters["size"]
    return {"point": ball.step(slots["point"], output.gradients, slots["centre"], eps, size, norm)}


def best(slots: State, output: StepOutput) -> State:
    """The best point so far and its loss; and its gradient, where that is remembered."""
    better = output.losses > slots["best_loss"]
    seen = {"best": slots["point"], "best_gradient": output.gradients, "best_loss": output.losses}
    return {key: choose(better, new, slots[key]) for key, new in seen.items() if key in slots}


def choose(where: tf.Tensor, new: tf.Tensor, old: tf.Tensor) -> tf.Tensor:
    """The new value of the slots where [B] says so, the old one of the others."""
    return tf.where(tf.reshape(where, [-1] + [1] * (len(old.shape) - 1)), new, old)
