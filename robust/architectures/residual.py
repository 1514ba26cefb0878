"""What residual networks and their plain counterparts share: blocks, shortcuts, the small network."""

from collections.abc import Callable

import keras

from robust.architectures.blocks import check, check_choice, conv_bn, conv_bn_relu, he_normal, logits, scaled, shape
from robust.architectures.normalization import normalization


def small(family: str, depth: int, input_shape, classes: int, width: float, shortcut: str | None) -> keras.Model:
    """The network of depth 6n + 2 of He et al., CVPR 2016, section 4.2: three stages of n blocks.

    shortcut: "A" or "B", or None for a plain network.
    """
    name = f"{family}{depth}"
    check(name, input_shape, classes, width)
    if family == "resnet":
        check_choice(name, "shortcut", shortcut, SHORTCUTS)
    image = keras.Input(input_shape, name="image")
    x = conv_bn_relu(normalization(image, per="pixel"), scaled(16, width), name="conv1")
    for stage, channels in enumerate((16, 32, 64), start=2):  # 32x32, 16x16, 8x8 of a 32x32 image
        for number in range(1, (depth - 2) // 6 + 1):
            stride = 2 if stage > 2 and number == 1 else 1
            x = basic(x, scaled(channels, width), stride, shortcut, name=f"conv{stage}_block{number}")
    x = keras.layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return keras.Model(image, logits(x, classes, he_normal()), name=name)


def basic(x: keras.KerasTensor, channels: int, stride: int, shortcut: str | None, *, name: str) -> keras.KerasTensor:
    """Two 3x3 convolutions and, unless shortcut is None, what they are added to; ReLU after the sum."""
    h = conv_bn_relu(x, channels, stride=stride, name=f"{name}_1")
    h = conv_bn(h, channels, name=f"{name}_2")
    if shortcut is not None:
        skipped = SHORTCUTS[shortcut](x, channels, stride, name=f"{name}_0")
        h = keras.layers.Add(name=f"{name}_add")([skipped, h])
    return keras.layers.ReLU(name=f"{name}_out")(h)


def identity(x: keras.KerasTensor, channels: int, stride: int, *, name: str) -> keras.KerasTensor:
    """Option A, free of parameters: every stride-th pixel, and zeros for the channels that are new."""
    if stride > 1:
        x = keras.layers.AveragePooling2D(1, stride, name=f"{name}_subsample")(x)
    if (new := channels - shape(x)[-1]) > 0:
        # Read as channels-first, the two axes to pad are (width, channels): no Lambda, no transposition.
        pad = keras.layers.ZeroPadding2D(((0, 0), (0, new)), data_format="channels_first", name=f"{name}_zeros")
        x = pad(x)
    return x


def projection(x: keras.KerasTensor, channels: int, stride: int, *, name: str) -> keras.KerasTensor:
    """Option B: a 1x1 convolution with BatchNorm where the shape changes, else the identity."""
    if stride == 1 and shape(x)[-1] == channels:
        return x
    return conv_bn(x, channels, 1, stride, name=name)


SHORTCUTS: dict[str, Callable[..., keras.KerasTensor]] = {"A": identity, "B": projection}
