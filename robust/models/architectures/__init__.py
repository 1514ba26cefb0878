"""Well-known networks of the field, as plain Keras functional models.

An architecture is a function of keyword arguments `input_shape` (height, width, channels) and
`classes`, which the run supplies, and of options that a suite may set. Its model takes float images
in [0, 1], holds its own normalisation, and ends in a linear float32 layer named "logits".

The first member of a family writes its arguments out; the others take them, `@arguments_of(resnet20)`.
"""

from typing import TYPE_CHECKING

from robust.core import registry

if TYPE_CHECKING:
    from robust.models.architectures.alexnet import alexnet as alexnet
    from robust.models.architectures.densenet import densenet40 as densenet40
    from robust.models.architectures.densenet import densenet121 as densenet121
    from robust.models.architectures.densenet import densenet161 as densenet161
    from robust.models.architectures.densenet import densenet169 as densenet169
    from robust.models.architectures.densenet import densenet201 as densenet201
    from robust.models.architectures.densenet import densenet264 as densenet264
    from robust.models.architectures.densenet import densenet_bc100 as densenet_bc100
    from robust.models.architectures.densenet import densenet_bc190 as densenet_bc190
    from robust.models.architectures.efficientnet import efficientnet_b0 as efficientnet_b0
    from robust.models.architectures.efficientnet import efficientnet_b1 as efficientnet_b1
    from robust.models.architectures.efficientnet import efficientnet_b2 as efficientnet_b2
    from robust.models.architectures.efficientnet import efficientnet_b3 as efficientnet_b3
    from robust.models.architectures.efficientnet import efficientnet_b4 as efficientnet_b4
    from robust.models.architectures.efficientnet import efficientnet_b5 as efficientnet_b5
    from robust.models.architectures.efficientnet import efficientnet_b6 as efficientnet_b6
    from robust.models.architectures.efficientnet import efficientnet_b7 as efficientnet_b7
    from robust.models.architectures.efficientnet import efficientnet_l2 as efficientnet_l2
    from robust.models.architectures.efficientnet import efficientnet_lite0 as efficientnet_lite0
    from robust.models.architectures.efficientnet import efficientnet_lite1 as efficientnet_lite1
    from robust.models.architectures.efficientnet import efficientnet_lite2 as efficientnet_lite2
    from robust.models.architectures.googlenet import googlenet as googlenet
    from robust.models.architectures.lenet import lenet5 as lenet5
    from robust.models.architectures.mlp import mlp as mlp
    from robust.models.architectures.mobilenet import mobilenet as mobilenet
    from robust.models.architectures.mobilenet import mobilenet_v2 as mobilenet_v2
    from robust.models.architectures.mobilenet import mobilenet_v3_large as mobilenet_v3_large
    from robust.models.architectures.mobilenet import mobilenet_v3_small as mobilenet_v3_small
    from robust.models.architectures.plain import plain20 as plain20
    from robust.models.architectures.plain import plain32 as plain32
    from robust.models.architectures.plain import plain44 as plain44
    from robust.models.architectures.plain import plain56 as plain56
    from robust.models.architectures.plain import plain110 as plain110
    from robust.models.architectures.resnet import plain18 as plain18
    from robust.models.architectures.resnet import plain34 as plain34
    from robust.models.architectures.resnet import resnet18 as resnet18
    from robust.models.architectures.resnet import resnet34 as resnet34
    from robust.models.architectures.resnet import resnet50 as resnet50
    from robust.models.architectures.resnet import resnet101 as resnet101
    from robust.models.architectures.resnet import resnet152 as resnet152
    from robust.models.architectures.resnet_small import resnet20 as resnet20
    from robust.models.architectures.resnet_small import resnet32 as resnet32
    from robust.models.architectures.resnet_small import resnet44 as resnet44
    from robust.models.architectures.resnet_small import resnet56 as resnet56
    from robust.models.architectures.resnet_small import resnet110 as resnet110
    from robust.models.architectures.vgg import vgg11 as vgg11
    from robust.models.architectures.vgg import vgg13 as vgg13
    from robust.models.architectures.vgg import vgg16 as vgg16
    from robust.models.architectures.vgg import vgg19 as vgg19


registry.contents(__name__)
