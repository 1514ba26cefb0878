"""Images in grey or in colour, as a model takes them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import tensorflow as tf

from robust.datasets.dataset import Dataset, fingerprint
from robust.errors import DataError

Change = Callable[[tf.Tensor], tf.Tensor]
COUNTS = {"rgb": 3, "gray": 1}
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's "L" and Keras' color_mode="grayscale" have it


def converted(data: Dataset, channels: Literal["rgb", "gray"]) -> Dataset:
    """The same images with three channels, grey repeated; or with one, the luma of colours, rounded as Pillow does.

    Raises DataError for images of other numbers of channels than 1 and 3.

    >>> import numpy as np
    >>> from robust.datasets.dataset import from_arrays
    >>> converted(from_arrays(np.zeros((1, 2, 2, 1), "uint8"), [0]), "rgb").image_shape
    (2, 2, 3)
    """
    height, width, count = data.image_shape
    if count == COUNTS[channels]:
        return data
    if count not in COUNTS.values():
        raise DataError(f"data set {data.name!r}: its images have {count} channels, of which no {channels} is made")
    change = _grey if channels == "gray" else _repeated

    def read(split: str) -> tf.data.Dataset:
        return data.read(split).map(lambda image, label, id: (change(image), label, id))

    return replace(
        data,
        image_shape=(height, width, COUNTS[channels]),
        read=read,
        encoded=data.encoded and replace(data.encoded, decode=_after(data.encoded.decode, change)),
        fingerprint=fingerprint(repr((data.fingerprint, channels)).encode()),
        content=fingerprint(repr((data.content, channels)).encode()),
    )


def _after(decode: Change, change: Change) -> Change:
    return lambda image: change(decode(image))


def _repeated(image: tf.Tensor) -> tf.Tensor:
    return tf.repeat(image, 3, axis=-1)


def _grey(image: tf.Tensor) -> tf.Tensor:
    """Levels by Pillow's own integers, so that a file is the same as when it is read as grey; floats exactly."""
    if image.dtype != tf.uint8:
        return tf.reduce_sum(image * tf.constant(_LUMA, image.dtype), axis=-1, keepdims=True)
    weighed = tf.cast(image, tf.int32) * tf.constant([19595, 38470, 7471])
    return tf.cast(tf.bitwise.right_shift(tf.reduce_sum(weighed, -1, keepdims=True) + 0x8000, 16), tf.uint8)
