"""Models that take images as flat rows."""

import math
from collections.abc import Sequence

import keras

from robust.models.classifier.black_box import Network


def unrolled(network: Network, image_shape: Sequence[int]) -> tuple[Network, str]:
    """The model with an image input in front, if it takes rows of as many numbers, and a note on that; else "".

    A row is an image [H, W, C] as NumPy's `reshape` flattens it: line after line, the channels of a pixel together.

    >>> model = keras.Sequential([keras.Input((12,)), keras.layers.Dense(3)])
    >>> found, note = unrolled(model, (2, 2, 3))
    >>> found.input_shape, note
    ((None, 2, 2, 3), 'images flattened to rows of 12 numbers')
    """
    shape = getattr(network, "input_shape", None)
    if not isinstance(network, keras.Model) or not isinstance(shape, tuple) or shape[1:] != (math.prod(image_shape),):
        return network, ""
    image = keras.Input(tuple(image_shape), shape[0], dtype=network.inputs[0].dtype)
    name = "rows" if network.name != "rows" else "image_rows"
    row = keras.layers.Flatten(data_format="channels_last", name=name)(image)
    found = keras.Model(image, network(row), name=network.name)
    return found, f"images flattened to rows of {shape[1]} numbers"
