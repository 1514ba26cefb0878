"""The networks that made the field, as plain Keras functional models.

An architecture is a function of keyword arguments `input_shape` (height, width, channels) and
`classes`, which the run supplies, and of options that a suite may set. Its model takes float images
in [0, 1], holds its own normalisation, and ends in a linear float32 layer named "logits".

The first member of a family writes its arguments out; the others take them, `@arguments_of(resnet20)`.
"""

from typing import TYPE_CHECKING

from robust.core import registry

if TYPE_CHECKING:
    from robust.models.architectures.alexnet import alexnet
    from robust.models.architectures.densenet import (
        densenet40,
        densenet121,
        densenet161,
        densenet169,
        densenet201,
        densenet264,
        densenet_bc100,
        densenet_bc190,
    )
    from robust.models.architectures.efficientnet import (
        efficientnet_b0,
        efficientnet_b1,
        efficientnet_b2,
        efficientnet_b3,
        efficientnet_b4,
        efficientnet_b5,
        efficientnet_b6,
        efficientnet_b7,
        efficientnet_l2,
        efficientnet_lite0,
        efficientnet_lite1,
        efficientnet_lite2,
    )
    from robust.models.architectures.googlenet import googlenet
    from robust.models.architectures.lenet import lenet5
    from robust.models.architectures.mlp import mlp
    from robust.models.architectures.mobilenet import mobilenet, mobilenet_v2, mobilenet_v3_large, mobilenet_v3_small
    from robust.models.architectures.plain import plain20, plain32, plain44, plain56, plain110
    from robust.models.architectures.resnet import plain18, plain34, resnet18, resnet34, resnet50, resnet101, resnet152
    from robust.models.architectures.resnet_small import resnet20, resnet32, resnet44, resnet56, resnet110
    from robust.models.architectures.vgg import vgg11, vgg13, vgg16, vgg19

__all__ = [
    "alexnet",
    "densenet40",
    "densenet121",
    "densenet161",
    "densenet169",
    "densenet201",
    "densenet264",
    "densenet_bc100",
    "densenet_bc190",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_b2",
    "efficientnet_b3",
    "efficientnet_b4",
    "efficientnet_b5",
    "efficientnet_b6",
    "efficientnet_b7",
    "efficientnet_l2",
    "efficientnet_lite0",
    "efficientnet_lite1",
    "efficientnet_lite2",
    "googlenet",
    "lenet5",
    "mlp",
    "mobilenet",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "plain18",
    "plain20",
    "plain32",
    "plain34",
    "plain44",
    "plain56",
    "plain110",
    "resnet18",
    "resnet20",
    "resnet32",
    "resnet34",
    "resnet44",
    "resnet50",
    "resnet56",
    "resnet101",
    "resnet110",
    "resnet152",
    "vgg11",
    "vgg13",
    "vgg16",
    "vgg19",
]

registry.contents(__name__)
