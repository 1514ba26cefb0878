"""How many parameters a model has, as papers count: what training can change.

Kernels, biases, the scales and shifts of normalisations, whether they are frozen or not. What is measured and
not learned is no parameter: the running mean and variance of a BatchNorm, and the constants of a Normalization layer,
a mean image among them. So ResNet-18 has 11,689,512, as torchvision reports; Keras' `count_params` adds the others.
"""

from math import prod

import keras


def count(model: keras.layers.Layer) -> int:
    """The parameters of a Keras model or layer, each shared one once.

    >>> count(keras.Sequential([keras.Input((3,)), keras.layers.Normalization(), keras.layers.Dense(2)]))
    8
    """
    return sum(prod(weight.shape) for weight in learned(model))


def learned(layer: keras.layers.Layer) -> list[keras.Variable]:
    """The weights of a layer, and of those inside it, that training changes unless they are frozen, each once.

    They are identified by how they were created, `add_weight(trainable=...)`; freezing a layer does not change that.
    """
    found = [weight for part in layer._flatten_layers() for weight in part._trainable_variables]
    return list({id(weight): weight for weight in found}.values())
