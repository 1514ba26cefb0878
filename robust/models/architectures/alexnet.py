"""AlexNet (Krizhevsky, Sutskever & Hinton, NIPS 2012), as published rather than as later simplified."""

from typing import Literal

import keras
from keras import layers

from robust.core.errors import ModelError
from robust.core.types import Positive
from robust.models.architectures.blocks import check, chosen_stem, hidden, local_response_normalization, logits, scaled
from robust.models.architectures.normalization import normalization

LEAST = 67  # pixels: less, and nothing is left for the third pool


def alexnet(
    *,
    input_shape=(227, 227, 3),
    classes=1000,
    stem: Literal["imagenet", "small"] | None = None,
    groups: Literal[1, 2] = 2,
    width: Positive = 1.0,
) -> keras.Model:
    """AlexNet (Krizhevsky, Sutskever & Hinton, NIPS 2012): a large network, trained on two GPUs.

    It introduced ReLUs, dropout, local response normalisation, overlapping pools and colour
    augmentation to large convolutional networks. ReLUs solved the saturation that made deep tanh
    networks learn six times slower; dropout solved the overfitting of 60 million parameters.

    image [N, H, W, C] in [0, 1], minus the training set's mean image, times 255 -> conv1 96@55x55 (11x11,
    stride 4) -> normalisation, pool -> conv2 256@27x27 (5x5) -> normalisation, pool -> conv3 384@13x13
    -> conv4 384 -> conv5 256 (3x3) -> pool -> fc6 4096 -> fc7 4096 -> logits [N, classes]. The paper
    speaks of 224x224 pixels; its layers fit 227x227.

    Weights start from N(0, 0.01), biases from 1 in conv2, conv4, conv5, fc6 and fc7, and else from 0;
    those weights are meant for pixels of 0 to 255. 60,965,224 trainable parameters; 724 M
    multiply-accumulates; ImageNet 2012 top-1 and top-5 error 40.7 % and 18.2 % (10 crops).

    Args:
        input_shape: height and width of at least 8 pixels (67 with stem="imagenet"), and the channels.
        classes: at least 2.
        stem: "imagenet", or "small": conv1 is 3x3 with stride 1, pools keep an odd last row, and there
            are no hidden fc layers, as usual for CIFAR: dropout, then the logits (2,342,794 parameters
            with 32x32x3 and 10 classes); None takes "small" under 64 pixels.
        groups: 2 splits conv2, conv4 and conv5 in two branches of which each sees half of the channels
            (the two GPUs); with 1 they see all: 62,378,344 parameters.
        width: factor on all numbers of channels (kept even) and hidden units, > 0.

    Raises ModelError for arguments outside these.

    >>> alexnet(input_shape=(32, 32, 3), classes=10, width=0.1).output_shape
    (None, 10)
    """
    check("alexnet", input_shape, classes, width)
    if groups not in (1, 2):
        raise ModelError(f"alexnet: groups is {groups!r}; it must be 1 or 2")
    stem = chosen_stem("alexnet", stem, input_shape, LEAST)
    image = keras.Input(input_shape, name="image")
    x = layers.Rescaling(255, dtype="float32", name="levels")(normalization(image, per="pixel"))
    x = STEMS[stem](x, even(96, width))
    x = convolutions(x, groups, width, "valid" if stem == "imagenet" else "same")
    return keras.Model(image, logits(HEADS[stem](x, width), classes, _gaussian()), name="alexnet")


def convolutions(x: keras.KerasTensor, groups: int, width: float, edge: str) -> keras.KerasTensor:
    """What follows conv1, [N, 55, 55, 96] -> [N, 6, 6, 256]; edge: how the pools treat the last rows."""
    x = _pooled(_normalized(x, "norm1"), edge, "pool1")
    x = layers.ReLU(name="conv2_relu")(BRANCHES[groups](x, even(256, width), 5, name="conv2"))
    x = _pooled(_normalized(x, "norm2"), edge, "pool2")
    x = layers.ReLU(name="conv3_relu")(_convolution(x, even(384, width), 3, bias=0, name="conv3"))
    x = layers.ReLU(name="conv4_relu")(BRANCHES[groups](x, even(384, width), 3, name="conv4"))
    x = layers.ReLU(name="conv5_relu")(BRANCHES[groups](x, even(256, width), 3, name="conv5"))
    return _pooled(x, edge, "pool5")


def _convolution(x: keras.KerasTensor, channels: int, kernel: int, *, bias: float = 1, name: str) -> keras.KerasTensor:
    start = keras.initializers.Constant(bias)
    conv = layers.Conv2D(
        channels, kernel, padding="same", kernel_initializer=_gaussian(), bias_initializer=start, name=name
    )
    return conv(x)


def branches(x: keras.KerasTensor, channels: int, kernel: int, *, name: str) -> keras.KerasTensor:
    """Two convolutions, each on its half of the channels: in training, 9 times faster than `groups=2` on a CPU."""
    halves = enumerate(keras.ops.split(x, 2, axis=-1), start=1)
    parts = [_convolution(half, channels // 2, kernel, name=f"{name}_branch{number}") for number, half in halves]
    return layers.Concatenate(name=name)(parts)


def _normalized(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return local_response_normalization(x, bias=2.0, alpha=1e-4, name=name)  # n = 5, beta = 0.75: section 3.3


def _pooled(x: keras.KerasTensor, edge: str, name: str) -> keras.KerasTensor:
    return layers.MaxPooling2D(3, 2, edge, name=name)(x)


def imagenet_stem(x: keras.KerasTensor, channels: int) -> keras.KerasTensor:
    """[N, 227, 227, C] -> [N, 55, 55, 96]."""
    x = layers.Conv2D(channels, 11, 4, kernel_initializer=_gaussian(), name="conv1")(x)
    return layers.ReLU(name="conv1_relu")(x)


def _small_stem(x: keras.KerasTensor, channels: int) -> keras.KerasTensor:
    return layers.ReLU(name="conv1_relu")(_convolution(x, channels, 3, bias=0, name="conv1"))


def _imagenet_head(x: keras.KerasTensor, width: float) -> keras.KerasTensor:
    x = layers.Flatten(name="flatten")(x)
    for name in ("fc6", "fc7"):
        x = hidden(
            x, scaled(4096, width), dropout=0.5, name=name, kernel_initializer=_gaussian(), bias_initializer="ones"
        )
    return x


def _small_head(x: keras.KerasTensor, width: float) -> keras.KerasTensor:
    return layers.Dropout(0.5, name="dropout")(layers.Flatten(name="flatten")(x))


def _gaussian() -> keras.Initializer:
    return keras.initializers.RandomNormal(stddev=0.01)


def even(channels: int, width: float) -> int:
    """A number of channels that two branches can share."""
    return 2 * scaled(channels // 2, width)


BRANCHES = {1: _convolution, 2: branches}
STEMS = {"imagenet": imagenet_stem, "small": _small_stem}
HEADS = {"imagenet": _imagenet_head, "small": _small_head}
