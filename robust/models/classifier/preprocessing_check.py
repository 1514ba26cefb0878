"""Whether a model gets its pixels in the wrong format: every other usual format is tried on labelled images."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from robust.core.errors import ModelError
from robust.core.remedies import formatted, setting
from robust.core.statistics import mcnemar
from robust.models.classifier.classifier import Classifier
from robust.models.classifier.inputs import DECLARED, is_stated
from robust.results.flags import Reason
from robust.suite.preprocessing import MODES, Preprocessing

OTHERS = (Preprocessing(), Preprocessing(0.0, 255.0), *MODES.values())
FIRST, MOST = 100, 1000  # images: of the first pass, and if another format did better in it
ROOM = 2**26  # numbers that these images may hold together
CHANCE = 0.001  # p-value, below which another format is clear
LIKELY, FEW, OF_FEW = 0.05, 20, 0.25  # p-value, below which one is suspected; with fewer images than these; and then
STATED = 0.01  # p-value, below which one is suspected against what the user or the model states
SEES = 0.05  # p-value, below which a model is better than chance
SMALL = 25  # images at once
GAIN = 0.05  # of accuracy, below which nothing is reported
MUCH = 0.2  # of accuracy, below which a declaration is kept, with a doubt, if the model beats chance with it
Sampler = Callable[[int], tuple[np.ndarray, np.ndarray]]


class Better(NamedTuple):
    """Pixel formats in which accuracy is higher: `other` instead of `own`, as shares of n images.

    used: the format in use. preprocessing: the best, and those that are about as good. clear: beyond chance?
    declared: did the user declare the format in use, and is the model better than chance with it?
    """

    used: Preprocessing
    preprocessing: tuple[Preprocessing, ...]
    own: float
    other: float
    n: int
    clear: bool = True
    declared: bool = False

    @property
    def contradicts(self) -> bool:
        """Is a declaration in doubt? Averages of batch normalisation that have not settled have the same effect."""
        return self.clear and self.declared and self.other - self.own < MUCH

    @property
    def reason(self) -> Reason:
        """Why no result of the model is reliable."""
        if self.contradicts:
            return Reason("preprocessing_contradicted", self.other - self.own, self.n)
        return Reason("wrong_preprocessing" if self.clear else "preprocessing_guessed", self.other - self.own, self.n)

    def __str__(self) -> str:
        """The message, in the words of the current interface."""
        return formatted(self.message)

    @property
    def message(self) -> str:
        """The finding and its remedy, see `robust.core.remedies`."""
        found = " or ".join(str(each) for each in self.preprocessing)
        right = (
            f"{self.own:.0%} of {self.n} images are classified correctly with pixels {self.used}, "
            f"{self.other:.0%} with {found}"
        )
        if not self.clear:
            return f"{right}, which may be chance: declare what it was trained with, as in {as_setting(self.used)}"
        if self.contradicts:
            return f"{right}, contrary to the declaration: check it; unsettled batch normalisation has the same effect"
        if len(self.preprocessing) > 1:
            return f"{right}, about as many: find out what it was trained with, and declare it"
        return f"{right}: if that is intended, set {as_setting(self.preprocessing[0])}"


def as_setting(pixels: Preprocessing) -> str:
    """How the pixels are declared."""
    named = next((name for name, mode in MODES.items() if mode == pixels and mode.mean), "")
    return setting(
        "preprocessing", named or [int(end) if end == int(end) else end for end in (pixels.low, pixels.high)]
    )


def predictions(classifier: Classifier, images: np.ndarray) -> np.ndarray:
    """The predicted classes, int [N], computed in small batches and outside of any graph.

    -1 where an output is NaN or infinite; everywhere, if the model fails.
    """
    try:
        logits = outputs(classifier, images)
    except ModelError:  # a function may refuse what is outside of its range
        return np.full(len(images), -1)
    if logits.ndim != 2:
        return np.full(len(images), -1)
    return np.where(np.isfinite(logits).all(axis=1), logits.argmax(axis=1), -1)


def outputs(classifier: Classifier, images: np.ndarray) -> np.ndarray:
    """The outputs for each image, computed in small batches and outside of any graph; neither checked nor counted."""
    size = classifier.batch_size if classifier.has_fixed_batch else SMALL
    parts = [np.resize(images[i : i + size], (size, *images.shape[1:])) for i in range(0, len(images), size)]
    return np.concatenate([classifier(tf.constant(part, classifier.dtype)).numpy() for part in parts])[: len(images)]


def beats_chance(predicted: np.ndarray, labels: np.ndarray) -> bool:
    """Is accuracy above chance, given how often each class is predicted?"""
    from scipy.stats import binom

    chance = sum(float((predicted == k).mean() * (labels == k).mean()) for k in np.unique(labels))
    return bool(binom.sf((predicted == labels).sum() - 1, len(labels), chance) < SEES)


def better(classifier: Classifier, sample: Sampler, available: int) -> Better | None:
    """The pixel format that fits the model better than the one in use; None if there is none.

    Args:
        classifier: the model. available: how many labelled images there are.
        sample: returns that many of them: images [n, H, W, C] in [0, 1], and labels int [n].

    By McNemar's exact test on the images that are correct in one format alone. More images are evaluated only if the
    first hundred leave a doubt.
    """
    images, labels = sample(min(available, FIRST))
    predicted = predictions(classifier, images)
    own, others = predicted == labels, _others(classifier, images, labels, ways(classifier, images))
    is_declared = classifier.notes[-1].endswith(DECLARED) and beats_chance(predicted, labels)
    more = int(np.clip(ROOM // np.prod(images.shape[1:]), FIRST, MOST))
    above = [way for way, right in others.items() if right.sum() > own.sum()]
    if above and len(images) < min(available, more):
        images, labels = sample(min(available, more))
        own, others = predictions(classifier, images) == labels, _others(classifier, images, labels, above)
    found = _best(classifier, own, others)
    return found and found._replace(declared=is_declared)


def for_one_image(classifier: Classifier, image: np.ndarray, names: Sequence[str]) -> str:
    """The class of one image [1, H, W, C] with other pixels; "" if all agree, or the format is declared or known."""
    if is_stated(classifier.notes):
        return ""
    [own] = predictions(classifier, image)
    found = {
        way: k for way, [k] in _otherwise(classifier, image, ways(classifier, image)).items() if k not in (own, -1)
    }
    if not found:
        return ""
    others = ", ".join(f"{names[k]} with pixels {way}" for way, k in found.items())
    first = next(iter(found))
    return (
        f"the image is classified as {names[own]} with these pixels, {others}: declare one, as in {as_setting(first)}"
    )


def ways(classifier: Classifier, images: np.ndarray) -> list[Preprocessing]:
    """Every other usual pixel format for these images."""
    used = classifier.preprocessing._replace(layout="channels_last")
    return [way for way in OTHERS if way != used and len(way.mean) in (0, images.shape[3])]


def _otherwise(
    classifier: Classifier, images: np.ndarray, ways: list[Preprocessing]
) -> dict[Preprocessing, np.ndarray]:
    return {way: predictions(classifier.with_preprocessing(way), images) for way in ways}


def _others(
    classifier: Classifier, images: np.ndarray, labels: np.ndarray, ways: list[Preprocessing]
) -> dict[Preprocessing, np.ndarray]:
    found = _otherwise(classifier, images, ways)
    return {way: (predicted == labels) & beats_chance(predicted, labels) for way, predicted in found.items()}


def _best(classifier: Classifier, own: np.ndarray, others: dict[Preprocessing, np.ndarray]) -> Better | None:
    n = len(own)
    doubt = STATED if is_stated(classifier.notes) else OF_FEW if n < FEW else LIKELY
    gains = {way: right for way, right in others.items() if right.mean() >= own.mean() + GAIN}
    for chance in (CHANCE, doubt):
        if found := {way: right for way, right in gains.items() if mcnemar(right, own) < chance}:
            best = max(found, key=lambda way: found[way].sum())
            like = [w for w in found if w != best and mcnemar(found[best], found[w]) >= LIKELY]
            shares = float(own.mean()), float(found[best].mean())
            return Better(classifier.preprocessing, (best, *like), *shares, n, clear=chance == CHANCE)
    return None
