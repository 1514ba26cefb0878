"""Plain networks: the residual ones without their shortcuts, to show what the shortcuts solve."""

from typing import Literal

import keras

from robust.core.arguments import arguments_of
from robust.core.types import Positive
from robust.models.architectures import residual


def plain20(
    *,
    input_shape=(32, 32, 3),
    classes=10,
    norm: Literal["batch", "none"] = "batch",
    initializer: Literal["he", "glorot"] = "he",
    width: Positive = 1.0,
) -> keras.Model:
    """Plain-20 (He, Zhang, Ren & Sun, CVPR 2016): `resnet20` without shortcuts.

    The control of the residual experiment: as deep, as wide and with as many parameters (269,722)
    as its residual twin, BatchNorm included. It still trains well; its deeper variants do not.

    Args:
        input_shape: height and width of at least 8 pixels, and the channels.
        classes: at least 2.
        norm: "none" leaves BatchNorm out and gives the convolutions biases: without it, depth alone
            makes the gradient vanish or explode.
        initializer: of all weights: "he", as published, or "glorot", which is half as wide.
        width: factor on all numbers of channels, > 0.

    Raises ModelError for arguments outside these.

    >>> model = plain20()
    >>> sum(weight.numpy().size for weight in model.trainable_weights)
    269722
    """
    return residual.small(
        "plain", 20, input_shape, classes, shortcut=None, norm=norm, initializer=initializer, width=width
    )


@arguments_of(plain20)
def plain32(**options) -> keras.Model:
    """Plain-32 (He, Zhang, Ren & Sun, CVPR 2016): `resnet32` without shortcuts.

    464,154 trainable parameters. Arguments and errors as for `plain20`.

    >>> plain32(width=0.25).name
    'plain32'
    """
    return residual.small("plain", 32, shortcut=None, **options)


@arguments_of(plain20)
def plain44(**options) -> keras.Model:
    """Plain-44 (He, Zhang, Ren & Sun, CVPR 2016): `resnet44` without shortcuts.

    658,586 trainable parameters. Arguments and errors as for `plain20`.

    >>> plain44(width=0.25).name
    'plain44'
    """
    return residual.small("plain", 44, shortcut=None, **options)


@arguments_of(plain20)
def plain56(**options) -> keras.Model:
    """Plain-56 (He, Zhang, Ren & Sun, CVPR 2016): `resnet56` without shortcuts.

    Its training error on CIFAR-10 is above that of `plain20`: degradation, not overfitting.
    853,018 trainable parameters. Arguments and errors as for `plain20`.

    >>> plain56(width=0.25).name
    'plain56'
    """
    return residual.small("plain", 56, shortcut=None, **options)


@arguments_of(plain20)
def plain110(**options) -> keras.Model:
    """Plain-110 (He, Zhang, Ren & Sun, CVPR 2016): `resnet110` without shortcuts.

    It does not train: the paper reports an error above 60 % on CIFAR-10.
    1,727,962 trainable parameters. Arguments and errors as for `plain20`.

    >>> plain110(width=0.25).name
    'plain110'
    """
    return residual.small("plain", 110, shortcut=None, **options)
