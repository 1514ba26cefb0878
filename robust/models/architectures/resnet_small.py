"""Residual networks for small images (He, Zhang, Ren & Sun, CVPR 2016, section 4.2)."""

from typing import Literal

import keras

from robust.core.arguments import arguments_of
from robust.core.types import Positive
from robust.models.architectures import residual


def resnet20(
    *,
    input_shape=(32, 32, 3),
    classes=10,
    shortcut: Literal["A", "B"] = "A",
    norm: Literal["batch", "none"] = "batch",
    initializer: Literal["he", "glorot"] = "he",
    width: Positive = 1.0,
) -> keras.Model:
    """ResNet-20 for small images (He et al., CVPR 2016): layers learn what to add to their input.

    The sum carries the signal and its gradient past every block unchanged. It solved degradation:
    deeper plain networks (`plain56`) fitted even their training images worse than shallow ones.

    image [N, H, W, C] in [0, 1] -> 3x3 convolution, 3 blocks at each of H x W x 16, H/2 x W/2 x 32
    and H/4 x W/4 x 64, global average -> logits [N, classes]. 269,722 trainable parameters;
    CIFAR-10 test error 8.75 %. Inputs minus the training set's mean image.

    Args:
        input_shape: height and width of at least 8 pixels, and the channels.
        classes: at least 2.
        shortcut: "A" pads new channels with zeros, as the paper does for small images; "B" projects
            them by a 1x1 convolution wherever the shape changes (272,474 parameters).
        norm: "none" leaves BatchNorm out and gives the convolutions biases; every block then doubles
            the variance of its input at initialisation.
        initializer: of all weights: "he", as published, or "glorot", which is half as wide.
        width: factor on all numbers of channels, > 0.

    Raises ModelError for arguments outside these.

    >>> model = resnet20()
    >>> sum(weight.numpy().size for weight in model.trainable_weights)
    269722
    """
    return residual.small(
        "resnet", 20, input_shape, classes, shortcut=shortcut, norm=norm, initializer=initializer, width=width
    )


@arguments_of(resnet20)
def resnet32(**options) -> keras.Model:
    """ResNet-32 for small images (He et al., CVPR 2016): `resnet20` with 5 blocks a stage.

    464,154 trainable parameters, with shortcut="B" 466,906; CIFAR-10 test error 7.51 %. Arguments
    and errors as for `resnet20`.

    >>> resnet32(width=0.25).name
    'resnet32'
    """
    return residual.small("resnet", 32, **options)


@arguments_of(resnet20)
def resnet44(**options) -> keras.Model:
    """ResNet-44 for small images (He et al., CVPR 2016): `resnet20` with 7 blocks a stage.

    658,586 trainable parameters, with shortcut="B" 661,338; CIFAR-10 test error 7.17 %. Arguments
    and errors as for `resnet20`.

    >>> resnet44(width=0.25).name
    'resnet44'
    """
    return residual.small("resnet", 44, **options)


@arguments_of(resnet20)
def resnet56(**options) -> keras.Model:
    """ResNet-56 for small images (He et al., CVPR 2016): `resnet20` with 9 blocks a stage.

    853,018 trainable parameters, with shortcut="B" 855,770; CIFAR-10 test error 6.97 %: the depth at
    which `plain56` has long lost ground. Arguments and errors as for `resnet20`.

    >>> resnet56(width=0.25).name
    'resnet56'
    """
    return residual.small("resnet", 56, **options)


@arguments_of(resnet20)
def resnet110(**options) -> keras.Model:
    """ResNet-110 for small images (He et al., CVPR 2016): `resnet20` with 18 blocks a stage.

    The paper starts it at a learning rate of 0.01 until the training error is below 80 %, then at
    0.1. 1,727,962 trainable parameters, with shortcut="B" 1,730,714; CIFAR-10 test error 6.43 %
    (6.61 +- 0.16 over five trainings). Arguments and errors as for `resnet20`.

    >>> resnet110(width=0.25).name
    'resnet110'
    """
    return residual.small("resnet", 110, **options)
