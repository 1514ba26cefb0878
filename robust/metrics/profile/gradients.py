"""One backward pass over a probe batch: the gradients at every layer of a network."""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from robust.metrics.profile.layers import Weighted, weighted
from robust.models.architectures.googlenet import AUXILIARY_WEIGHT
from robust.models.classifier import Classifier, main_logits


@dataclass(frozen=True)
class Layer:
    """One layer: norms of its weights and of the gradients by them and by its output; statistics of its activations.

    output: the name of the output tensor; a projection in a shortcut shares it with the layer parallel to it.
    silent: the share that is dead of the `units` of a ReLU, or saturated of those of a tanh or a sigmoid.
    """

    name: str
    weights: float
    by_weights: float
    by_output: float
    deviation: float
    output: str
    activation: str = ""
    silent: float = float("nan")
    units: int = 0


@dataclass(frozen=True)
class Flow:
    """A backward pass: the layers up to the main logits, those of auxiliary heads, its loss, and the norm of it all."""

    main: list[Layer]
    heads: list[Layer]
    loss: float
    norm: float


def flow(classifier: Classifier, inputs: tf.Tensor, labels: np.ndarray, seed: int) -> Flow:
    """One forward and backward pass of a batch in training mode; the network is not changed.

    Dropout draws from `seed`, BatchNorm takes the statistics of the batch. The loss is the mean
    cross-entropy, plus 0.3 times that of each auxiliary head.

    inputs: [N, H, W, C] in the pixel range of the network; labels: int [N].
    """
    main = weighted(classifier.model)
    outputs = _logits(classifier)
    network = keras.Model(classifier.model.inputs, outputs)
    own = {layer.name for layer in main}
    layers = [*main, *(layer for layer in weighted(network) if layer.name not in own)]
    tapped = keras.Model(network.inputs, [*outputs, *(layer.output for layer in layers)])
    weights = [tf.convert_to_tensor(v) for v in tapped.trainable_variables]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(weights)
        given, _ = tapped.stateless_call(weights, _states(tapped, seed), inputs, training=True)
        logits, activations = given[: len(outputs)], given[len(outputs) :]
        losses = [tf.reduce_mean(_cross_entropy(labels, one)) for one in logits]
        loss = losses[0] + AUXILIARY_WEIGHT * tf.add_n(losses[1:]) if losses[1:] else losses[0]
    by_weights, by_outputs = tape.gradient(loss, (weights, activations), unconnected_gradients="zero")
    of = {id(v): (w, g) for v, w, g in zip(tapped.trainable_variables, weights, by_weights, strict=True)}
    seen = [_layer(*one, of) for one in zip(layers, activations, by_outputs, strict=True)]
    return Flow(seen[: len(main)], seen[len(main) :], float(losses[0]), _norm(by_weights))


def _logits(classifier: Classifier) -> list[keras.KerasTensor]:
    """The main logits, then those of the auxiliary heads."""
    network, main = classifier.network, classifier.model.outputs[0]
    if len(network.outputs) == 1:
        return [main]
    others = [o for o in network.outputs if o._keras_history.operation.name != "logits"]
    return [main, *(main_logits.linear(keras.Model(network.inputs, other)).outputs[0] for other in others)]


def _states(network: keras.Model, seed: int) -> list[tf.Tensor]:
    """The variables that training changes by itself, with the random layers started from the seed."""
    states = []
    for number, variable in enumerate(network.non_trainable_variables):
        random = variable.path.endswith("seed_generator_state")
        states.append(tf.constant([seed, number], variable.dtype) if random else tf.convert_to_tensor(variable))
    return states


def _cross_entropy(labels: np.ndarray, logits: tf.Tensor) -> tf.Tensor:
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, tf.cast(logits, tf.float32))


def _layer(
    layer: Weighted, output: tf.Tensor, by_output: tf.Tensor, of: dict[int, tuple[tf.Tensor, tf.Tensor]]
) -> Layer:
    weights, by_weights = zip(*(of[id(kernel)] for kernel in layer.kernels), strict=True)
    values = np.asarray(tf.cast(output, tf.float32))
    with np.errstate(invalid="ignore"):  # where the signal has exploded
        deviation = float(values.std(dtype=np.float64))
    return Layer(
        layer.name,
        _norm(weights),
        _norm(by_weights),
        _norm([by_output]),
        deviation,
        layer.output.name,
        layer.activation,
        *_silent(values, layer.activation),
    )


def _norm(tensors: Sequence[tf.Tensor]) -> float:
    """The norm of all of them together, in double precision: 1e-12 squared is too small for a float32."""
    return float(np.sqrt(sum(np.square(np.asarray(tf.cast(t, tf.float64))).sum() for t in tensors)))


def _silent(values: np.ndarray, activation: str) -> tuple[float, int]:
    """The share that passes hardly any gradient, and of how many; a unit of a convolution is a whole map."""
    if activation == "relu":
        silent = (values.reshape(-1, values.shape[-1]) <= 0).all(axis=0)
    elif activation == "tanh":
        silent = np.abs(values) > 0.97
    elif activation == "sigmoid":
        silent = np.abs(values - 0.5) > 0.47
    else:
        return float("nan"), 0
    return float(silent.mean()), silent.size
