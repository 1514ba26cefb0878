"""Images in grey or in colour, as a model takes them."""

from collections.abc import Callable
from dataclasses import replace

import tensorflow as tf

from robust.core.errors import DataError, ModelError
from robust.core.remedies import setting
from robust.core.types import Channels
from robust.datasets.dataset import Dataset, fingerprint

Change = Callable[[tf.Tensor], tf.Tensor]
COUNTS: dict[Channels, int] = {"rgb": 3, "gray": 1}
_WORDS: dict[int, Channels] = {3: "rgb", 1: "gray"}
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as in Pillow's "L" and Keras' color_mode="grayscale"


def converted(data: Dataset, channels: Channels) -> Dataset:
    """The same images with three channels, grey repeated; or with one, the luma of colours, rounded as Pillow does.

    This was requested: a model that takes another number of channels is refused, see `for_model`.

    Raises DataError for images of other numbers of channels than 1 and 3.

    >>> import numpy as np
    >>> from robust.datasets.dataset import from_arrays
    >>> converted(from_arrays(np.zeros((1, 2, 2, 1), "uint8"), [0]), "rgb").image_shape
    (2, 2, 3)
    """
    count = data.image_shape[2]
    if count == COUNTS[channels]:
        return replace(data, channels=channels)
    if count not in COUNTS.values():
        raise DataError(f"data set {data.name!r}: its images have {count} channels, not convertible to {channels}")
    keys = repr((data.fingerprint, channels)), repr((data.content, channels))
    own = {"fingerprint": fingerprint(keys[0].encode()), "content": fingerprint(keys[1].encode())}
    return replace(_changed(data, channels), channels=channels, **own)


def for_model(data: Dataset, count: int | None, model: str = "the model") -> Dataset:
    """The data as given to a model that takes `count` channels; unchanged where that is unknown, or any number works.

    It was not requested, see `conversion_remark`, and follows from the model: the fingerprint stays that of the data.

    Raises ModelError where other channels were requested.
    """
    if count == data.image_shape[2] or {count, data.image_shape[2]} != {*_WORDS}:
        return data
    word = _WORDS[count or 1]
    if data.channels is not None:
        raise ModelError(
            f"{model} takes images of {count} channel{'s' * (count != 1)}, and those of {data.name} were requested "
            f"with {setting('channels', data.channels)}; leave that out, or set {setting('channels', word)}"
        )
    return _changed(data, word)


def conversion_remark(data: Dataset, count: int | None) -> str:
    """The remark on a model that is given the data with other channels than its own; "" for any other model.

    >>> from robust.datasets.dataset import from_arrays
    >>> from robust.core.remedies import formatted
    >>> formatted(conversion_remark(from_arrays([[[0.0]]], [0], name="x"), 3), "command")
    'takes 3 channels: the grey images of x are repeated to 3 channels, as with --channels rgb'
    """
    if for_model(data, count) is data:
        return ""
    if count == 1:
        how = "the colour images of {} are converted to grey, .299 R + .587 G + .114 B as in Keras and Pillow,"
        return f"takes 1 channel: {how.format(data.name)} as with {setting('channels', 'gray')}"
    how = f"the grey images of {data.name} are repeated to 3 channels,"
    return f"takes 3 channels: {how} as with {setting('channels', 'rgb')}"


def alike(one: Dataset, other: Dataset) -> bool:
    """Do their images have the same shape, or could they after a conversion of channels?"""
    a, b = one.image_shape, other.image_shape
    return a == b or (a[:2] == b[:2] and {a[2], b[2]} == {*_WORDS})


def _changed(data: Dataset, channels: Channels) -> Dataset:
    change = grey if channels == "gray" else _repeated

    def read(split: str) -> tf.data.Dataset:
        return data.read(split).map(lambda image, label, id: (change(image), label, id))

    return replace(
        data,
        image_shape=(*data.image_shape[:2], COUNTS[channels]),
        read=read,
        encoded=data.encoded and replace(data.encoded, decode=_after(data.encoded.decode, change)),
    )


def _after(decode: Change, change: Change) -> Change:
    return lambda image: change(decode(image))


def _repeated(image: tf.Tensor) -> tf.Tensor:
    return tf.repeat(image, 3, axis=-1)


def grey(image: tf.Tensor) -> tf.Tensor:
    """uint8 in Pillow's integer arithmetic, so that a file gives the same pixels as if read as grey; floats exactly."""
    if image.dtype != tf.uint8:
        return tf.reduce_sum(image * tf.constant(_LUMA, image.dtype), axis=-1, keepdims=True)
    weighed = tf.cast(image, tf.int32) * tf.constant([19595, 38470, 7471])
    return tf.cast(tf.bitwise.right_shift(tf.reduce_sum(weighed, -1, keepdims=True) + 0x8000, 16), tf.uint8)
