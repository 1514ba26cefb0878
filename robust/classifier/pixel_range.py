"""Whether a model that does not say how it wants its pixels is asked in the wrong range."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from robust.classifier.classifier import Classifier
from robust.classifier.inputs import UNSAID
from robust.pixels import Pixels
from robust.statistics import mcnemar

OTHERS = (Pixels(0.0, 255.0), Pixels(-1.0, 1.0))
CHANCE = 0.001  # of accusing a range that is as good
SMALL = 25  # images at once
GAIN = 0.1  # of accuracy, below which nothing is said


class Better(NamedTuple):
    """A range in which the model is right more often: by how much, as shares of n images."""

    pixels: Pixels
    own: float
    other: float
    n: int

    def __str__(self) -> str:
        """What to do about it."""
        low, high = self.pixels.low, self.pixels.high
        right = f"{self.own:.0%} of {self.n} images are right with pixels [0, 1], {self.other:.0%} with {self.pixels}"
        return f"{right}: if that is meant, say pixels = [{low:g}, {high:g}]"


def _answers(classifier: Classifier, images: np.ndarray) -> np.ndarray:
    """The likeliest classes, asked in small batches and outside of any graph; -1 where there are no such numbers."""
    size = classifier.batch_size if classifier.has_fixed_batch else SMALL
    found = []
    for i in range(0, len(images), size):
        batch = np.resize(images[i : i + size], (size, *images.shape[1:]))
        logits = classifier(tf.constant(batch, classifier.dtype)).numpy()[: len(images) - i]
        found.append(logits.argmax(axis=1) if logits.ndim == 2 else np.full(len(logits), -1))
    return np.concatenate(found)


def better(classifier: Classifier, images: np.ndarray, labels: np.ndarray) -> Better | None:
    """The range that suits the model clearly better than the [0, 1] that was assumed; None where that was said.

    Args:
        classifier: the model. images: [N, H, W, C] in [0, 1]. labels: int [N].

    Clearly: by McNemar's exact test on the images that the model has right in one range alone.
    """
    if classifier.is_black_box or not classifier.understood[-1].endswith(UNSAID):
        return None
    own = _answers(classifier, images) == labels
    for pixels in OTHERS:
        other = _answers(classifier.wanting(pixels), images) == labels
        if other.mean() > own.mean() + GAIN and mcnemar(other, own) < CHANCE:
            return Better(pixels, float(own.mean()), float(other.mean()), len(labels))
    return None
