"""Whether a model's outputs stand for the classes in another order than is taken: the order that fits is looked for."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from robust.core.interface import setting
from robust.core.statistics import mcnemar
from robust.models.classifier.classifier import Classifier
from robust.models.classifier.pixel_range import answers
from robust.results.flags import Reason

FIRST, MOST = 200, 1000  # images: of the first look, and where another order did better in it
CHANCE, LIKELY = 0.001, 0.05  # of accusing an order that is as good; of suspecting one
GAIN = 0.1  # of accuracy, below which nothing is said
GOOD, SHARE, FLOOR = 0.65, 0.1, 5.0  # accuracy that another order must reach: .65, or with C classes .1 + 5 / C
SURE, OF_FEW, HANDFUL = 0.6, 0.4, 5  # up to 5 classes another order must reach .6 + .4 / C, or errors may look like it
WELL, LEFT = 0.5, 0.02  # accuracy, and gain by another order, with which a first look is enough
NAMED = 30  # classes, above which their order fills no line
Sampler = Callable[[int], tuple[np.ndarray, np.ndarray]]


class Order(NamedTuple):
    """An order of the classes in which the model is right far more often: by how much, as shares of n images.

    classes: of each output the class that fits it; empty where the images do not tell all of them.
    clear: more than chance, and more than the errors of a bad model among few classes may look like?
    """

    classes: tuple[int, ...]
    own: float
    other: float
    n: int
    clear: bool

    @property
    def reason(self) -> Reason:
        """Why no number of the model is reliable."""
        return Reason("wrong_class_order" if self.clear else "class_order_guessed", self.other - self.own, self.n)

    def told(self, names: Sequence[str], asked: str = "") -> str:
        """What to do about it, see `robust.core.interface`; names: of the classes, in the order that was taken.

        asked: how, if not as usual.
        """
        right = (
            f"{self.own:.0%} of {self.n} images{asked} are right with the classes in this order, {self.other:.0%} in "
            "another"
        )
        chance = "" if self.clear else ", which may be chance or the model's own errors"
        if not self.classes:
            return (
                f"{right}{chance}: give them in the model's order, as in {setting('classes', 'names.txt')}, one a line"
            )
        found = [names[place] for place in self.classes]
        return f"{right}{chance}: if that is the model's, say {setting('classes', found)}"


def better(classifier: Classifier, look: Sampler, available: int) -> Order | None:
    """The order of the classes that suits the model far better than the one that is taken; None where none does.

    Args:
        classifier: the model. available: how many labelled images there are.
        look: gives so many of them, of few classes several, see `robust.datasets.choice.of_few_classes`: images
            [n, H, W, C] in [0, 1], labels int [n].

    An order is fitted on one half of the images and judged on the other, and the other way round, by McNemar's exact
    test. More images are asked about only where the first leave a doubt.
    """
    for n in (FIRST, MOST):
        images, labels = look(min(available, n))
        said = answers(classifier, images)
        if (said < 0).any():
            return None
        own, other = said == labels, crossed(said, labels, classifier.classes)
        if own.mean() >= WELL and other.mean() <= own.mean() + LEFT:
            return None
        if available <= n:
            break
    return _judged(said, labels, classifier.classes, own, other)


def _judged(said: np.ndarray, labels: np.ndarray, classes: int, own: np.ndarray, other: np.ndarray) -> Order | None:
    shares = float(own.mean()), float(other.mean())
    chance = mcnemar(other, own)
    if shares[1] <= shares[0] + GAIN or shares[1] < min(GOOD, SHARE + FLOOR / classes) or chance >= LIKELY:
        return None
    table = _table(said, labels, classes)
    order = fitted(table)
    known = classes <= NAMED and all(table[k, order[k]] for k in range(classes))
    clear = chance < CHANCE and (classes > HANDFUL or shares[1] >= SURE + OF_FEW / classes)
    return Order(tuple(map(int, order)) if known else (), *shares, len(labels), clear=clear)


def crossed(said: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """bool [N]: is an answer right in the order that fits the other half of the images best?"""
    by_class = np.argsort(labels, kind="stable")
    half = np.zeros(len(labels), int)
    half[by_class] = np.arange(len(labels)) % 2
    right = np.zeros(len(labels), bool)
    for one in (0, 1):
        order = fitted(_table(said[half != one], labels[half != one], classes))
        right[half == one] = order[said[half == one]] == labels[half == one]
    return right


def _table(said: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """How often each answer came to each class, float [C, C]."""
    return np.bincount(said * classes + labels, minlength=classes**2).reshape(classes, classes).astype(float)


def fitted(table: np.ndarray) -> np.ndarray:
    """Of each answer its class, int [C], so that as many as can be are right; where nothing tells, as they are."""
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment(table + 1e-3 * np.eye(len(table)), maximize=True)[1]
