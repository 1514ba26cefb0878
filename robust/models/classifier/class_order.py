"""Whether a model's outputs are in another class order than assumed: a search for the order that fits."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from robust.core.remedies import setting
from robust.core.statistics import mcnemar
from robust.models.classifier.classifier import Classifier
from robust.models.classifier.preprocessing_check import predictions
from robust.results.flags import Reason

FIRST, MOST = 200, 1000  # images: of the first pass, and if another order did better in it
CHANCE, LIKELY = 0.001, 0.05  # p-values: below which another order is clear; below which it is suspected
GAIN = 0.1  # of accuracy, below which nothing is reported
GOOD, SHARE, FLOOR = 0.65, 0.1, 5.0  # accuracy that another order must reach: .65, or with C classes .1 + 5 / C
SURE, OF_FEW, HANDFUL = 0.6, 0.4, 5  # up to 5 classes another order must reach .6 + .4 / C, else it may be errors
WELL, LEFT = 0.5, 0.02  # accuracy, and gain by another order, with which the first pass is enough
NAMED = 30  # classes, up to which a message lists their order
Sampler = Callable[[int], tuple[np.ndarray, np.ndarray]]


class Order(NamedTuple):
    """An order of the classes in which accuracy is far higher: `other` instead of `own`, as shares of n images.

    classes: the class that fits each output; empty if the images do not determine all of them.
    clear: beyond chance, and beyond what the errors of a bad model among few classes may cause?
    """

    classes: tuple[int, ...]
    own: float
    other: float
    n: int
    clear: bool

    @property
    def reason(self) -> Reason:
        """Why no result of the model is reliable."""
        return Reason("wrong_class_order" if self.clear else "class_order_guessed", self.other - self.own, self.n)

    def message(self, names: Sequence[str], how: str = "") -> str:
        """The finding and its remedy, see `robust.core.remedies`; names: of the classes, in the assumed order.

        how: with which pixels, if not the current ones.
        """
        right = (
            f"{self.own:.0%} of {self.n} images{how} are classified correctly with the classes in this order, "
            f"{self.other:.0%} in another"
        )
        chance = "" if self.clear else ", which may be chance or the model's own errors"
        if not self.classes:
            return (
                f"{right}{chance}: give them in the model's order, one per line, as in "
                f"{setting('classes', 'names.txt')}"
            )
        ordered = [names[place] for place in self.classes]
        return f"{right}{chance}: if that is the model's, set {setting('classes', ordered)}"


def better(classifier: Classifier, sample: Sampler, available: int) -> Order | None:
    """The class order that fits the model far better than the assumed one; None if there is none.

    Args:
        classifier: the model. available: how many labelled images there are.
        sample: returns that many of them, several each of a few classes, see
            `robust.datasets.choice.of_few_classes`: images [n, H, W, C] in [0, 1], labels int [n].

    An order is fitted on one half of the images and judged on the other, and the other way round, by McNemar's exact
    test. More images are evaluated only if the first leave a doubt.
    """
    for n in (FIRST, MOST):
        images, labels = sample(min(available, n))
        predicted = predictions(classifier, images)
        if (predicted < 0).any():
            return None
        own, other = predicted == labels, crossed(predicted, labels, classifier.classes)
        if own.mean() >= WELL and other.mean() <= own.mean() + LEFT:
            return None
        if available <= n:
            break
    return _judged(predicted, labels, classifier.classes, own, other)


def _judged(
    predicted: np.ndarray, labels: np.ndarray, classes: int, own: np.ndarray, other: np.ndarray
) -> Order | None:
    shares = float(own.mean()), float(other.mean())
    chance = mcnemar(other, own)
    if shares[1] <= shares[0] + GAIN or shares[1] < min(GOOD, SHARE + FLOOR / classes) or chance >= LIKELY:
        return None
    table = _table(predicted, labels, classes)
    order = fitted(table)
    known = classes <= NAMED and all(table[k, order[k]] for k in range(classes))
    clear = chance < CHANCE and (classes > HANDFUL or shares[1] >= SURE + OF_FEW / classes)
    return Order(tuple(map(int, order)) if known else (), *shares, len(labels), clear=clear)


def crossed(predicted: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """bool [N]: is a prediction correct in the order that fits the other half of the images best?"""
    by_class = np.argsort(labels, kind="stable")
    half = np.zeros(len(labels), int)
    half[by_class] = np.arange(len(labels)) % 2
    right = np.zeros(len(labels), bool)
    for one in (0, 1):
        order = fitted(_table(predicted[half != one], labels[half != one], classes))
        right[half == one] = order[predicted[half == one]] == labels[half == one]
    return right


def _table(predicted: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """How often each prediction was made for each class, float [C, C]."""
    return np.bincount(predicted * classes + labels, minlength=classes**2).reshape(classes, classes).astype(float)


def fitted(table: np.ndarray) -> np.ndarray:
    """The class of each output, int [C], for the most correct predictions; unchanged where there is no evidence."""
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment(table + 1e-3 * np.eye(len(table)), maximize=True)[1]
