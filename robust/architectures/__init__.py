"""The networks that made the field, as plain Keras functional models.

An architecture is a function of keyword arguments `input_shape` (height, width, channels) and
`classes`, which the run supplies, and of options that a suite may set. Its model takes float images
in [0, 1], holds its own normalisation, and ends in a linear float32 layer named "logits".
"""

from typing import TYPE_CHECKING

from robust import catalog

if TYPE_CHECKING:
    from robust.architectures.lenet import lenet5
    from robust.architectures.plain import plain20, plain32, plain44, plain56, plain110
    from robust.architectures.resnet import resnet20, resnet32, resnet44, resnet56, resnet110

__all__ = [
    "lenet5",
    "plain20",
    "plain32",
    "plain44",
    "plain56",
    "plain110",
    "resnet20",
    "resnet32",
    "resnet44",
    "resnet56",
    "resnet110",
]

catalog.contents(__name__)
