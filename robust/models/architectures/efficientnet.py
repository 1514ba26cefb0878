"""EfficientNet (Tan & Le, ICML 2019) and EfficientNet-Lite (Liu, 2020): one network at many scales."""

from typing import Literal

import keras

from robust.core.arguments import arguments_of
from robust.core.types import Positive
from robust.models.architectures import compound


def efficientnet_b0(
    *,
    input_shape=(224, 224, 3),
    classes=1000,
    stem: Literal["imagenet", "small"] | None = None,
    width: Positive = 1.0,
    padding: Literal["same", "symmetric"] = "same",
    epsilon: Positive = 1e-3,
) -> keras.Model:
    """EfficientNet-B0 (Tan & Le, ICML 2019): a searched network, made to be scaled on three axes at once.

    It introduced compound scaling: depth, width and resolution grow together by fixed powers. It
    solved one-sided growth, where a net that only gets deeper, wider or sharper soon gains nothing.

    image [N, H, W, C] in [0, 1] -> 3x3/2 convolution to 32 -> 16 inverted residuals with
    squeeze-and-excitation (a quarter of the block's input channels) and swish, up to 320 channels,
    H/32 x W/32 -> 1x1 to 1280 -> global average, dropout 0.2 -> logits [N, classes]. Training skips
    a residual block, for each image, with a chance of 0.2 times its place in the network (stochastic
    depth). 5,288,548 trainable parameters; ImageNet top-1 77.1 %. Standardised inputs.

    Args:
        input_shape: height and width, and the channels; at least 32 pixels for the stem "imagenet",
            at least 8 for "small".
        classes: at least 2.
        stem: "small" leaves out the first two strides of 2, and BatchNorm averages over fewer steps;
            None: "small" under 64 pixels.
        width: factor on all numbers of channels, > 0, on top of the network's own; multiples of 8.
        padding: at strides, "same" is TensorFlow's border as released, "symmetric" that of Torch.
        epsilon: of BatchNorm, > 0; 1e-3 as released. torchvision and timm have 1e-5, torchvision in B5 to B7 1e-3.

    Raises ModelError for arguments outside these.

    >>> efficientnet_b0(input_shape=(32, 32, 3), classes=10, width=0.25).output_shape
    (None, 10)
    """
    return compound.build("efficientnet_b0", compound.FULL, input_shape, classes, stem, width, padding, epsilon)


@arguments_of(efficientnet_b0, input_shape=(240, 240, 3))
def efficientnet_b1(**options) -> keras.Model:
    """EfficientNet-B1 (Tan & Le, ICML 2019): `efficientnet_b0` at width 1, depth 1.1, 240 pixels.

    7,794,184 trainable parameters; ImageNet top-1 79.1 %. Arguments and errors as for `efficientnet_b0`.

    >>> compound.SCALES["efficientnet_b1"].side
    240
    """
    return compound.build("efficientnet_b1", compound.FULL, **options)


@arguments_of(efficientnet_b0, input_shape=(260, 260, 3))
def efficientnet_b2(**options) -> keras.Model:
    """EfficientNet-B2 (Tan & Le, ICML 2019): `efficientnet_b0` at width 1.1, depth 1.2, 260 pixels.

    9,109,994 trainable parameters; ImageNet top-1 80.1 %. Arguments and errors as for `efficientnet_b0`.

    >>> compound.SCALES["efficientnet_b2"].side
    260
    """
    return compound.build("efficientnet_b2", compound.FULL, **options)


@arguments_of(efficientnet_b0, input_shape=(300, 300, 3))
def efficientnet_b3(**options) -> keras.Model:
    """EfficientNet-B3 (Tan & Le, ICML 2019): `efficientnet_b0` at width 1.2, depth 1.4, 300 pixels.

    12,233,232 trainable parameters; ImageNet top-1 81.6 %. Arguments and errors as for `efficientnet_b0`.

    >>> compound.SCALES["efficientnet_b3"].side
    300
    """
    return compound.build("efficientnet_b3", compound.FULL, **options)


@arguments_of(efficientnet_b0, input_shape=(380, 380, 3))
def efficientnet_b4(**options) -> keras.Model:
    """EfficientNet-B4 (Tan & Le, ICML 2019): `efficientnet_b0` at width 1.4, depth 1.8, 380 pixels.

    19,341,616 trainable parameters; ImageNet top-1 82.9 %. Arguments and errors as for `efficientnet_b0`.

    >>> compound.SCALES["efficientnet_b4"].side
    380
    """
    return compound.build("efficientnet_b4", compound.FULL, **options)


@arguments_of(efficientnet_b0, input_shape=(456, 456, 3))
def efficientnet_b5(**options) -> keras.Model:
    """EfficientNet-B5 (Tan & Le, ICML 2019): `efficientnet_b0` at width 1.6, depth 2.2, 456 pixels.

    30,389,784 trainable parameters; ImageNet top-1 83.6 %. Arguments and errors as for `efficientnet_b0`.

    >>> compound.SCALES["efficientnet_b5"].side
    456
    """
    return compound.build("efficientnet_b5", compound.FULL, **options)


@arguments_of(efficientnet_b0, input_shape=(528, 528, 3))
def efficientnet_b6(**options) -> keras.Model:
    """EfficientNet-B6 (Tan & Le, ICML 2019): `efficientnet_b0` at width 1.8, depth 2.6, 528 pixels.

    43,040,704 trainable parameters; ImageNet top-1 84.0 %. Arguments and errors as for `efficientnet_b0`.

    >>> compound.SCALES["efficientnet_b6"].side
    528
    """
    return compound.build("efficientnet_b6", compound.FULL, **options)


@arguments_of(efficientnet_b0, input_shape=(600, 600, 3))
def efficientnet_b7(**options) -> keras.Model:
    """EfficientNet-B7 (Tan & Le, ICML 2019): `efficientnet_b0` at width 2, depth 3.1, 600 pixels.

    66,347,960 trainable parameters; ImageNet top-1 84.3 %. Arguments and errors as for `efficientnet_b0`.

    >>> compound.SCALES["efficientnet_b7"].side
    600
    """
    return compound.build("efficientnet_b7", compound.FULL, **options)


def efficientnet_l2(
    *, input_shape=(800, 800, 3), classes=1000, stem: Literal["imagenet", "small"] | None = None, width: Positive = 1.0
) -> keras.Model:
    """EfficientNet-L2 (Xie, Luong, Hovy & Le, CVPR 2020): `efficientnet_b0` at width 4.3, depth 5.3, 800 pixels.

    480,309,308 trainable parameters; ImageNet top-1 88.4 % as a noisy student.
    Arguments and errors as for `efficientnet_b0`.

    >>> compound.SCALES["efficientnet_l2"].side
    800
    """
    return compound.build("efficientnet_l2", compound.FULL, input_shape, classes, stem, width)


def efficientnet_lite0(
    *, input_shape=(224, 224, 3), classes=1000, stem: Literal["imagenet", "small"] | None = None, width: Positive = 1.0
) -> keras.Model:
    """EfficientNet-Lite0 (Liu, TensorFlow blog 2020): `efficientnet_b0` for integer arithmetic on a phone.

    No squeeze-and-excitation, ReLU6 instead of swish; first and last convolution and the repeats of
    the first and last stage are never scaled. It avoids what quantisation to 8 bits does to swish.
    4,652,008 trainable parameters; ImageNet top-1 75.1 %. Arguments and errors as for `efficientnet_b0`.

    >>> compound.SCALES["efficientnet_lite0"].side
    224
    """
    return compound.build("efficientnet_lite0", compound.LITE, input_shape, classes, stem, width)


@arguments_of(efficientnet_lite0, input_shape=(240, 240, 3))
def efficientnet_lite1(**options) -> keras.Model:
    """EfficientNet-Lite1 (Liu, TensorFlow blog 2020): `efficientnet_lite0` at width 1, depth 1.1, 240 pixels.

    5,416,680 trainable parameters; ImageNet top-1 76.7 %. Arguments and errors as for `efficientnet_b0`.

    >>> compound.SCALES["efficientnet_lite1"].side
    240
    """
    return compound.build("efficientnet_lite1", compound.LITE, **options)


@arguments_of(efficientnet_lite0, input_shape=(260, 260, 3))
def efficientnet_lite2(**options) -> keras.Model:
    """EfficientNet-Lite2 (Liu, TensorFlow blog 2020): `efficientnet_lite0` at width 1.1, depth 1.2, 260 pixels.

    6,092,072 trainable parameters; ImageNet top-1 77.6 %. Arguments and errors as for `efficientnet_b0`.

    >>> compound.SCALES["efficientnet_lite2"].side
    260
    """
    return compound.build("efficientnet_lite2", compound.LITE, **options)
