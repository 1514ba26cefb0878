"""Images in grey or in colour, as a model takes them."""

from collections.abc import Callable
from dataclasses import replace

import tensorflow as tf

from robust.core.errors import DataError, ModelError
from robust.core.interface import setting
from robust.core.types import Channels
from robust.datasets.dataset import Dataset, fingerprint

Change = Callable[[tf.Tensor], tf.Tensor]
COUNTS: dict[Channels, int] = {"rgb": 3, "gray": 1}
_WORDS: dict[int, Channels] = {3: "rgb", 1: "gray"}
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's "L" and Keras' color_mode="grayscale" have it


def converted(data: Dataset, channels: Channels) -> Dataset:
    """The same images with three channels, grey repeated; or with one, the luma of colours, rounded as Pillow does.

    It was asked for so: a model that takes another number of channels is refused, see `seen`.

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
        raise DataError(f"data set {data.name!r}: its images have {count} channels, of which no {channels} is made")
    asked = repr((data.fingerprint, channels)), repr((data.content, channels))
    own = {"fingerprint": fingerprint(asked[0].encode()), "content": fingerprint(asked[1].encode())}
    return replace(_changed(data, channels), channels=channels, **own)


def seen(data: Dataset, count: int | None, model: str = "the model") -> Dataset:
    """The data as a model sees it that takes so many channels; as it is where that is not known, or any will do.

    Nobody has asked for it, see `guess`, and what the model is tells it: so the fingerprint stays that of the data.

    Raises ModelError where other channels were asked for.
    """
    if count == data.image_shape[2] or {count, data.image_shape[2]} != {*_WORDS}:
        return data
    word = _WORDS[count or 1]
    if data.channels is not None:
        raise ModelError(
            f"{model} takes images of {count} channel{'s' * (count != 1)}, and those of {data.name} were asked for "
            f"with {setting('channels', data.channels)}; leave that out, or say {setting('channels', word)}"
        )
    return _changed(data, word)


def guess(data: Dataset, count: int | None) -> str:
    """What is to be said beside the numbers of a model that sees the data in other channels; "" where it does not.

    >>> from robust.datasets.dataset import from_arrays
    >>> from robust.core.interface import worded
    >>> worded(guess(from_arrays([[[0.0]]], [0], name="x"), 3), "command")
    'takes 3 channels: the grey images of x are seen with theirs repeated, as --channels rgb has it'
    """
    if seen(data, count) is data:
        return ""
    if count == 1:
        how = "the colour images of {} are seen in grey, .299 R + .587 G + .114 B as Keras and Pillow weigh them,"
        return f"takes 1 channel: {how.format(data.name)} as {setting('channels', 'gray')} has it"
    how = f"the grey images of {data.name} are seen with theirs repeated,"
    return f"takes 3 channels: {how} as {setting('channels', 'rgb')} has it"


def alike(one: Dataset, other: Dataset) -> bool:
    """Are their images of one shape, or can be by a change of their channels?"""
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
    """Levels by Pillow's own integers, so that a file is the same as when it is read as grey; floats exactly."""
    if image.dtype != tf.uint8:
        return tf.reduce_sum(image * tf.constant(_LUMA, image.dtype), axis=-1, keepdims=True)
    weighed = tf.cast(image, tf.int32) * tf.constant([19595, 38470, 7471])
    return tf.cast(tf.bitwise.right_shift(tf.reduce_sum(weighed, -1, keepdims=True) + 0x8000, 16), tf.uint8)
