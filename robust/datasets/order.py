"""The order of a data set's classes: its own, or that of a model's outputs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import tensorflow as tf

from robust.core.errors import DataError, suggest
from robust.datasets.dataset import Dataset, fingerprint
from robust.datasets.stored_images import Rows
from robust.datasets.taxonomy import imagenet, superclasses

_SHOWN = 20  # classes; of more the first and the last


def ordered(data: Dataset, classes: Sequence[str]) -> Dataset:
    """The same images with the classes in the order of a model's outputs, of which some may not occur in the data.

    Args:
        data: its classes have names; where these are all numbers, they are indices into `classes`.
        classes: names, or WordNet ids of classes of ImageNet.

    Raises DataError for a class of the data that is not among them, with a suggestion.

    >>> from robust.datasets.dataset import from_arrays
    >>> pets = from_arrays(np.zeros((2, 1, 1, 1)), [0, 1], ["cat", "dog"])
    >>> ordered(pets, ["dog", "cow", "cat"]).labels("test")
    array([2, 0])
    """
    names = imagenet.readable(tuple(classes))
    places = tf.constant(_places(data, names), tf.int64)

    def placed(read: Rows) -> Rows:
        return lambda split: read(split).map(lambda image, label, id: (image, tf.gather(places, label), id))

    return replace(
        data,
        classes=names,
        read=placed(data.read),
        encoded=data.encoded and data.encoded.changed(placed),
        fingerprint=fingerprint(repr((data.fingerprint, names)).encode()),
        superclasses=groups(data, names),
    )


def groups(data: Dataset, names: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    """The data's own superclasses; those derived from the names of its classes are derived again from all names."""
    own = superclasses.are_own(data.superclasses, data.classes)
    return data.superclasses if own else superclasses.of(names)


def _places(data: Dataset, names: tuple[str, ...]) -> list[int]:
    if all(name.isdecimal() for name in data.classes) and not any(name.isdecimal() for name in names):
        if (most := max(map(int, data.classes))) >= len(names):
            what = f"data set {data.name!r} has a class {most}, and {len(names)} classes are given"
            raise DataError(f"classes: {what}; its classes are numbers, so the first name is that of class 0")
        if len({*map(int, data.classes)}) < len(data.classes):  # "7" and "07"
            twice = next(name for name in data.classes if name != str(int(name)))
            raise DataError(f"classes: data set {data.name!r} has two classes of the same number, {twice!r} among them")
        return [int(name) for name in data.classes]
    found = {name: place for place, name in enumerate(names)}
    if missing := [name for name in data.classes if name not in found]:
        others = f" (and {len(missing) - 1} others)" if len(missing) > 1 else ""
        what = f"data set {data.name!r} has a class {missing[0]!r}{others} that is not among them"
        raise DataError(f"classes: {what}{suggest(missing[0], names)}")
    return [found[name] for name in data.classes]


def class_order_remark(data: Dataset) -> str:
    """The order, and which classes of it have no images.

    >>> from robust.datasets.dataset import from_arrays
    >>> class_order_remark(from_arrays(np.zeros((2, 1, 1, 1)), [0, 2], ["cat", "cow", "dog"]))
    'classes in this order: 0 cat, 1 cow, 2 dog; images of 2 of the 3 classes, none of cow'
    """
    names = [f"{place} {name}" for place, name in enumerate(data.classes)]
    shown = names if len(names) <= _SHOWN else [*names[:3], "...", names[-1]]
    counts = np.bincount(data.labels("test"), minlength=len(names)) if "test" in data.sizes else np.ones(len(names))
    without = [name for name, n in zip(data.classes, counts, strict=True) if not n]
    few = f"{', '.join(without[:3])}{', ...' if len(without) > 3 else ''}"
    lacks = f"; images of {len(names) - len(without)} of the {len(names)} classes, none of {few}" if without else ""
    return f"classes in this order: {', '.join(shown)}{lacks}"
