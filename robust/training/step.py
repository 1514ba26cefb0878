"""One step of training, the same on one device, on several and on several machines."""

from collections.abc import Callable
from dataclasses import dataclass, field

import keras
import numpy as np
import tensorflow as tf

from robust.models.classifier import main_logits
from robust.training.objectives import Batch, Objective
from robust.training.optimizers import decayed
from robust.training.recipes import Recipe
from robust.training.remat import Rematerialised

State = keras.Variable | tf.Variable
"""What a step changes, or what keeps it."""


@dataclass(frozen=True)
class Learner:
    """What a step needs and changes."""

    network: keras.Model
    optimizer: keras.optimizers.Optimizer
    objective: Objective
    recipe: Recipe
    strategy: tf.distribute.Strategy
    averages: list[tf.Variable]
    """Of the network's weights and statistics; empty where the recipe has no ema."""
    rematerialised: Rematerialised | None = None
    """What the objective calls in place of the network, to save memory."""
    held: list[keras.layers.Layer] = field(default_factory=list)
    """Layers that the recipe freezes, at least for some epochs."""
    best: list[tf.Variable] = field(default_factory=list)
    """Weights and statistics of the epoch that was best; empty where those of the last are kept."""
    class_weights: np.ndarray | None = None
    """The weight of an image's loss, float32 [C] by its class; None: 1."""

    def averaged(self) -> list[keras.Variable]:
        """The weights and statistics that `averages` belong to."""
        return averaged(self.network) if self.averages else []

    def states(self) -> list[keras.Variable]:
        """What a step changes besides the weights that learn: statistics, random states, but nothing that is frozen."""
        frozen = {id(w) for layer in main_logits.flat(self.network) if not layer.trainable for w in layer.weights}
        return [variable for variable in self.network.non_trainable_variables if id(variable) not in frozen]

    def variables(self) -> list[State]:
        """All that training changes, in a fixed order: what a checkpoint holds."""
        return [*self.network.variables, *self.optimizer.variables, *self.averages, *self.best]


def compiled(learner: Learner, spec: object) -> Callable[..., tuple[tf.Tensor, ...]]:
    """The step as a graph: a batch of `spec` -> mean loss, how many are correct, of how many, and a bool per gradient.

    The last is whether each weight's gradient is finite everywhere. If one is not, and no loss scale handles
    that, all count as 0, so that the weights can still be inspected.
    """
    strategy, rate = learner.strategy, learner.recipe.rate_below
    slower = [w for layer in learner.held for w in layer.trainable_weights] if rate < 1 else []

    def step(*batch: tf.Tensor) -> tuple[tf.Tensor, ...]:
        before = [tf.identity(weight.value) for weight in slower]
        results, states = strategy.run(update, args=(learner, batch))
        for weight, value in zip(slower, before, strict=True):  # a share of the update, whatever the optimiser
            weight.assign(value + rate * (weight.value - value))
        for variable, state in zip(learner.states(), states, strict=True):
            variable.assign(first(strategy, state))
        for average, weight in zip(learner.averages, learner.averaged(), strict=True):
            strategy.extended.update(average, _average, args=(weight.value, learner))
        return tuple(first(strategy, each) for each in results)

    on_gpu = bool(tf.config.list_logical_devices("GPU"))  # on a CPU, XLA makes these networks slower
    alone = strategy.num_replicas_in_sync == 1
    return tf.function(step, autograph=False, input_signature=spec, jit_compile=(on_gpu and alone) or None)


def update(learner: Learner, batch: Batch) -> tuple[tuple[tf.Tensor, ...], list[tf.Tensor]]:
    """What one replica does: its share of the gradient, which the optimiser sums over the replicas."""
    weights, optimizer, recipe = learner.network.trainable_weights, learner.optimizer, learner.recipe
    context = tf.distribute.get_replica_context()
    replicas = learner.strategy.num_replicas_in_sync
    count = context.all_reduce("SUM", tf.shape(batch[0])[0])
    (*gradients, loss, right), states = gradient(learner, batch, count)
    if recipe.weight_decay and recipe.decays == "l2":
        decays = {id(weight) for weight in decayed(recipe, learner.network)}
        rate = optimizer.scale_loss(recipe.weight_decay / replicas)
        gradients = [g + rate * w if id(w) in decays else g for g, w in zip(gradients, weights, strict=True)]
    if replicas > 1:  # clipping and the loss scale must see the whole gradient
        gradients = context.all_reduce("SUM", gradients)
        # A state that was only read has no device, which several machines need to reduce it: an identity has.
        states = [context.all_reduce("MEAN", tf.identity(s)) if s.dtype.is_floating else s for s in states]
    finite = tf.stack([tf.reduce_all(tf.math.is_finite(g)) for g in gradients])
    if recipe.precision != "mixed_float16":
        gradients = [tf.where(tf.reduce_all(finite), g, tf.zeros_like(g)) for g in gradients]
    optimizer.apply([g / replicas for g in gradients], weights)
    return (context.all_reduce("SUM", loss), context.all_reduce("SUM", right), count, finite), states


def gradient(learner: Learner, batch: Batch, count: tf.Tensor) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """[the gradient of each weight, loss, right] and the new states, from as many parts as the recipe requests."""
    states = [tf.convert_to_tensor(v) for v in learner.states()]
    if learner.recipe.accumulation == 1:
        return part(learner, batch, count, states)
    parts = tf.minimum(learner.recipe.accumulation, tf.shape(batch[0])[0])
    sums = [*map(tf.zeros_like, learner.network.trainable_weights), tf.zeros(()), tf.zeros((), tf.int32)]

    def add(i: tf.Tensor, sums: list[tf.Tensor], states: list[tf.Tensor]) -> tuple[object, ...]:
        places = tf.range(i, tf.shape(batch[0])[0], parts)
        more, states = part(learner, tuple(tf.gather(x, places) for x in batch), count, states)
        return i + 1, [a + b for a, b in zip(sums, more, strict=True)], states

    return tf.while_loop(lambda i, *_: i < parts, add, (0, sums, states), parallel_iterations=1)[1:]


def part(
    learner: Learner, batch: Batch, count: tf.Tensor, states: list[tf.Tensor]
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """The losses of these images, over the `count` of all; nothing is changed, new states are returned."""
    network, optimizer, changing = learner.network, learner.optimizer, learner.states()
    with tf.GradientTape() as tape:
        with keras.StatelessScope(list(zip(changing, states, strict=True))) as scope:
            losses, logits = learner.objective(learner.rematerialised or network, batch, optimizer.iterations)
        losses = weighed(losses, batch[1], learner.class_weights)
        loss = tf.reduce_sum(losses) / tf.cast(count, losses.dtype)
        scaled = optimizer.scale_loss(loss)
    weights = [weight.value for weight in network.trainable_weights]
    gradients = tape.gradient(scaled, weights, unconnected_gradients="zero")
    labels = batch[1] if batch[1].dtype.is_integer else tf.argmax(batch[1], 1)
    right = tf.math.count_nonzero(tf.argmax(logits, 1) == labels, dtype=tf.int32)
    new = [scope.get_current_value(v) for v in changing]
    return [*gradients, loss, right], [tf.convert_to_tensor(v) for v in new]


def weighed(losses: tf.Tensor, labels: tf.Tensor, weights: np.ndarray | None) -> tf.Tensor:
    """Losses [B] times the weights [C] of their labels, int [B] or a share of each class [B, C]."""
    if weights is None:
        return losses
    known = tf.constant(weights, losses.dtype)
    counts = (
        tf.gather(known, labels) if labels.dtype.is_integer else tf.linalg.matvec(tf.cast(labels, known.dtype), known)
    )
    return losses * counts


def averaged(network: keras.Model) -> list[keras.Variable]:
    """What of a network can be averaged over the steps: weights and statistics, but no counts."""
    return [weight for weight in network.weights if keras.backend.is_float_dtype(weight.dtype)]


def _average(average: tf.Variable, weight: tf.Tensor, learner: Learner) -> None:
    step = tf.cast(learner.optimizer.iterations, tf.float32)  # Keras' own averages decay alike from the first step on
    decay = tf.minimum(learner.recipe.ema, (1 + step) / (10 + step))
    average.assign(average + (1 - decay) * (weight - average))


def first(strategy: tf.distribute.Strategy, value: object) -> tf.Tensor:
    """Of what all replicas agree on, the first one's."""
    return strategy.experimental_local_results(value)[0]
