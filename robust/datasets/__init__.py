"""Data sets: each a function that returns a `Dataset`, which reads nothing until it is used."""

from typing import TYPE_CHECKING

from robust.core import registry

if TYPE_CHECKING:
    from robust.datasets.arrays import arrays as arrays
    from robust.datasets.digits import digits as digits
    from robust.datasets.fashion_mini import fashion_mini as fashion_mini
    from robust.datasets.fashion_mnist import fashion_mnist as fashion_mnist
    from robust.datasets.folder import folder as folder
    from robust.datasets.photos import photos as photos
    from robust.datasets.tfds import tfds as tfds


registry.contents(__name__)
