"""Rematerialisation: activations are computed again when the gradient needs them, rather than stored.

A network is cut where a single tensor joins what comes before with what comes after; of these places about
as many are taken as the root of their number. Between two of them nothing is stored. That is a second forward
pass, for memory that grows with the root of the depth (Chen, Xu, Zhang & Guestrin, 2016, arXiv:1604.06174); for
DenseNet, whose stored concatenations grow with the square of the depth, Pleiss et al., 2017, arXiv:1707.06990.
Keras' own `RematScope` wraps single layers, which store their inputs all the same.
"""

import itertools
import math

import keras
import tensorflow as tf

from robust.core.errors import ModelError


class Rematerialised:
    """A network that, called in training, stores only the tensors at its cuts; the weights are the network's own.

    Raises ModelError for networks with random layers, which would draw anew, and with several outputs.
    """

    def __init__(self, network: keras.Model):
        drawn = [v.path for v in network.non_trainable_variables if "seed_generator" in v.path]
        if drawn or len(network.outputs) > 1:
            what = f"random layers ({drawn[0]})" if drawn else "several outputs"
            raise ModelError(f"remat = 'blocks': {network.name} has {what}; set remat = 'none'")
        self._network, self._blocks = network, blocks(network)

    def __call__(self, images: tf.Tensor, training: bool) -> tf.Tensor:
        """The logits [B, C]."""
        if not training:
            return self._network(images, training=False)
        for block in self._blocks:
            images = again(block, images)
        return images


def blocks(network: keras.Model) -> list[keras.Model]:
    """The network as models to be called one after the other, of about as many layers each.

    >>> image = x = keras.Input([2])
    >>> for _ in range(9):
    ...     x = keras.layers.Dense(2)(x)
    >>> [len(block.layers) - 1 for block in blocks(keras.Model(image, x))]
    [3, 3, 3]
    """
    places = cuts(network)
    stride = max(1, round(math.sqrt(len(places))))
    ends = [*places[stride - 1 : -1 : stride], places[-1]]
    starts = [network.inputs[0], *ends[:-1]]
    return [keras.Model(start, end) for start, end in zip(starts, ends, strict=True)]


def cuts(network: keras.Model) -> list[keras.KerasTensor]:
    """The tensors, in order, through which alone later ones depend on earlier ones; last, the output."""
    places = {id(layer.output): place for place, layer in enumerate(network.layers)}
    last = list(range(len(places)))  # where an output is used for the last time
    for place, layer in enumerate(network.layers[1:], start=1):  # the first is the input
        for tensor in tf.nest.flatten(layer.input):
            last[places[id(tensor)]] = place
    before = itertools.accumulate(last, max)  # the last use of whatever came until then
    return [
        layer.output
        for place, (layer, reach) in enumerate(zip(network.layers[1:], before, strict=False), start=1)
        if reach <= place
    ]


def again(block: keras.Model, images: tf.Tensor) -> tf.Tensor:
    """The block on the images; its statistics are set once, though it is computed twice."""
    weights = block.trainable_variables
    states = [v for v in block.non_trainable_variables if keras.backend.is_float_dtype(v.dtype)]

    @tf.recompute_grad
    def compute(images: tf.Tensor, *values: tf.Tensor) -> tuple[tf.Tensor, ...]:
        with keras.StatelessScope(list(zip([*weights, *states], values, strict=True))) as scope:
            output = block(images, training=True)
        return output, *(tf.stop_gradient(scope.get_current_value(state)) for state in states)

    output, *new = compute(images, *map(tf.convert_to_tensor, [*weights, *states]))
    for state, value in zip(states, new, strict=True):
        state.assign(value)
    return output
