"""What a first look at a model from elsewhere shows: is it asked as it was trained?"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import numpy as np
import tensorflow as tf

from robust.datasets.dataset import Dataset
from robust.models.classifier import Classifier, class_order, pixel_range, shares, steady
from robust.models.classifier.class_order import Order
from robust.results.flags import FLAGS, Reason
from robust.suite.preprocessing import Preprocessing

_TOO_MANY = (tf.errors.ResourceExhaustedError, MemoryError)  # the case will be told, and go on with fewer


@dataclass(frozen=True)
class _Doubt:
    """Why no number of the model is reliable, and what to do about it."""

    reason: Reason
    words: str


def at(classifier: Classifier, data: Dataset) -> tuple[list[str], list[str]]:
    """Notes on how it is asked, and doubts, which mark every number of it, in `Classifier.doubts`, too.

    Is it asked for its pixels in the way that suits it, and are the classes those of its outputs? The one may hide the
    other: where its pixels are in doubt the classes are looked at with those that suit it better, too, and where
    nothing else explains that the model is hardly right, with each other kind of pixels.
    """
    if classifier.is_black_box:  # whether it gives probabilities is to be seen from these, and not from images of ours
        with suppress(*_TOO_MANY):
            pixel_range.answers(classifier, data.first("test", pixel_range.SMALL))
    notes, found = [*steady.examine(classifier, data.first("test", steady.IMAGES))], []
    with suppress(*_TOO_MANY):
        found = [*_doubts(classifier, data)]
    classifier.doubts = tuple(doubt.reason for doubt in found)
    return notes, [doubt.words for doubt in found]


def _doubts(classifier: Classifier, data: Dataset) -> Iterator[_Doubt]:
    pixels = pixel_range.better(classifier, partial(_pair, data), data.size("test"))
    order = class_order.better(classifier, partial(_of_few, data), data.size("test"))
    if pixels and not (order and order.other > pixels.other):
        yield _Doubt(pixels.reason, pixels.told)
        others = orders(classifier, data, pixels.preprocessing[:1], data.size("test"))
    else:
        others = [] if order else orders(classifier, data, _ways(classifier, data), class_order.FIRST)
    way, order = max(others, key=lambda pair: pair[1].other, default=(None, order))
    if order:
        asked = f", asked with pixels {way}," if way else ""
        too = f"; and {pixel_range.declared(way)}" if way and not pixels else ""
        yield _Doubt(order.reason, order.told(data.classes, asked) + too)
    if pixels:  # answers to other images than it was trained with have no scale
        return
    if scale := shares.found(classifier, data.first("test", pixel_range.FIRST)):
        yield _Doubt(scale, f"{scale}; {FLAGS[scale.name].remedy}")


def _ways(classifier: Classifier, data: Dataset) -> Sequence[Preprocessing]:
    """The other ways to give it pixels, where in its own it is hardly right."""
    images, labels = _of_few(data, min(data.size("test"), class_order.FIRST))
    hardly = (pixel_range.answers(classifier, images) == labels).mean() < class_order.WELL
    return pixel_range.ways(classifier, images) if hardly else ()


def orders(
    classifier: Classifier, data: Dataset, ways: Sequence[Preprocessing], most: int
) -> list[tuple[Preprocessing, Order]]:
    """Where classes in another order suit it far better, asked in one of these ways."""
    look, available = partial(_of_few, data), min(data.size("test"), most)
    found = [(way, class_order.better(classifier.wanting(way), look, available)) for way in ways]
    return [(way, order) for way, order in found if order]


def _pair(data: Dataset, n: int) -> tuple[np.ndarray, np.ndarray]:
    return (few := data.examples("test", n)).images, few.labels


def _of_few(data: Dataset, n: int) -> tuple[np.ndarray, np.ndarray]:
    return (few := data.of_few_classes("test", n)).images, few.labels
