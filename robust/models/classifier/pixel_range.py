"""Whether a model is asked for its pixels in the wrong way: every other usual way is tried on labelled images."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from robust.core.errors import ModelError
from robust.core.interface import setting, worded
from robust.core.statistics import mcnemar
from robust.models.classifier.classifier import Classifier
from robust.models.classifier.inputs import DECLARED, is_said
from robust.results.flags import Reason
from robust.suite.preprocessing import MODES, Preprocessing

OTHERS = (Preprocessing(), Preprocessing(0.0, 255.0), *MODES.values())
FIRST, MOST = 100, 1000  # images: of the first look, and where another way did better in it
ROOM = 2**26  # numbers that these images may hold together
CHANCE = 0.001  # of accusing a way that is as good
LIKELY, FEW, OF_FEW = 0.05, 20, 0.25  # chance of a suspicion; of fewer images than these; and then
SAID = 0.01  # chance of a suspicion against what the user or the model says
SEES = 0.05  # chance of believing a model that sees nothing
SMALL = 25  # images at once
GAIN = 0.05  # of accuracy, below which nothing is said
MUCH = 0.2  # of accuracy, below which a model that sees what was declared is taken at its user's word, with a doubt
Sampler = Callable[[int], tuple[np.ndarray, np.ndarray]]


class Better(NamedTuple):
    """Ways to give the pixels in which the model is right more often: by how much, as shares of n images.

    asked: the way it is asked in. pixels: the best, and those that are about as good. clear: more than chance?
    declared: did the user say that it be asked so, and does it see?
    """

    asked: Preprocessing
    preprocessing: tuple[Preprocessing, ...]
    own: float
    other: float
    n: int
    clear: bool = True
    declared: bool = False

    @property
    def contradicts(self) -> bool:
        """Is a declaration in doubt, which averages of batch normalisation that have not settled would bring about?"""
        return self.clear and self.declared and self.other - self.own < MUCH

    @property
    def reason(self) -> Reason:
        """Why no number of the model is reliable."""
        if self.contradicts:
            return Reason("preprocessing_contradicted", self.other - self.own, self.n)
        return Reason("wrong_preprocessing" if self.clear else "preprocessing_guessed", self.other - self.own, self.n)

    def __str__(self) -> str:
        """The same, in the words of the interface in force."""
        return worded(self.told)

    @property
    def told(self) -> str:
        """What to do about it, see `robust.core.interface`."""
        found = " or ".join(str(each) for each in self.preprocessing)
        right = f"{self.own:.0%} of {self.n} images are right with pixels {self.asked}, {self.other:.0%} with {found}"
        if not self.clear:
            return f"{right}, which may be chance: declare what it was trained with, as in {declared(self.asked)}"
        if self.contradicts:
            return f"{right}, against what was declared: make sure of it; unsettled batch normalisation looks the same"
        if len(self.preprocessing) > 1:
            return f"{right}, about as many: find out what it was trained with, and declare it"
        return f"{right}: if that is meant, say {declared(self.preprocessing[0])}"


def declared(pixels: Preprocessing) -> str:
    """As it is declared."""
    named = next((name for name, mode in MODES.items() if mode == pixels and mode.mean), "")
    return setting(
        "preprocessing", named or [int(end) if end == int(end) else end for end in (pixels.low, pixels.high)]
    )


def answers(classifier: Classifier, images: np.ndarray) -> np.ndarray:
    """The likeliest classes, int [N], asked in small batches and outside of any graph.

    -1 where an answer is NaN or infinite; everywhere, where it fails.
    """
    try:
        logits = outputs(classifier, images)
    except ModelError:  # a function may refuse what lies outside of its range
        return np.full(len(images), -1)
    if logits.ndim != 2:
        return np.full(len(images), -1)
    return np.where(np.isfinite(logits).all(axis=1), logits.argmax(axis=1), -1)


def outputs(classifier: Classifier, images: np.ndarray) -> np.ndarray:
    """What it gives for each image, asked in small batches and outside of any graph; neither checked nor counted."""
    size = classifier.batch_size if classifier.has_fixed_batch else SMALL
    parts = [np.resize(images[i : i + size], (size, *images.shape[1:])) for i in range(0, len(images), size)]
    return np.concatenate([classifier(tf.constant(part, classifier.dtype)).numpy() for part in parts])[: len(images)]


def sees(answers: np.ndarray, labels: np.ndarray) -> bool:
    """Is it right more often than by chance, given how often it answers with each class?"""
    from scipy.stats import binom

    chance = sum(float((answers == k).mean() * (labels == k).mean()) for k in np.unique(labels))
    return bool(binom.sf((answers == labels).sum() - 1, len(labels), chance) < SEES)


def better(classifier: Classifier, look: Sampler, available: int) -> Better | None:
    """The way to give its pixels that suits the model better than the one it is asked in; None where none does.

    Args:
        classifier: the model. available: how many labelled images there are.
        look: gives so many of them: images [n, H, W, C] in [0, 1], and labels int [n].

    By McNemar's exact test on the images that the model has right in one way alone. More images are asked about only
    where a first hundred leave a doubt.
    """
    images, labels = look(min(available, FIRST))
    answered = answers(classifier, images)
    own, others = answered == labels, _others(classifier, images, labels, ways(classifier, images))
    at_its_word = classifier.understood[-1].endswith(DECLARED) and sees(answered, labels)
    more = int(np.clip(ROOM // np.prod(images.shape[1:]), FIRST, MOST))
    above = [way for way, right in others.items() if right.sum() > own.sum()]
    if above and len(images) < min(available, more):
        images, labels = look(min(available, more))
        own, others = answers(classifier, images) == labels, _others(classifier, images, labels, above)
    found = _best(classifier, own, others)
    return found and found._replace(declared=at_its_word)


def of_one(classifier: Classifier, image: np.ndarray, names: Sequence[str]) -> str:
    """What it takes one image [1, H, W, C] for with other pixels; "" where all agree, or it is said which it wants."""
    if is_said(classifier.understood):
        return ""
    [own] = answers(classifier, image)
    found = {
        way: k for way, [k] in _otherwise(classifier, image, ways(classifier, image)).items() if k not in (own, -1)
    }
    if not found:
        return ""
    others = ", ".join(f"{names[k]} with pixels {way}" for way, k in found.items())
    first = next(iter(found))
    return f"the image is {names[own]} with these pixels, {others}: say which, as in {declared(first)}"


def ways(classifier: Classifier, images: np.ndarray) -> list[Preprocessing]:
    """Every other usual way to give these images to it."""
    asked = classifier.preprocessing._replace(layout="channels_last")
    return [way for way in OTHERS if way != asked and len(way.mean) in (0, images.shape[3])]


def _otherwise(
    classifier: Classifier, images: np.ndarray, ways: list[Preprocessing]
) -> dict[Preprocessing, np.ndarray]:
    return {way: answers(classifier.wanting(way), images) for way in ways}


def _others(
    classifier: Classifier, images: np.ndarray, labels: np.ndarray, ways: list[Preprocessing]
) -> dict[Preprocessing, np.ndarray]:
    found = _otherwise(classifier, images, ways)
    return {way: (answers == labels) & sees(answers, labels) for way, answers in found.items()}


def _best(classifier: Classifier, own: np.ndarray, others: dict[Preprocessing, np.ndarray]) -> Better | None:
    n = len(own)
    doubt = SAID if is_said(classifier.understood) else OF_FEW if n < FEW else LIKELY
    gains = {way: right for way, right in others.items() if right.mean() >= own.mean() + GAIN}
    for chance in (CHANCE, doubt):
        if found := {way: right for way, right in gains.items() if mcnemar(right, own) < chance}:
            best = max(found, key=lambda way: found[way].sum())
            like = [w for w in found if w != best and mcnemar(found[best], found[w]) >= LIKELY]
            shares = float(own.mean()), float(found[best].mean())
            return Better(classifier.preprocessing, (best, *like), *shares, n, clear=chance == CHANCE)
    return None
