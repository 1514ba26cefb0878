"""Compound scaling: the one table and the one network behind every EfficientNet."""

import math
from dataclasses import dataclass
from typing import Literal

import keras
from keras import layers

from robust.models.architectures.blocks import check, chosen_stem, logits
from robust.models.architectures.mobile import (
    SMALL_MOMENTUM,
    Block,
    Release,
    check_form,
    conv,
    inverted_residuals,
    rounded,
)
from robust.models.architectures.normalization import normalization


@dataclass(frozen=True)
class Scale:
    """What compound scaling sets: factors on channels and repeats, side of the image, final dropout."""

    width: float
    depth: float
    side: int
    dropout: float


SCALES = {
    "efficientnet_b0": Scale(1.0, 1.0, 224, 0.2),
    "efficientnet_b1": Scale(1.0, 1.1, 240, 0.2),
    "efficientnet_b2": Scale(1.1, 1.2, 260, 0.3),
    "efficientnet_b3": Scale(1.2, 1.4, 300, 0.3),
    "efficientnet_b4": Scale(1.4, 1.8, 380, 0.4),
    "efficientnet_b5": Scale(1.6, 2.2, 456, 0.4),
    "efficientnet_b6": Scale(1.8, 2.6, 528, 0.5),
    "efficientnet_b7": Scale(2.0, 3.1, 600, 0.5),
    "efficientnet_l2": Scale(4.3, 5.3, 800, 0.5),
    "efficientnet_lite0": Scale(1.0, 1.0, 224, 0.2),
    "efficientnet_lite1": Scale(1.0, 1.1, 240, 0.2),
    "efficientnet_lite2": Scale(1.1, 1.2, 260, 0.3),
}
"""The release's table: rounded from depth 1.2^phi, width 1.1^phi, resolution 1.15^phi; L2 from Xie et al., 2020."""


@dataclass(frozen=True)
class Design:
    """What the Lite networks do differently."""

    activation: str
    squeeze: float  # channels inside a squeeze-and-excitation, as a share of the block's input; 0 for none
    fixed: tuple[int, ...]  # the stages whose repeats are not scaled
    scaled_ends: float  # exponent on the scale's width for the first and the last convolution: 1, or 0 for never


FULL = Design("silu", 0.25, (), 1)
LITE = Design("relu6", 0.0, (1, 7), 0)
STAGES = (
    (3, 1, 1, 16, 1), (3, 6, 2, 24, 2), (5, 6, 2, 40, 2), (3, 6, 3, 80, 2), (5, 6, 3, 112, 1), (5, 6, 4, 192, 2),
    (3, 6, 1, 320, 1),
)  # fmt: skip
"""B0's stages: kernel, expansion, repeats, channels and the first one's stride (table 1)."""
DROP_CONNECT = 0.2  # the chance to skip a block in training grows with its place from 0 towards this


def build(
    name: str,
    design: Design,
    input_shape,
    classes: int,
    stem: str | None,
    width: float,
    padding: Literal["same", "symmetric"] = "same",
    epsilon: float = 1e-3,
) -> keras.Model:
    """The network of that row of `SCALES`."""
    check(name, input_shape, classes, width)
    check_form(name, padding, epsilon)
    stem, scale = chosen_stem(name, stem, input_shape), SCALES[name]
    momentum = SMALL_MOMENTUM if stem == "small" else 0.99
    release = Release(_kernel, momentum, ("silu", "sigmoid"), padding, epsilon)
    ends = width * scale.width**design.scaled_ends
    image = keras.Input(input_shape, name="image")
    x, first = normalization(image, per="channel"), rounded(32, ends)
    blocks = _blocks(design, scale, width, first)
    x = inverted_residuals(x, first, design.activation, blocks, stem=stem, name="stem", release=release)
    x = conv(x, rounded(1280, ends), 1, 1, design.activation, name="top", release=release)
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    x = layers.Dropout(scale.dropout, name="dropout")(x)
    return keras.Model(image, logits(x, classes, uniform()), name=name)


def _repeats(design: Design, scale: Scale) -> list[int]:
    return [
        stage[2] if number in design.fixed else math.ceil(scale.depth * stage[2])
        for number, stage in enumerate(STAGES, start=1)
    ]


def _blocks(design: Design, scale: Scale, width: float, inputs: int) -> dict[str, Block]:
    """Every block by its name ("block3b": stage 3, second block), given the channels that the first one gets."""
    blocks, repeats = {}, _repeats(design, scale)
    for number, (stage, count) in enumerate(zip(STAGES, repeats, strict=True), start=1):
        kernel, expansion, _, channels, stride = stage
        outputs = rounded(channels, scale.width * width)
        for place in range(count):
            squeezed = max(1, int(inputs * design.squeeze)) if design.squeeze else 0
            drop = DROP_CONNECT * len(blocks) / sum(repeats)
            blocks[f"block{number}{chr(ord('a') + place)}"] = Block(
                kernel, expansion * inputs, outputs, stride if place == 0 else 1, design.activation, squeezed, drop
            )
            inputs = outputs
    return blocks


def _kernel() -> keras.Initializer:
    """The release's: a Gaussian of variance 2 / fan-out, not truncated."""
    return keras.initializers.VarianceScaling(2.0, mode="fan_out", distribution="untruncated_normal")


def uniform() -> keras.Initializer:
    """The release's for the output layer: uniform in +-1 / sqrt(classes)."""
    return keras.initializers.VarianceScaling(1 / 3, mode="fan_out", distribution="uniform")
