"""Conversion of data passed from Python code to a `Dataset`."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from robust.core import store
from robust.core.errors import DataError, suggest
from robust.core.signature import Call
from robust.datasets import channels, checks, order
from robust.datasets.data_call import DataCall
from robust.datasets.dataset import SPLITS, Dataset, from_splits

_BYTES = 128
"""Floats of a `tf.data.Dataset` up to this value or more are in [0, 255], as from `image_dataset_from_directory`."""

_SAMPLED = 16  # images of a set, to check that they are not all black


class _Pair(NamedTuple):
    """Images and labels of a split, the number of classes of one-hot labels, and how the images were converted."""

    images: Any
    labels: Any
    classes: int | None
    remark: str


def read(call: Call) -> Dataset:
    """The data set that a suite names, as it is presented to a model.

    Raises DataError for invalid data, and for a class that is not among the named ones.
    """
    found = replace(dataset_of(call(), name=call.name), code=store.code_of([call]))
    checks.check_not_dark(found.name, few(found))
    if isinstance(call, DataCall):
        found = replace(found, remarks=(call.remark, *found.remarks)) if call.remark else found
        found = found if call.channels is None else channels.converted(found, call.channels)
        found = found if call.classes is None else order.ordered(found, call.classes)
    return found


def few(data: Dataset) -> np.ndarray:
    """Some images of a set, or a white one where they cannot be read: code that uses them raises the error."""
    try:
        return data.first(next(iter(data.sizes)), _SAMPLED)
    except tf.errors.OpError:
        return np.ones((1, *data.image_shape), np.float32)


def dataset_of(data: object, classes: int | Sequence[str] | None = None, name: str = "arrays") -> Dataset:
    """A data set from any supported form of data.

    Args:
        data: a `Dataset`; (images, labels); a `tf.data.Dataset` of (image, label), in batches or not, which is
            read once and held in memory; or a dictionary of such pairs or `tf.data.Dataset`s by split. Labels are whole
            numbers [N] or [N, 1], or one-hot [N, classes]. Floats of a `tf.data.Dataset` may range over [0, 255], as
            those of `keras.utils.image_dataset_from_directory` do, and are divided by 255, with a remark.
        classes: names of the classes, or their number; else the `class_names` of a Keras data set,
            or one for each column of one-hot labels, or the largest label is the last class.
        name: the name of the data.

    Raises DataError for anything else, and for invalid images and labels.

    >>> rows = tf.data.Dataset.from_tensor_slices((np.zeros([3, 4, 4, 1], "uint8"), [0, 1, 1]))
    >>> dataset_of(rows.batch(2)).sizes
    {'test': 3}
    """
    if isinstance(data, Dataset):
        return data
    splits = data if isinstance(data, Mapping) else {"test": data}
    for split in splits:
        if split not in SPLITS:
            raise DataError(f"data {name!r}: a split {split!r}{suggest(str(split), SPLITS)}")
    if not splits:
        raise DataError(f"data {name!r}: an empty dictionary; allowed: (images, labels) by split, {', '.join(SPLITS)}")
    named = next((c for each in splits.values() if (c := getattr(each, "class_names", None))), None)
    classes = (named or classes) if isinstance(classes, int | None) else classes
    pairs = {split: _pair(each, name) for split, each in splits.items()}
    found = from_splits({split: pair[:2] for split, pair in pairs.items()}, counted(pairs, classes, name), name)
    return replace(found, remarks=tuple(dict.fromkeys(pair.remark for pair in pairs.values() if pair.remark)))


def counted(pairs: Mapping[str, _Pair], classes: int | Sequence[str] | None, name: str) -> int | Sequence[str] | None:
    """The classes, if necessary from one-hot labels; raises DataError where these have another number."""
    for pair in pairs.values():
        known = classes if isinstance(classes, int | None) else len(classes)
        if pair.classes is not None and known is not None and known != pair.classes:
            raise DataError(f"data {name!r}: one-hot labels of {pair.classes} classes, but there are {known}")
        classes = pair.classes if classes is None else classes
    return classes


def _pair(data: object, name: str) -> _Pair:
    if isinstance(data, tf.data.Dataset):
        images, labels = _read(data, name)
        images, remark = in_unit_range(images, name)
    elif not isinstance(data, tuple | list) or len(data) != 2:
        allowed = "(images, labels), a tf.data.Dataset of (image, label), or a data set of robust"
        raise DataError(f"data {name!r}: got a {type(data).__name__}; allowed: {allowed}{of_batches(data)}")
    elif any(isinstance(each, tf.data.Dataset) for each in data):
        allowed = 'one of them, or a dictionary by split: {"train": first, "test": second}'
        raise DataError(f"data {name!r}: got a pair with a tf.data.Dataset in it; allowed: {allowed}")
    else:
        (images, labels), remark = data, ""
    return _Pair(images, *flat(labels), remark)


def of_batches(data: object) -> str:
    """The hint on how to concatenate the batches of another data source."""
    if isinstance(data, keras.utils.PyDataset):
        return "; did you mean tuple(map(np.concatenate, zip(*(data[i] for i in range(len(data))))))?"
    return "; of batches: tuple(map(np.concatenate, zip(*data)))" if isinstance(data, Generator) else ""


def flat(labels: object) -> tuple[object, int | None]:
    """Labels [N] of [N, 1] or one-hot ones [N, classes], and the number of classes of the latter."""
    try:
        array = np.asarray(labels)
    except ValueError:
        return labels, None  # a later check raises the error
    if array.ndim == 2 and array.shape[1] == 1:
        return array[:, 0], None
    if array.ndim == 2 and array.dtype.kind in "biuf" and (np.isin(array, (0, 1)).all() and (array.sum(1) == 1).all()):
        return array.argmax(axis=1), array.shape[1]
    return array, None


def in_unit_range(images: np.ndarray, name: str) -> tuple[np.ndarray, str]:
    """Images of a `tf.data.Dataset`, floats of [0, 255] divided by 255, and a remark about it."""
    low, high = (float(images.min()), float(images.max())) if images.size else (0.0, 0.0)
    if images.dtype.kind != "f" or (low >= -checks.ROUNDING and high <= 1 + checks.ROUNDING):
        return images, ""
    if low >= 0 and _BYTES <= high <= 255:
        images = images / images.dtype.type(255)
        return images, f"its floats from {low:g} to {high:g} were taken for [0, 255] and divided by 255"
    if not (formula := checks.into_unit_range(low, high)):
        return images, ""  # a later check raises the error
    formula = formula.replace("np.clip(images, 0, 1)", "tf.clip_by_value(images, 0, 1)")
    remedy = f"data.map(lambda images, labels: ({formula}, labels))"
    allowed = "allowed: [0, 1], or [0, 255] as Keras reads images"
    raise DataError(f"data {name!r}: floats from {low:.9g} to {high:.9g}; {allowed}; did you mean {remedy}?")


def _read(rows: tf.data.Dataset, name: str) -> tuple[np.ndarray, np.ndarray]:
    spec = rows.element_spec
    pair = isinstance(spec, tuple) and len(spec) == 2 and all(isinstance(each, tf.TensorSpec) for each in spec)
    if not pair:
        raise DataError(f"data {name!r}: a tf.data.Dataset of {spec}; allowed: pairs of (image, label){as_pairs(spec)}")
    if rows.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise DataError(f"data {name!r}: the tf.data.Dataset never ends; leave out its repeat()")
    if spec[0].shape.rank not in (2, 3, 4):
        what = f"images of shape {spec[0].shape}"
        raise DataError(f"data {name!r}: {what}; allowed: [H, W, C], or [N, H, W, C] in batches")
    try:
        read = list((rows if in_batches(*spec) else rows.batch(256)).as_numpy_iterator())
        images, labels = zip(*read, strict=True) if read else ((), ())
        if read:
            return np.concatenate(images), np.concatenate(labels)
    except (tf.errors.OpError, ValueError) as error:
        reason = getattr(error, "message", str(error)).splitlines()[0]
        of_one_size = "images of different sizes are resized in its map()"
        raise DataError(f"data {name!r}: the tf.data.Dataset cannot be read ({reason}); {of_one_size}") from None
    raise DataError(f"data {name!r}: the tf.data.Dataset is empty")


def as_pairs(spec: object) -> str:
    """The hint on how to make pairs of elements that hold an image, a label and more."""
    if isinstance(spec, Mapping) and {"image", "label"} <= {*spec}:
        return '; did you mean data.map(lambda each: (each["image"], each["label"]))?'
    if isinstance(spec, tuple) and len(spec) > 2:
        return "; did you mean data.map(lambda image, label, *more: (image, label))?"
    return ""


def in_batches(image: tf.TensorSpec, label: tf.TensorSpec) -> bool:
    """Does an element hold many images? Grey ones without a channel axis are recognised by their labels."""
    if image.shape.rank != 3 or not label.shape.rank:
        return image.shape.rank == 4
    return label.shape.rank == 2 or image.shape[-1] not in (1, 3, 4)
