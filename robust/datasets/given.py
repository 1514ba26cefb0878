"""Whatever Python code hands over as data, as a `Dataset`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from robust.datasets.dataset import SPLITS, Dataset, from_splits
from robust.errors import DataError, suggest


def dataset_of(data: Any, classes: int | Sequence[str] | None = None, name: str = "arrays") -> Dataset:
    """A data set from what stands for one.

    Args:
        data: a `Dataset`; (images, labels); a `tf.data.Dataset` of (image, label), in batches or not, which is
            read once and held in memory; or a table of such pairs or `tf.data.Dataset`s by split.
        classes: names of the classes, or how many; else the `class_names` that Keras gives its data sets,
            or the largest label is the last class.
        name: what the data is called.

    Raises DataError for anything else, and for images and labels that are not what they should be.

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
        raise DataError(f"data {name!r}: an empty table; allowed: (images, labels) by split, {', '.join(SPLITS)}")
    named = next((c for each in splits.values() if (c := getattr(each, "class_names", None))), None)
    classes = (named or classes) if isinstance(classes, int | None) else classes
    return from_splits({split: _pair(each, name) for split, each in splits.items()}, classes, name)


def _pair(data: Any, name: str) -> tuple[Any, Any]:
    if isinstance(data, tf.data.Dataset):
        return _read(data, name)
    if not isinstance(data, tuple | list) or len(data) != 2:
        allowed = "(images, labels), a tf.data.Dataset of (image, label), or a data set of robust"
        raise DataError(f"data {name!r}: a {type(data).__name__} came; allowed: {allowed}")
    return data[0], data[1]


def _read(rows: tf.data.Dataset, name: str) -> tuple[np.ndarray, np.ndarray]:
    spec = rows.element_spec
    if not isinstance(spec, tuple) or len(spec) != 2:
        raise DataError(f"data {name!r}: a tf.data.Dataset of {spec}; allowed: pairs of (image, label)")
    if rows.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise DataError(f"data {name!r}: the tf.data.Dataset never ends; leave out its repeat()")
    rank = spec[0].shape.rank
    if rank not in (3, 4):
        what = f"images of shape {spec[0].shape}"
        raise DataError(f"data {name!r}: {what}; allowed: [H, W, C], or [N, H, W, C] in batches")
    read = list((rows if rank == 4 else rows.batch(256)).as_numpy_iterator())
    if not read:
        raise DataError(f"data {name!r}: the tf.data.Dataset is empty")
    images, labels = zip(*read, strict=True)
    return np.concatenate(images), np.concatenate(labels)
