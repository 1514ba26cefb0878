"""Quick checks of a third-party model: does it get its pixels and classes as it was trained?"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import numpy as np
import tensorflow as tf

from robust.datasets.dataset import Dataset
from robust.models.classifier import Classifier, class_order, independence, logit_scale, preprocessing_check
from robust.models.classifier.class_order import Order
from robust.results.flags import FLAGS, Reason
from robust.suite.preprocessing import Preprocessing

_TOO_MANY = (tf.errors.ResourceExhaustedError, MemoryError)  # the evaluation reports it, and uses smaller batches


@dataclass(frozen=True)
class _Doubt:
    """Why no result of the model is reliable, and what to do about it."""

    reason: Reason
    words: str


def at(classifier: Classifier, data: Dataset) -> tuple[list[str], list[str]]:
    """Notes on how the model is evaluated, and doubts, which flag all of its results, also set in `Classifier.doubts`.

    Does it get its pixels in the format it was trained with, and do its outputs match the classes? One error may hide
    the other: if the pixels are in doubt, the classes are also checked with the pixels that fit better; if nothing
    else explains a low accuracy, they are checked with every other pixel format.
    """
    if classifier.is_black_box:  # whether it gives probabilities is decided on these, not on synthetic images
        with suppress(*_TOO_MANY):
            preprocessing_check.predictions(classifier, data.first("test", preprocessing_check.SMALL))
    notes, found = [*independence.examine(classifier, data.first("test", independence.IMAGES))], []
    with suppress(*_TOO_MANY):
        found = [*_doubts(classifier, data)]
    classifier.doubts = tuple(doubt.reason for doubt in found)
    return notes, [doubt.words for doubt in found]


def _doubts(classifier: Classifier, data: Dataset) -> Iterator[_Doubt]:
    pixels = preprocessing_check.better(classifier, partial(_pair, data), data.size("test"))
    order = class_order.better(classifier, partial(_of_few, data), data.size("test"))
    if pixels and not (order and order.other > pixels.other):
        yield _Doubt(pixels.reason, pixels.message)
        others = orders(classifier, data, pixels.preprocessing[:1], data.size("test"))
    else:
        others = [] if order else orders(classifier, data, _ways(classifier, data), class_order.FIRST)
    way, order = max(others, key=lambda pair: pair[1].other, default=(None, order))
    if order:
        how = f", evaluated with pixels {way}," if way else ""
        too = f"; and {preprocessing_check.as_setting(way)}" if way and not pixels else ""
        yield _Doubt(order.reason, order.message(data.classes, how) + too)
    if pixels:  # the scale of its outputs means nothing with wrong pixels
        return
    if scale := logit_scale.found(classifier, data.first("test", preprocessing_check.FIRST)):
        yield _Doubt(scale, f"{scale}; {FLAGS[scale.name].remedy}")


def _ways(classifier: Classifier, data: Dataset) -> Sequence[Preprocessing]:
    """The other pixel formats to try, if accuracy is low with the current one."""
    images, labels = _of_few(data, min(data.size("test"), class_order.FIRST))
    is_low = (preprocessing_check.predictions(classifier, images) == labels).mean() < class_order.WELL
    return preprocessing_check.ways(classifier, images) if is_low else ()


def orders(
    classifier: Classifier, data: Dataset, ways: Sequence[Preprocessing], most: int
) -> list[tuple[Preprocessing, Order]]:
    """The pixel formats, of these, with which another class order fits far better."""
    sample, available = partial(_of_few, data), min(data.size("test"), most)
    found = [(way, class_order.better(classifier.with_preprocessing(way), sample, available)) for way in ways]
    return [(way, order) for way, order in found if order]


def _pair(data: Dataset, n: int) -> tuple[np.ndarray, np.ndarray]:
    return (few := data.examples("test", n)).images, few.labels


def _of_few(data: Dataset, n: int) -> tuple[np.ndarray, np.ndarray]:
    return (few := data.of_few_classes("test", n)).images, few.labels
