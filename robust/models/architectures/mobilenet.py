"""Networks for phones: MobileNet V1 (Howard et al., 2017), V2 (CVPR 2018), V3 (ICCV 2019)."""

from typing import Literal

import keras
from keras import layers

from robust.core.arguments import arguments_of
from robust.core.types import Positive
from robust.models.architectures.blocks import check, chosen_stem, logits, scaled
from robust.models.architectures.mobile import (
    SMALL_MOMENTUM,
    Block,
    Release,
    check_form,
    conv,
    depthwise,
    inverted_residuals,
    placed,
    rounded,
)
from robust.models.architectures.normalization import normalization

V1 = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1),
    (1024, 2), (1024, 1),
)  # fmt: skip
"""Channels and stride of each depthwise separable convolution (table 1)."""
V2 = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Expansion, channels, repeats and the first one's stride (table 2)."""
V3_LARGE = (
    (3, 16, 16, 0, "relu", 1), (3, 64, 24, 0, "relu", 2), (3, 72, 24, 0, "relu", 1), (5, 72, 40, 1, "relu", 2),
    (5, 120, 40, 1, "relu", 1), (5, 120, 40, 1, "relu", 1), (3, 240, 80, 0, "hard_swish", 2),
    (3, 200, 80, 0, "hard_swish", 1), (3, 184, 80, 0, "hard_swish", 1), (3, 184, 80, 0, "hard_swish", 1),
    (3, 480, 112, 1, "hard_swish", 1), (3, 672, 112, 1, "hard_swish", 1), (5, 672, 160, 1, "hard_swish", 2),
    (5, 960, 160, 1, "hard_swish", 1), (5, 960, 160, 1, "hard_swish", 1),
)  # fmt: skip
"""Kernel, expanded channels, channels, squeeze-and-excitation, activation, stride (table 1)."""
V3_SMALL = (
    (3, 16, 16, 1, "relu", 2), (3, 72, 24, 0, "relu", 2), (3, 88, 24, 0, "relu", 1),
    (5, 96, 40, 1, "hard_swish", 2), (5, 240, 40, 1, "hard_swish", 1), (5, 240, 40, 1, "hard_swish", 1),
    (5, 120, 48, 1, "hard_swish", 1), (5, 144, 48, 1, "hard_swish", 1), (5, 288, 96, 1, "hard_swish", 2),
    (5, 576, 96, 1, "hard_swish", 1), (5, 576, 96, 1, "hard_swish", 1),
)  # fmt: skip
"""As V3_LARGE (table 2)."""


def mobilenet(
    *, input_shape=(224, 224, 3), classes=1000, stem: Literal["imagenet", "small"] | None = None, width: Positive = 1.0
) -> keras.Model:
    """MobileNet (Howard et al., arXiv 2017): convolutions split into a filter a channel and a 1x1 mixture.

    It made depthwise separable convolutions the whole network, and added two dials: the width
    multiplier alpha (`width`) and the resolution multiplier rho (`input_shape`). It reduced the cost
    of convolutions: a ninth of the work of full 3x3 ones at about one percent less accuracy.

    image [N, H, W, C] in [0, 1] -> 3x3/2 convolution to 32 -> 13 times (3x3 depthwise, BatchNorm,
    ReLU6, 1x1, BatchNorm, ReLU6) up to 1024 channels, H/32 x W/32 -> global average, dropout 0.001
    -> logits [N, classes]. 4,231,976 trainable parameters; ImageNet top-1 70.6 %. Standardised
    inputs. Borders, ReLU6 (the paper writes ReLU), dropout and BatchNorm's epsilon as in the release;
    its averages have the momentum 0.99 of keras.applications (the release: 0.9997).

    Args:
        input_shape: height and width, and the channels; at least 32 pixels for the stem "imagenet",
            at least 8 for "small".
        classes: at least 2.
        stem: "small" leaves out the first two strides of 2, and BatchNorm averages over fewer steps;
            None: "small" under 64 pixels.
        width: factor on all numbers of channels, > 0; the paper's are 1, 0.75, 0.5 and 0.25.

    Raises ModelError for arguments outside these.

    >>> mobilenet(input_shape=(32, 32, 3), classes=10, width=0.25).output_shape
    (None, 10)
    """
    check("mobilenet", input_shape, classes, width)
    stem = chosen_stem("mobilenet", stem, input_shape)
    release = _release(stem, 0.99)
    first, *strides = placed([2, *(stride for _, stride in V1)], stem)
    image = keras.Input(input_shape, name="image")
    x = normalization(image, per="channel")
    x = conv(x, scaled(32, width), 3, first, "relu6", name="conv1", release=release)
    for number, ((channels, _), stride) in enumerate(zip(V1, strides, strict=True), start=1):
        x = depthwise(x, 3, stride, "relu6", name=f"block{number}_depthwise", release=release)
        x = conv(x, scaled(channels, width), 1, 1, "relu6", name=f"block{number}_pointwise", release=release)
    return _model("mobilenet", image, layers.GlobalAveragePooling2D(name="avg_pool")(x), classes, 0.001)


def mobilenet_v2(
    *,
    input_shape=(224, 224, 3),
    classes=1000,
    stem: Literal["imagenet", "small"] | None = None,
    width: Positive = 1.0,
    padding: Literal["same", "symmetric"] = "same",
    epsilon: Positive = 1e-3,
) -> keras.Model:
    """MobileNet V2 (Sandler et al., CVPR 2018): shortcuts between thin layers, filters on wide ones.

    It introduced the inverted residual with a linear bottleneck: 1x1 expands six times, 3x3 filters
    each channel, 1x1 projects back without activation. It avoids what ReLU destroys in layers of few
    channels, and the memory that wide maps between blocks cost.

    image [N, H, W, C] in [0, 1] -> 3x3/2 convolution to 32 -> 17 inverted residuals up to 320
    channels, H/32 x W/32 -> 1x1 to 1280 -> global average, dropout 0.2 -> logits [N, classes].
    3,504,872 trainable parameters; ImageNet top-1 72.0 %. Standardised inputs. BatchNorm's averages
    have the momentum 0.999 of keras.applications (the release: 0.997).

    Args:
        input_shape, classes, stem: as for `mobilenet`.
        width: factor on the channels, > 0, rounded to multiples of 8; below 1 the last 1280 stay, as
            in the paper.
        padding: at strides, "same" is TensorFlow's border as released, "symmetric" that of Torch.
        epsilon: of BatchNorm, > 0; 1e-3 as released, 1e-5 in torchvision and timm.

    Raises ModelError for arguments outside these.

    >>> mobilenet_v2(input_shape=(32, 32, 3), classes=10, width=0.25).name
    'mobilenet_v2'
    """
    check("mobilenet_v2", input_shape, classes, width)
    check_form("mobilenet_v2", padding, epsilon)
    stem = chosen_stem("mobilenet_v2", stem, input_shape)
    release = _release(stem, 0.999, padding, epsilon)
    blocks, inputs = [], rounded(32, width)
    for expansion, channels, repeats, stride in V2:
        for place in range(repeats):
            outputs = rounded(channels, width)
            blocks.append(Block(3, expansion * inputs, outputs, stride if place == 0 else 1, "relu6"))
            inputs = outputs
    image = keras.Input(input_shape, name="image")
    x = inverted(normalization(image, per="channel"), rounded(32, width), "relu6", blocks, stem, release)
    x = conv(x, rounded(1280, max(1, width)), 1, 1, "relu6", name="last", release=release)
    return _model("mobilenet_v2", image, layers.GlobalAveragePooling2D(name="avg_pool")(x), classes, 0.2)


@arguments_of(mobilenet_v2)
def mobilenet_v3_large(**options) -> keras.Model:
    """MobileNet V3-Large (Howard et al., ICCV 2019): searched by machine for a phone, finished by hand.

    It introduced hard-swish (x relu6(x + 3) / 6) and put squeeze-and-excitation, with a gate of
    relu6(x + 3) / 6 and a quarter of the expanded channels, into inverted residuals; its last layers
    run after the pooling. It avoids operations that are cheap in MACs and expensive on a phone.

    image [N, H, W, C] in [0, 1] -> 3x3/2 convolution to 16 -> 15 inverted residuals up to 160
    channels, H/32 x W/32 -> 1x1 to 960 -> global average, dense 1280, dropout 0.2 -> logits
    [N, classes]. 5,483,032 trainable parameters; ImageNet top-1 75.2 %. Standardised inputs.
    BatchNorm's averages have the momentum 0.999 of keras.applications (the release: 0.997).

    Args:
        input_shape, classes, stem: as for `mobilenet`.
        width: factor on the channels, > 0, rounded to multiples of 8, and expanded from there; below 1 the
            dense layer stays.
        padding: as for `mobilenet_v2`.
        epsilon: of BatchNorm, > 0; 1e-3 as released and in torchvision, 1e-5 in timm.

    Raises ModelError for arguments outside these.

    >>> mobilenet_v3_large(input_shape=(32, 32, 3), classes=10, width=0.25).name
    'mobilenet_v3_large'
    """
    return _v3("mobilenet_v3_large", V3_LARGE, 1280, **options)


@arguments_of(mobilenet_v3_large)
def mobilenet_v3_small(**options) -> keras.Model:
    """MobileNet V3-Small (Howard et al., ICCV 2019): `mobilenet_v3_large` for a quarter of the work.

    11 inverted residuals up to 96 channels, 1x1 to 576, dense 1024. 2,542,856 trainable parameters;
    ImageNet top-1 67.4 %. Arguments and errors as for `mobilenet_v3_large`.

    >>> mobilenet_v3_small(input_shape=(32, 32, 3), classes=10, width=0.25).name
    'mobilenet_v3_small'
    """
    return _v3("mobilenet_v3_small", V3_SMALL, 1024, **options)


def _v3(
    name: str,
    table: tuple,
    last: int,
    input_shape,
    classes: int,
    stem: str | None,
    width: float,
    padding,
    epsilon: float,
) -> keras.Model:
    check(name, input_shape, classes, width)
    check_form(name, padding, epsilon)
    stem = chosen_stem(name, stem, input_shape)
    release = _release(stem, 0.999, padding, epsilon)
    blocks, inputs, before = [], rounded(16, width), 16  # channels of this network and of the table
    for kernel, expanded, channels, gated, activation, stride in table:
        wide, outputs = rounded(inputs * expanded / before), rounded(channels, width)
        blocks.append(Block(kernel, wide, outputs, stride, activation, gated * rounded(wide / 4)))
        inputs, before = outputs, channels
    image = keras.Input(input_shape, name="image")
    x = inverted(normalization(image, per="channel"), rounded(16, width), "hard_swish", blocks, stem, release)
    x = conv(x, rounded(6 * blocks[-1].channels), 1, 1, "hard_swish", name="last", release=release)
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    units = rounded(last, max(1, width))
    x = layers.Dense(units, activation="hard_swish", kernel_initializer=initializer(), name="dense")(x)
    return _model(name, image, x, classes, 0.2)


def inverted(
    x: keras.KerasTensor, channels: int, activation: str, blocks: list[Block], stem: str, release: Release
) -> keras.KerasTensor:
    """The first convolution and the blocks, counted through."""
    named = {f"block{number}": block for number, block in enumerate(blocks, start=1)}
    return inverted_residuals(x, channels, activation, named, stem=stem, name="conv1", release=release)


def _model(name: str, image: keras.KerasTensor, x: keras.KerasTensor, classes: int, dropout: float) -> keras.Model:
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(image, logits(x, classes, initializer()), name=name)


def _release(
    stem: str, momentum: float, padding: Literal["same", "symmetric"] = "same", epsilon: float = 1e-3
) -> Release:
    momentum = SMALL_MOMENTUM if stem == "small" else momentum
    return Release(initializer, momentum, padding=padding, epsilon=epsilon)


def initializer() -> keras.Initializer:
    """The TF-slim releases' for all three: a Gaussian of deviation 0.09 that is cut off at twice that."""
    return keras.initializers.TruncatedNormal(stddev=0.09)
