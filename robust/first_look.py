"""What a first look at a model from elsewhere shows: is it asked as it was trained?"""

from contextlib import suppress

import numpy as np
import tensorflow as tf

from robust.classifier import Classifier, class_order, pixel_range, steady
from robust.datasets.dataset import Dataset


def at(classifier: Classifier, data: Dataset) -> tuple[list[str], list[str]]:
    """Notes on how it is asked, and doubts, which mark every number of it, in `Classifier.doubts`, too.

    Is it asked for its pixels in the way that suits it, and are the classes those of its outputs? Where the pixels are
    in doubt the answers tell nothing of the classes.
    """
    notes = [*steady.examine(classifier, data.first("test", 1))]
    with suppress(tf.errors.ResourceExhaustedError, MemoryError):  # the case will be told, and go on with fewer
        if pixels := pixel_range.better(classifier, lambda n: _pair(data, n), data.size("test")):
            classifier.doubts = (pixels.reason,)
            return notes, [str(pixels)]
        if classes := class_order.better(classifier, lambda n: _of_few(data, n), data.size("test")):
            classifier.doubts = (classes.reason,)
            return notes, [classes.told(data.classes)]
    return notes, []


def _pair(data: Dataset, n: int) -> tuple[np.ndarray, np.ndarray]:
    return (few := data.examples("test", n)).images, few.labels


def _of_few(data: Dataset, n: int) -> tuple[np.ndarray, np.ndarray]:
    return (few := data.of_few_classes("test", n)).images, few.labels
