"""Where in a network the first non-finite number arose."""

import keras
import numpy as np
import tensorflow as tf


def where(network: keras.Model, images: tf.Tensor, finite: np.ndarray) -> str:
    """In words, the first layer whose output on these images is not finite, or else whose gradient was not.

    finite: bool for each trainable weight, whether its gradient was finite. The gradient goes from the
    last layer to the first, so the last one at fault is where it began.

    >>> network = keras.Sequential([keras.Input([2]), keras.layers.Dense(1, name="one")])
    >>> where(network, tf.constant([[1.0, float("inf")]]), np.array([True, True]))
    "the output of layer 'one'"
    """
    layers = [layer for layer in network.layers if not isinstance(layer, keras.layers.InputLayer)]
    with keras.StatelessScope():
        seen = keras.Model(network.inputs, [layer.output for layer in layers])(images, training=True)
    for layer, output in zip(layers, tf.nest.flatten(seen), strict=True):
        if not _finite(output):
            return f"the output of layer {layer.name!r}"
    at_fault = [w for w, is_finite in zip(network.trainable_weights, finite, strict=True) if not is_finite]
    if not at_fault:
        return "the loss itself"
    return f"the gradient of {at_fault[-1].path}"


def _finite(values: tf.Tensor) -> bool:
    return bool(tf.reduce_all(tf.math.is_finite(tf.cast(values, tf.float32))))
