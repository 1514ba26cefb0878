"""What residual networks and their plain counterparts share: blocks, shortcuts, both kinds of network."""

import functools
from collections.abc import Callable
from typing import Any

import keras

from robust.models.architectures.blocks import (
    check,
    check_choice,
    chosen_stem,
    conv,
    conv_bn,
    conv_bn_relu,
    he_normal,
    imagenet_stem,
    logits,
    scaled,
    shape,
)
from robust.models.architectures.initializers import initializer as initial
from robust.models.architectures.normalization import normalization

Convolution = Callable[..., keras.KerasTensor]  # (x, channels, kernel, stride, *, name) -> what it makes of x


def small(
    family: str,
    depth: int,
    input_shape,
    classes: int,
    *,
    shortcut: str | None,
    norm: str,
    initializer: str,
    width: float,
) -> keras.Model:
    """The network of depth 6n + 2 of He et al., CVPR 2016, section 4.2: three stages of n blocks.

    shortcut: "A" or "B", or None for a plain network.
    """
    name = f"{family}{depth}"
    check(name, input_shape, classes, width)
    check_choice(name, "norm", norm, NORMS)
    if family == "resnet":
        check_choice(name, "shortcut", shortcut, ("A", "B"))
    convolution = functools.partial(initialized, NORMS[norm], functools.partial(initial, name, initializer))
    image = keras.Input(input_shape, name="image")
    x = convolution(normalization(image, per="pixel"), scaled(16, width), name="conv1")
    x = keras.layers.ReLU(name="conv1_relu")(x)
    for stage, channels in enumerate((16, 32, 64), start=2):  # 32x32, 16x16, 8x8 of a 32x32 image
        for number in range(1, (depth - 2) // 6 + 1):
            stride = 2 if stage > 2 and number == 1 else 1
            place = f"conv{stage}_block{number}"
            x = basic(x, scaled(channels, width), stride, shortcut, convolution=convolution, name=place)
    x = keras.layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return keras.Model(image, logits(x, classes, initial(name, initializer)), name=name)


def initialized(
    convolution: Convolution,
    drawn: Callable[[], keras.Initializer],
    *where: object,
    name: str,
) -> keras.KerasTensor:
    """A convolution with its own initialiser for its weights."""
    return convolution(*where, kernel_initializer=drawn(), name=name)


def imagenet(
    name: str,
    input_shape,
    classes: int,
    *,
    blocks: tuple[int, ...],
    shortcut: str | None,
    stem: str | None,
    width: float,
    block: Callable[..., keras.KerasTensor] | None = None,
) -> keras.Model:
    """The networks of He et al., CVPR 2016, table 1: four stages of `blocks`, after one of two stems.

    shortcut: "A", "B" or "C", or None for a plain network. block: `basic` if it is not given.
    """
    check(name, input_shape, classes, width)
    if name.startswith("resnet"):
        check_choice(name, "shortcut", shortcut, SHORTCUTS)
    image, block = keras.Input(input_shape, name="image"), block or basic
    x = STEMS[chosen_stem(name, stem, input_shape)](normalization(image, per="pixel"), scaled(64, width))
    for stage, count in enumerate(blocks, start=2):  # 56x56, 28x28, 14x14, 7x7 of a 224x224 image
        for number in range(1, count + 1):
            stride = 2 if stage > 2 and number == 1 else 1
            x = block(x, scaled(16 * 2**stage, width), stride, shortcut, name=f"conv{stage}_block{number}")
    x = keras.layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return keras.Model(image, logits(x, classes, he_normal()), name=name)


def bottlenecks(name: str, input_shape, classes: int, *, form: str, **options: Any) -> keras.Model:
    """`imagenet` of bottlenecks, with their stride where `form` puts it: "v1" or "v1.5"."""
    check_choice(name, "form", form, FORMS)
    block = functools.partial(bottleneck, strides=FORMS[form])
    return imagenet(name, input_shape, classes, block=block, **options)


def basic(
    x: keras.KerasTensor,
    channels: int,
    stride: int,
    shortcut: str | None,
    *,
    convolution: Convolution = conv_bn,
    name: str,
) -> keras.KerasTensor:
    """Two 3x3 convolutions and, unless shortcut is None, what they are added to; ReLU after the sum."""
    h = convolution(x, channels, 3, stride, name=f"{name}_1")
    h = keras.layers.ReLU(name=f"{name}_1_relu")(h)
    h = convolution(h, channels, 3, 1, name=f"{name}_2")
    return summed(x, h, stride, shortcut, convolution=convolution, name=name)


def bottleneck(
    x: keras.KerasTensor,
    channels: int,
    stride: int,
    shortcut: str | None,
    *,
    strides: Callable[[int], tuple[int, int]],
    name: str,
) -> keras.KerasTensor:
    """1x1 to few channels, 3x3 among them, 1x1 to four times as many; the first two share the stride."""
    first, second = strides(stride)
    h = conv_bn_relu(x, channels, 1, first, name=f"{name}_1")
    h = conv_bn_relu(h, channels, 3, second, name=f"{name}_2")
    h = conv_bn(h, 4 * channels, 1, name=f"{name}_3")
    return summed(x, h, stride, shortcut, convolution=conv_bn, name=name)


def summed(
    x: keras.KerasTensor,
    h: keras.KerasTensor,
    stride: int,
    shortcut: str | None,
    *,
    convolution: Convolution,
    name: str,
) -> keras.KerasTensor:
    """What a block's convolutions made of x, h, plus the shortcut from x, if there is one; then a ReLU."""
    if shortcut is not None:
        skipped = SHORTCUTS[shortcut](x, shape(h)[-1], stride, convolution=convolution, name=f"{name}_0")
        h = keras.layers.Add(name=f"{name}_add")([skipped, h])
    return keras.layers.ReLU(name=f"{name}_out")(h)


def identity(x: keras.KerasTensor, channels: int, stride: int, *, name: str, **_: object) -> keras.KerasTensor:
    """Option A, free of parameters: every stride-th pixel, and zeros for the channels that are new."""
    if stride > 1:
        x = keras.layers.AveragePooling2D(1, stride, name=f"{name}_subsample")(x)
    if (new := channels - shape(x)[-1]) > 0:
        # Read as channels-first, the two axes to pad are (width, channels): no Lambda, no transposition.
        pad = keras.layers.ZeroPadding2D(((0, 0), (0, new)), data_format="channels_first", name=f"{name}_zeros")
        x = pad(x)
    return x


def projection(
    x: keras.KerasTensor, channels: int, stride: int, *, convolution: Convolution, name: str
) -> keras.KerasTensor:
    """Option B: a 1x1 convolution, normalised as the others, where the shape changes, else the identity."""
    if stride == 1 and shape(x)[-1] == channels:
        return x
    return convolution(x, channels, 1, stride, name=name)


def projections(
    x: keras.KerasTensor, channels: int, stride: int, *, convolution: Convolution, name: str
) -> keras.KerasTensor:
    """Option C: a 1x1 convolution parallel to every block."""
    return convolution(x, channels, 1, stride, name=name)


def _small_stem(x: keras.KerasTensor, channels: int) -> keras.KerasTensor:
    return conv_bn_relu(x, channels, name="conv1")


NORMS: dict[str, Convolution] = {"batch": conv_bn, "none": conv}
SHORTCUTS: dict[str, Convolution] = {"A": identity, "B": projection, "C": projections}
FORMS: dict[str, Callable[[int], tuple[int, int]]] = {
    "v1": lambda stride: (stride, 1),  # in the first 1x1, as published
    "v1.5": lambda stride: (1, stride),  # in the 3x3, as in Torch
}
STEMS = {"imagenet": imagenet_stem, "small": _small_stem}
