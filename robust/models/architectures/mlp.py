"""Fully connected networks as deep as one likes: where gradients were first seen to vanish and to explode."""

from typing import Literal

import keras
from keras import layers

from robust.core.types import Count, Positive
from robust.models.architectures.blocks import check, check_choice, logits, scaled
from robust.models.architectures.initializers import initializer as initial
from robust.models.architectures.normalization import normalization


def mlp(
    *,
    input_shape=(28, 28, 1),
    classes=10,
    depth: Count = 5,
    activation: Literal["sigmoid", "tanh", "relu"] = "relu",
    initializer: Literal["glorot", "he", "normal"] = "he",
    scale: Positive = 1.0,
    norm: Literal["none", "batch"] = "none",
    width: Positive = 1.0,
) -> keras.Model:
    """A deep perceptron (Glorot & Bengio, AISTATS 2010): what activation, first weights and BatchNorm do to a gradient.

    Each layer multiplies the gradient by its weights and by the slope of its activation. A sigmoid's slope is at
    most 1/4, so that a few layers lose the gradient (Bengio, Simard & Frasconi, 1994); wide weights in many
    layers make it explode. What keeps both at bay: weights scaled to the layer's width ("glorot" for tanh, "he" for
    ReLU, of which half the units are silent), or normalising between layers (Ioffe & Szegedy, ICML 2015).

    image [N, H, W, C] in [0, 1], standardised per channel -> `depth` layers of 128 units -> logits [N, classes].

    Args:
        input_shape: height and width of at least 8 pixels, and the channels.
        classes: at least 2.
        depth: hidden layers.
        activation: of the hidden layers.
        initializer: of all weights: "glorot", "he", or "normal", a standard deviation of .01 whatever the width.
        scale: factor on the standard deviation of the weights, > 0.
        norm: "batch" puts a BatchNorm (epsilon 1e-3, momentum 0.9) between each layer and its activation.
        width: factor on the units of the hidden layers, > 0.

    Raises ModelError for arguments outside these.

    >>> mlp(depth=2).count_params()  # 784 * 128 + 128, 128 * 128 + 128, 128 * 10 + 10, and 3 of the normalisation
    118285
    """
    check("mlp", input_shape, classes, width)
    check_choice("mlp", "activation", activation, ("sigmoid", "tanh", "relu"))
    check_choice("mlp", "norm", norm, ("none", "batch"))
    image = keras.Input(input_shape, name="image")
    x = layers.Flatten(name="flatten")(normalization(image, per="channel"))
    for number in range(1, depth + 1):
        start = initial("mlp", initializer, scale)
        x = layers.Dense(scaled(128, width), kernel_initializer=start, name=f"fc{number}")(x)
        if norm == "batch":
            x = layers.BatchNormalization(momentum=0.9, name=f"fc{number}_bn")(x)
        x = layers.Activation(activation, name=f"fc{number}_{activation}")(x)
    return keras.Model(image, logits(x, classes, initial("mlp", initializer, scale)), name="mlp")
