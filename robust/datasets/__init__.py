"""Data sets: each a function that returns a `Dataset`, with nothing in it read before it is asked for."""

from typing import TYPE_CHECKING

from robust.core import registry

if TYPE_CHECKING:
    from robust.datasets.arrays import arrays
    from robust.datasets.digits import digits
    from robust.datasets.fashion_mini import fashion_mini
    from robust.datasets.fashion_mnist import fashion_mnist
    from robust.datasets.folder import folder
    from robust.datasets.photos import photos
    from robust.datasets.tfds import tfds

__all__ = ["arrays", "digits", "fashion_mini", "fashion_mnist", "folder", "photos", "tfds"]

registry.contents(__name__)
