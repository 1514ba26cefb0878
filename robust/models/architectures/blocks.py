"""What several families share: checks of arguments, widths, convolutions with BatchNorm, logits."""

import math
import operator
from collections.abc import Iterable
from typing import Any, Literal, SupportsIndex, TypeGuard

import keras

from robust.core.errors import ModelError, suggest


def check(
    name: str, input_shape: object, classes: object, width: float = 1.0, sides: tuple[int, float] = (8, math.inf)
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


def check_choice(name: str, option: str, value: object, allowed: Iterable[str]) -> None:
    """Refuse a word that is not one of an option's. Raises ModelError with a suggestion."""
    if value not in (allowed := list(allowed)):
        raise ModelError(f"{name}: {option} is {value!r}{suggest(str(value), allowed)}")


def chosen_stem(
    name: str, stem: str | None, input_shape: tuple[int, int, int], least: int = 32
) -> Literal["imagenet", "small"]:
    """The stem for an image's size when none is named: "small" under 64 pixels.

    `least`: the smallest height and width that the stem "imagenet" leaves anything of. Raises
    ModelError for smaller images with that stem, and for a stem that does not exist.
    """
    if stem is None:
        return "small" if min(input_shape[:2]) < 64 else "imagenet"
    check_choice(name, "stem", stem, ("imagenet", "small"))
    if stem == "imagenet" and min(input_shape[:2]) < least:
        raise ModelError(
            f"{name}: input_shape is {tuple(input_shape)}; stem='imagenet' needs {least} pixels or more, "
            "stem='small' is the form for small images"
        )
    return "small" if stem == "small" else "imagenet"


def _is_count(value: object) -> TypeGuard[int]:
    try:
        whole = isinstance(value, SupportsIndex) and not isinstance(value, bool)  # NumPy's integers count as well
        return whole and operator.index(value) >= 1
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


def he_normal(scale: float = 1.0) -> keras.Initializer:
    """Gaussian of variance 2 / fan-in (He, Zhang, Ren & Sun, ICCV 2015), not truncated; times `scale`.

    A new one for each layer: Keras draws the same numbers whenever one initialiser is used again.
    """
    return keras.initializers.VarianceScaling(2.0 * scale**2, mode="fan_in", distribution="untruncated_normal")


def bordered(x: keras.KerasTensor, kernel: int, stride: int, *, name: str) -> tuple[keras.KerasTensor, str]:
    """What a convolution is to see, with zeros around it if need be, and the padding that is left to Keras.

    With a stride, the border is the same on both sides, as in Caffe and Torch: Keras' "same" would
    shift the image by a pixel.
    """
    if stride == 1:
        return x, "same"
    return (keras.layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x) if kernel > 1 else x), "valid"


def conv(
    x: keras.KerasTensor, channels: int, kernel: int = 3, stride: int = 1, *, name: str, **options: object
) -> keras.KerasTensor:
    """Convolution, by default with He's initialisation; `options` (bias, initialisers) go to the layer.

    [N, H, W, C] -> [N, ceil(H / stride), ceil(W / stride), channels], with the border of `bordered`.
    """
    x, padding = bordered(x, kernel, stride, name=name)
    if "kernel_initializer" not in options:
        options["kernel_initializer"] = he_normal()
    return keras.layers.Conv2D(channels, kernel, stride, padding, name=f"{name}_conv", **options)(x)


def conv_bn(
    x: keras.KerasTensor, channels: int, kernel: int = 3, stride: int = 1, *, name: str, **options: object
) -> keras.KerasTensor:
    """`conv` without bias, then BatchNorm (epsilon 1e-5, momentum 0.9)."""
    x = conv(x, channels, kernel, stride, name=name, use_bias=False, **options)
    return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_bn")(x)


def conv_bn_relu(
    x: keras.KerasTensor, channels: int, kernel: int = 3, stride: int = 1, *, name: str
) -> keras.KerasTensor:
    """`conv_bn`, then a ReLU."""
    return keras.layers.ReLU(name=f"{name}_relu")(conv_bn(x, channels, kernel, stride, name=name))


def imagenet_stem(x: keras.KerasTensor, channels: int) -> keras.KerasTensor:
    """[N, 4H, 4W, C] -> [N, H, W, channels]: 7x7 convolution and 3x3 max pool, padded as in Torch and Keras."""
    x = conv_bn_relu(x, channels, 7, 2, name="conv1")
    x = keras.layers.ZeroPadding2D(1, name="pool1_pad")(x)  # after a ReLU, zeros are as good as -inf
    return keras.layers.MaxPooling2D(3, 2, name="pool1")(x)


def hidden(x: keras.KerasTensor, units: int, *, dropout: float, name: str, **options: object) -> keras.KerasTensor:
    """A fully connected layer with ReLU and dropout; `options` (initialisers) go to the layer."""
    x = keras.layers.Dense(units, name=name, **options)(x)
    x = keras.layers.ReLU(name=f"{name}_relu")(x)
    return keras.layers.Dropout(dropout, name=f"{name}_dropout")(x)


def local_response_normalization(x: keras.KerasTensor, bias: float, alpha: float, *, name: str) -> keras.KerasTensor:
    """x / (bias + alpha * sum of the squares of channels c - 2 to c + 2) ** 0.75 (Krizhevsky et al., 2012).

    [N, H, W, C] -> the same shape. The sum is not divided by its five terms, as in the paper and in
    `tf.nn.local_response_normalization`; Caffe and Torch divide it, so their alpha is ours times 5.
    """
    channels = shape(x)[-1]
    squares = keras.ops.square(keras.ops.cast(x, "float32"))  # bfloat16 would lose 1e-4 next to the bias
    squares = keras.ops.pad(squares, ((0, 0), (0, 0), (0, 0), (2, 2)))
    total = squares[..., :channels]
    for shift in range(1, 5):
        total = total + squares[..., shift : shift + channels]
    return keras.layers.Multiply(name=name)([x, keras.ops.power(bias + alpha * total, -0.75)])


def logits(x: keras.KerasTensor, classes: int, initializer: keras.Initializer | str) -> keras.KerasTensor:
    """The linear output layer "logits", [N, features] -> [N, classes]; float32 under any mixed policy."""
    return keras.layers.Dense(classes, kernel_initializer=initializer, dtype="float32", name="logits")(x)
