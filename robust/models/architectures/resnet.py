"""Residual networks for ImageNet (He, Zhang, Ren & Sun, CVPR 2016), and plain-18 and plain-34, their controls."""

from typing import Literal

import keras

from robust.core.arguments import arguments_of
from robust.core.types import Positive
from robust.models.architectures import residual


def resnet18(
    *,
    input_shape=(224, 224, 3),
    classes=1000,
    stem: Literal["imagenet", "small"] | None = None,
    shortcut: Literal["A", "B", "C"] = "B",
    width: Positive = 1.0,
) -> keras.Model:
    """ResNet-18 (He, Zhang, Ren & Sun, CVPR 2016): layers learn what to add to their input.

    The sum carries the signal and its gradient past every block unchanged, which solved degradation:
    beyond some twenty layers, plain networks (`plain34`) fit even their training images worse.

    image [N, H, W, C] in [0, 1], minus the mean image -> 7x7 convolution, max-pool -> 2 blocks of two 3x3
    convolutions at each of H/4 x W/4 x 64 to H/32 x W/32 x 512 -> global average -> logits [N, classes].
    11,689,512 trainable parameters; 1.81 G multiply-accumulates at 224x224; ImageNet top-1 error 27.88 %
    (10 crops), no better than `plain18`: depth is not yet the problem.

    Args:
        input_shape: height and width of at least 8 pixels (32 with stem="imagenet"), and the channels.
        classes: at least 2.
        stem: "imagenet", or "small": a 3x3 convolution and no max-pool, the usual form for CIFAR
            (11,173,962 parameters with 10 classes); None takes "small" under 64 pixels.
        shortcut: "A" pads new channels with zeros, "B" projects them by a 1x1 convolution, "C" every block's.
        width: factor on all numbers of channels, > 0.

    Raises ModelError for arguments outside these.

    >>> resnet18(input_shape=(32, 32, 3), classes=10, width=0.1).output_shape
    (None, 10)
    """
    return residual.imagenet(
        "resnet18", input_shape, classes, blocks=(2, 2, 2, 2), shortcut=shortcut, stem=stem, width=width
    )


@arguments_of(resnet18)
def resnet34(**options) -> keras.Model:
    """ResNet-34 (He, Zhang, Ren & Sun, CVPR 2016): `resnet18` with 3, 4, 6 and 3 blocks.

    21,797,672 trainable parameters; ImageNet top-1 error (10 crops) 25.03 % with shortcut="A", 24.52 %
    with "B", 24.19 % with "C", against 28.54 % of `plain34`. Arguments and errors as for `resnet18`.

    >>> resnet34(input_shape=(32, 32, 3), width=0.1).name
    'resnet34'
    """
    return residual.imagenet("resnet34", blocks=(3, 4, 6, 3), **options)


def resnet50(
    *,
    input_shape=(224, 224, 3),
    classes=1000,
    stem: Literal["imagenet", "small"] | None = None,
    shortcut: Literal["A", "B", "C"] = "B",
    form: Literal["v1", "v1.5"] = "v1",
    width: Positive = 1.0,
) -> keras.Model:
    """ResNet-50 (He, Zhang, Ren & Sun, CVPR 2016): bottlenecks make depth cheap.

    A block is 1x1, 3x3, 1x1, the 3x3 among a quarter of the channels: a layer more than in ResNet-34 at about
    the same cost, which removed the cost of going deeper. 25,557,032 trainable parameters; 3.86 G
    multiply-accumulates; ImageNet top-1 error 22.85 % (10 crops).

    form: "v1" halves the image in a block's first 1x1 convolution, as published and in Keras; "v1.5"
    in its 3x3, as in Torch: 4.09 G. Other arguments and errors as for `resnet18`.

    >>> resnet50(input_shape=(32, 32, 3), width=0.05).name
    'resnet50'
    """
    return residual.bottlenecks(
        "resnet50", input_shape, classes, blocks=(3, 4, 6, 3), shortcut=shortcut, stem=stem, width=width, form=form
    )


@arguments_of(resnet50)
def resnet101(**options) -> keras.Model:
    """ResNet-101 (He, Zhang, Ren & Sun, CVPR 2016): `resnet50` with 3, 4, 23 and 3 blocks.

    44,549,160 parameters; ImageNet top-1 error 21.75 % (10 crops). Arguments and errors as for `resnet50`.

    >>> resnet101(input_shape=(32, 32, 3), width=0.05).name
    'resnet101'
    """
    return residual.bottlenecks("resnet101", blocks=(3, 4, 23, 3), **options)


@arguments_of(resnet50)
def resnet152(**options) -> keras.Model:
    """ResNet-152 (He, Zhang, Ren & Sun, CVPR 2016): `resnet50` with 3, 8, 36 and 3 blocks.

    Eight times as deep as VGG-19 at 58 % of its cost; with others, it won ILSVRC 2015. 60,192,808
    parameters; ImageNet top-1 error 21.43 % (10 crops). Arguments and errors as for `resnet50`.

    >>> resnet152(input_shape=(32, 32, 3), width=0.05).name
    'resnet152'
    """
    return residual.bottlenecks("resnet152", blocks=(3, 8, 36, 3), **options)


def plain18(
    *, input_shape=(224, 224, 3), classes=1000, stem: Literal["imagenet", "small"] | None = None, width: Positive = 1.0
) -> keras.Model:
    """Plain-18 (He, Zhang, Ren & Sun, CVPR 2016): `resnet18` without shortcuts.

    11,515,688 parameters; top-1 error 27.94 % (10 crops). Else as `resnet18`, but for the shortcut.

    >>> plain18(input_shape=(32, 32, 3), width=0.1).name
    'plain18'
    """
    return residual.imagenet(
        "plain18", input_shape, classes, blocks=(2, 2, 2, 2), shortcut=None, stem=stem, width=width
    )


@arguments_of(plain18)
def plain34(**options) -> keras.Model:
    """Plain-34 (He, Zhang, Ren & Sun, CVPR 2016): `resnet34` without shortcuts.

    21,623,848 trainable parameters; deeper than `plain18` and worse, in training as well: ImageNet top-1
    error 28.54 % (10 crops). Arguments and errors as for `resnet18`, but for the shortcut.

    >>> plain34(input_shape=(32, 32, 3), width=0.1).name
    'plain34'
    """
    return residual.imagenet("plain34", blocks=(3, 4, 6, 3), shortcut=None, **options)
