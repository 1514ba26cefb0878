"""What several families share: checks of arguments, widths, convolutions with BatchNorm, logits."""

import math
import operator
from collections.abc import Iterable
from typing import Any

import keras

from robust.errors import ModelError, suggest


def check(
    name: str, input_shape: Any, classes: Any, width: float = 1.0, sides: tuple[int, float] = (8, math.inf)
) -> None:
    """Refuse a network that cannot be built, before Keras does so in its own words.

    `sides`: the smallest and the largest height and width, in pixels, that make sense for it.
    Raises ModelError.
    """
    low, high = sides
    if not (isinstance(input_shape, tuple | list) and len(input_shape) == 3 and all(map(_is_count, input_shape))):
        raise ModelError(f"{name}: input_shape is {input_shape!r}; it must be (height, width, channels), each >= 1")
    if not all(low <= side <= high for side in input_shape[:2]):
        allowed = f"{low} pixels or more" if high == math.inf else f"{low} to {high} pixels"
        raise ModelError(f"{name}: input_shape is {tuple(input_shape)}; height and width must be {allowed}")
    if not (_is_count(classes) and classes >= 2):
        raise ModelError(f"{name}: classes is {classes!r}; it must be a whole number >= 2")
    if isinstance(width, bool) or not isinstance(width, int | float) or not 0 < width < math.inf:
        raise ModelError(f"{name}: width is {width!r}; it must be a number > 0 (1 is the paper's network)")


def check_choice(name: str, option: str, value: Any, allowed: Iterable[str]) -> None:
    """Refuse a word that is not one of an option's. Raises ModelError with a suggestion."""
    if value not in (allowed := list(allowed)):
        raise ModelError(f"{name}: {option} is {value!r}{suggest(value, allowed)}")


def _is_count(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and operator.index(value) >= 1  # NumPy's integers count as well
    except TypeError:
        return False


def scaled(channels: int, width: float) -> int:
    """A number of channels times the network's width, at least one.

    >>> scaled(16, 0.25), scaled(16, 0.01)
    (4, 1)
    """
    return max(1, round(channels * width))


def shape(x: Any) -> tuple[int, ...]:
    """Of what Keras traces, without the batch: (height, width, channels) or (features,)."""
    return tuple(x.shape[1:])


def he_normal() -> keras.Initializer:
    """Gaussian of variance 2 / fan-in (He, Zhang, Ren & Sun, ICCV 2015), not truncated.

    A new one for each layer: Keras draws the same numbers whenever one initialiser is used again.
    """
    return keras.initializers.VarianceScaling(2.0, mode="fan_in", distribution="untruncated_normal")


def conv_bn(x: keras.KerasTensor, channels: int, kernel: int = 3, stride: int = 1, *, name: str) -> keras.KerasTensor:
    """Convolution without bias, then BatchNorm (epsilon 1e-5, momentum 0.9).

    [N, H, W, C] -> [N, ceil(H / stride), ceil(W / stride), channels]. With a stride, the border is
    the same on both sides, as in Caffe and Torch: Keras' "same" would shift the picture by a pixel.
    """
    if stride > 1 and kernel > 1:
        x = keras.layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    padding = "same" if stride == 1 else "valid"
    x = keras.layers.Conv2D(
        channels, kernel, stride, padding, use_bias=False, kernel_initializer=he_normal(), name=f"{name}_conv"
    )(x)
    return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_bn")(x)


def conv_bn_relu(
    x: keras.KerasTensor, channels: int, kernel: int = 3, stride: int = 1, *, name: str
) -> keras.KerasTensor:
    """`conv_bn`, then a ReLU."""
    return keras.layers.ReLU(name=f"{name}_relu")(conv_bn(x, channels, kernel, stride, name=name))


def logits(x: keras.KerasTensor, classes: int, initializer: keras.Initializer | str) -> keras.KerasTensor:
    """The linear output layer "logits", [N, features] -> [N, classes]; float32 under any mixed policy."""
    return keras.layers.Dense(classes, kernel_initializer=initializer, dtype="float32", name="logits")(x)
