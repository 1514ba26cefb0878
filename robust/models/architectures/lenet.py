"""LeNet-5 (LeCun, Bottou, Bengio & Haffner, Proc. IEEE 86(11), 1998), as taught and as published."""

from collections.abc import Callable
from typing import Literal

import keras
import numpy as np
from keras import layers

from robust.core.errors import ModelError
from robust.core.types import Positive
from robust.models.architectures.blocks import check, check_choice, logits, scaled, shape
from robust.models.architectures.normalization import normalization

SIDE = 32  # pixels: a 5x5 detector can then centre on every place of the 20x20 digit
C3_INPUTS = (
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (4, 5, 0), (5, 0, 1),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (3, 4, 5, 0), (4, 5, 0, 1), (5, 0, 1, 2),
    (0, 1, 3, 4), (1, 2, 4, 5), (2, 3, 5, 0),
    (0, 1, 2, 3, 4, 5),
)  # fmt: skip
"""The maps of S2 that each of the 16 maps of C3 sees (the paper's table I): 60 links of 96."""


def lenet5(
    *, input_shape=(28, 28, 1), classes=10, form: Literal["modern", "1998"] = "modern", width: Positive = 1.0
) -> keras.Model:
    """LeNet-5 (LeCun, Bottou, Bengio & Haffner, Proc. IEEE 1998): small detectors, learned and shared.

    It introduced the order convolution, subsampling, convolution, subsampling, full connection.
    Sharing weights solved two problems of fully connected networks on pixels: far too many weights, and
    no notion that a shifted digit is the same digit.

    image [N, H, W, C] in [0, 1], padded with black to 32x32 -> C1 6@28x28 -> S2 6@14x14 ->
    C3 16@10x10 -> S4 16@5x5 -> C5 120 -> F6 84 -> logits [N, classes]. MNIST test error 0.95 %.

    form="modern", the one in today's textbooks: C3 sees all of S2, plain average pooling, tanh,
    Glorot initialisation, a trained linear output: 61,706 trainable parameters. Inputs are
    standardised per channel.

    form="1998": C3 connected by the paper's table; subsampling is the sum of 2x2 pixels times a
    trained coefficient plus a trained bias; all squashed by 1.7159 tanh(2x/3); kernels uniform in
    +-2.4 / fan-in, biases 0; black pixels enter as -0.1 and white ones as 1.175. These are the
    paper's 60,000 trainable parameters. The outputs compare F6 with a fixed code of 84 signs for
    each class: 2 code . F6, which is minus the squared distance of the paper's RBF units but for
    a term common to all classes that no softmax, margin or ranking sees. Our codes are rows of
    a Hadamard matrix, any two differing in 42 places (the paper names an error correcting code as
    an alternative to its 7x12 bitmaps). Trained as the recipe specifies, not by the paper's
    loss and second-order method; SGD at a learning rate of 0.1 saturates it, 0.01 does not.

    Args:
        input_shape: height and width of 8 to 64 pixels, and the channels. What is smaller than 32
            is padded; above, C5 has more than one place and F6 sees them all.
        classes: at least 2; at most 84 with form="1998".
        form: "modern" or "1998".
        width: factor on the maps and units of the modern form, > 0; 1 with form="1998".

    Raises ModelError for arguments outside these.

    >>> model = lenet5()
    >>> sum(weight.numpy().size for weight in model.trainable_weights)
    61706
    """
    check("lenet5", input_shape, classes, width, sides=(8, 64))
    check_choice("lenet5", "form", form, FORMS)
    image = keras.Input(input_shape, name="image")
    return keras.Model(image, FORMS[form](padded(image), classes, width), name="lenet5")


def padded(x: keras.KerasTensor) -> keras.KerasTensor:
    """[N, H, W, C] -> at least 32x32, black all around; the odd pixel goes below and to the right."""
    missing = [max(0, SIDE - side) for side in shape(x)[:2]]
    if not any(missing):
        return x
    around = tuple((m // 2, m - m // 2) for m in missing)
    return layers.ZeroPadding2D(around, dtype="float32", name="pad")(x)


def _modern(x: keras.KerasTensor, classes: int, width: float) -> keras.KerasTensor:
    def convolution(maps: int, name: str) -> layers.Layer:
        return layers.Conv2D(scaled(maps, width), 5, activation="tanh", name=name)

    x = normalization(x, per="channel")
    x = layers.AveragePooling2D(2, name="s2")(convolution(6, "c1")(x))
    x = layers.AveragePooling2D(2, name="s4")(convolution(16, "c3")(x))
    x = layers.Flatten(name="flatten")(convolution(120, "c5")(x))
    x = layers.Dense(scaled(84, width), activation="tanh", name="f6")(x)
    return logits(x, classes, "glorot_uniform")


def _as_published(x: keras.KerasTensor, classes: int, width: float) -> keras.KerasTensor:
    if width != 1 or classes > 84:
        raise ModelError(
            f"lenet5: width is {width!r} and classes is {classes!r}; form='1998' has the paper's maps "
            "(width 1) and codes for at most 84 classes; form='modern' has neither limit"
        )
    x = layers.Rescaling(1.275, -0.1, dtype="float32", name="levels")(x)
    x = squashed(layers.Conv2D(6, 5, kernel_initializer=uniform(25 * shape(x)[-1]), name="c1")(x), "c1")
    x = c3(subsampled(x, "s2"))
    x = subsampled(x, "s4")
    x = squashed(layers.Conv2D(120, 5, kernel_initializer=uniform(25 * 16), name="c5")(x), "c5")
    x = layers.Flatten(name="flatten")(x)
    x = squashed(layers.Dense(84, kernel_initializer=uniform(shape(x)[-1]), name="f6")(x), "f6")
    codes = keras.initializers.Constant(2 * _codes()[:classes].T)
    return layers.Dense(
        classes, use_bias=False, kernel_initializer=codes, trainable=False, dtype="float32", name="logits"
    )(x)


def squashed(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """1.7159 tanh(2x/3), which maps +-1 to +-1, where its curvature is largest."""
    x = layers.Activation("tanh", name=f"{name}_tanh")(layers.Rescaling(2 / 3, name=f"{name}_slope")(x))
    return layers.Rescaling(1.7159, name=f"{name}_squash")(x)


def subsampled(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """[N, 2H, 2W, C] -> [N, H, W, C]: the sum of 2x2 pixels, a coefficient and a bias a map, squashed."""
    x = layers.Rescaling(4, name=f"{name}_sum")(layers.AveragePooling2D(2, name=f"{name}_average")(x))
    return squashed(layers.DepthwiseConv2D(1, depthwise_initializer=uniform(4), name=name)(x), name)


def c3(x: keras.KerasTensor) -> keras.KerasTensor:
    """[N, H, W, 6] -> [N, H - 4, W - 4, 16]: each map sees the maps of S2 that the table gives it."""
    maps = []
    for number, inputs in enumerate(C3_INPUTS):
        seen = keras.ops.take(x, list(inputs), axis=-1)
        kernel = uniform(25 * len(inputs))
        maps.append(layers.Conv2D(1, 5, kernel_initializer=kernel, name=f"c3_map{number}")(seen))
    return squashed(layers.Concatenate(name="c3")(maps), "c3")


def uniform(fan_in: int) -> keras.Initializer:
    """Uniform in +-2.4 / fan-in: a unit's sum starts within the linear part of its squashing function."""
    return keras.initializers.RandomUniform(-2.4 / fan_in, 2.4 / fan_in)


def _codes() -> np.ndarray:
    """84 codes of 84 signs, pairwise orthogonal: the Hadamard matrix that Paley built from the prime 83."""
    squares = {number * number % 83 for number in range(1, 83)}
    residue = np.array([0] + [1 if number in squares else -1 for number in range(1, 83)])
    skew = np.zeros((84, 84))
    skew[0, 1:], skew[1:, 0] = 1, -1
    skew[1:, 1:] = residue[np.subtract.outer(np.arange(83), np.arange(83)) % 83]
    return skew + np.eye(84)


Form = Callable[[keras.KerasTensor, int, float], keras.KerasTensor]
FORMS: dict[str, Form] = {"modern": _modern, "1998": _as_published}
