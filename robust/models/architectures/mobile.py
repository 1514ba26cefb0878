"""What the networks for phones share: rounded widths, depthwise convolutions, inverted residuals.

Borders are TensorFlow's own ("same": the odd pixel goes below and to the right) and BatchNorm's epsilon
is 1e-3, as in the releases, unless `padding` and `epsilon` select what the ports to Torch use.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Literal

import keras
from keras import layers

from robust.core.errors import ModelError
from robust.models.architectures.blocks import bordered, check_choice, shape

DROPPED = {"imagenet": 0, "small": 2}
"""How many of the first strides of 2 a stem leaves out: with "small", 32x32 ends as 4x4 and not as 1x1."""
SMALL_MOMENTUM = 0.9  # a training on small images is too short to fill averages over 1000 steps


@dataclass(frozen=True)
class Release:
    """What a family sets in all its layers, as its released code does; the momentum is that of keras.applications."""

    initializer: Callable[[], keras.Initializer]  # of a kernel
    momentum: float  # of BatchNorm's averages
    squeeze: tuple[str, str] = ("relu", "hard_sigmoid")  # the activations of a squeeze-and-excitation
    padding: Literal["same", "symmetric"] = "same"  # of convolutions with a stride; without one both are the same
    epsilon: float = 1e-3  # of BatchNorm


@dataclass(frozen=True)
class Block:
    """An inverted residual: from `inputs` channels to `expanded` ones and back to `channels`."""

    kernel: int
    expanded: int
    channels: int
    stride: int
    activation: str
    squeezed: int = 0  # channels in the middle of the squeeze-and-excitation; 0 for none
    drop: float = 0.0  # chance, for each image, that training skips the branch


def check_form(name: str, padding: str, epsilon: float) -> None:
    """Refuse borders that do not exist and an epsilon that is no number > 0. Raises ModelError."""
    check_choice(name, "padding", padding, ("same", "symmetric"))
    if isinstance(epsilon, bool) or not isinstance(epsilon, int | float) or not 0 < epsilon < inf:
        raise ModelError(f"{name}: epsilon is {epsilon!r}; it must be a number > 0 (1e-3 is the release's)")


def rounded(channels: float, width: float = 1.0) -> int:
    """A number of channels times the network's width, as a multiple of 8 that lost at most a tenth.

    >>> rounded(32, 1.1), rounded(16, 0.75), rounded(24, 0.4), rounded(3)
    (32, 16, 16, 8)
    """
    wanted = channels * width
    nearest = max(8, int(wanted + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * wanted else nearest


def placed(strides: Sequence[int], stem: str) -> list[int]:
    """The strides of the first convolution and of what follows, in order, for one stem.

    >>> placed([2, 1, 2, 2], "small")
    [1, 1, 1, 2]
    """
    early = [place for place, stride in enumerate(strides) if stride > 1][: DROPPED[stem]]
    return [1 if place in early else stride for place, stride in enumerate(strides)]


def conv(
    x: keras.KerasTensor, channels: int, kernel: int, stride: int, activation: str, *, name: str, release: Release
) -> keras.KerasTensor:
    """Convolution, BatchNorm, activation: [N, H, W, C] -> [N, ceil(H / stride), ceil(W / stride), channels]."""
    x, padding = _bordered(x, kernel, stride, name, release)
    x = layers.Conv2D(
        channels, kernel, stride, padding, use_bias=False,
        kernel_initializer=release.initializer(), name=f"{name}_conv",
    )(x)  # fmt: skip
    return _activated(x, activation, name, release)


def depthwise(
    x: keras.KerasTensor, kernel: int, stride: int, activation: str, *, name: str, release: Release
) -> keras.KerasTensor:
    """One filter a channel, BatchNorm, activation: [N, H, W, C] -> [N, ceil(H / stride), ceil(W / stride), C]."""
    x, padding = _bordered(x, kernel, stride, name, release)
    x = layers.DepthwiseConv2D(
        kernel, stride, padding, use_bias=False, depthwise_initializer=release.initializer(), name=f"{name}_conv"
    )(x)
    return _activated(x, activation, name, release)


def _bordered(
    x: keras.KerasTensor, kernel: int, stride: int, name: str, release: Release
) -> tuple[keras.KerasTensor, str]:
    return (x, "same") if release.padding == "same" else bordered(x, kernel, stride, name=name)


def _activated(x: keras.KerasTensor, activation: str, name: str, release: Release) -> keras.KerasTensor:
    x = layers.BatchNormalization(momentum=release.momentum, epsilon=release.epsilon, name=f"{name}_bn")(x)
    return x if activation == "linear" else layers.Activation(activation, name=f"{name}_{activation}")(x)


def squeeze_excitation(x: keras.KerasTensor, squeezed: int, *, name: str, release: Release) -> keras.KerasTensor:
    """Each channel times a gate that sees the means of all of them (Hu, Shen & Sun, CVPR 2018)."""
    inner, gate = release.squeeze
    means = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(x)
    for part, channels, activation in (("reduce", squeezed, inner), ("expand", shape(x)[-1], gate)):
        means = layers.Conv2D(
            channels, 1, activation=activation, kernel_initializer=release.initializer(), name=f"{name}_{part}"
        )(means)
    return layers.Multiply(name=f"{name}_gated")([x, means])


def inverted_residual(x: keras.KerasTensor, block: Block, *, name: str, release: Release) -> keras.KerasTensor:
    """Expand by 1x1, filter each channel, gate, project by 1x1 without activation; add where shapes allow."""
    h, inputs = x, shape(x)[-1]
    if block.expanded != inputs:
        h = conv(h, block.expanded, 1, 1, block.activation, name=f"{name}_expand", release=release)
    h = depthwise(h, block.kernel, block.stride, block.activation, name=f"{name}_depthwise", release=release)
    if block.squeezed:
        h = squeeze_excitation(h, block.squeezed, name=f"{name}_squeeze", release=release)
    h = conv(h, block.channels, 1, 1, "linear", name=f"{name}_project", release=release)
    if block.stride > 1 or block.channels != inputs:
        return h
    if block.drop:
        h = layers.Dropout(block.drop, noise_shape=(None, 1, 1, 1), name=f"{name}_drop")(h)
    return layers.Add(name=f"{name}_add")([x, h])


def inverted_residuals(
    x: keras.KerasTensor,
    channels: int,
    activation: str,
    blocks: Mapping[str, Block],
    *,
    stem: str,
    name: str,
    release: Release,
) -> keras.KerasTensor:
    """The first convolution, called `name`, and the blocks by their names, with the strides that the stem leaves."""
    first, *strides = placed([2, *(block.stride for block in blocks.values())], stem)
    x = conv(x, channels, 3, first, activation, name=name, release=release)
    for (place, block), stride in zip(blocks.items(), strides, strict=True):
        x = inverted_residual(x, replace(block, stride=stride), name=place, release=release)
    return x
