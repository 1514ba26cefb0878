"""Selection of a subset of the images: at random, by a hash of their ids."""

from collections.abc import Sequence

import numpy as np

from robust.core.errors import DataError
from robust.core.randomness import image_seeds
from robust.core.remedies import setting


def chosen(ids: Sequence[str], labels: np.ndarray, images: int, seed: int = 0, balanced: bool = False) -> np.ndarray:
    """bool [N]: `images` of them, in proportion to the classes, so that a mean over them estimates that over all.

    Args:
        ids: unique, [N]; whether an image is chosen depends on the ids of its split, not on their order or their files.
        labels: int [N], the classes, within which the choice is random.
        images: the number, from 0 to N. A larger choice contains the smaller ones.
        seed: of the choice.
        balanced: the same number of each class instead; what a small class lacks is taken from the others.

    The images of each class are put in random order, evenly spaced over [0, 1] from a random start, and the lowest are
    taken: systematic sampling within strata (Cochran, Sampling Techniques, 3rd edition, 1977, chapters 5 and 8).

    >>> labels = np.array([0] * 900 + [1] * 100)
    >>> ids = [f"{i}" for i in range(1000)]
    >>> np.bincount(labels[chosen(ids, labels, 100)]), np.bincount(labels[chosen(ids, labels, 100, balanced=True)])
    (array([90, 10]), array([50, 50]))
    """
    draw = image_seeds(seed, "choice", ids)
    order = np.lexsort((draw, labels))  # class by class
    _, first, place, size = np.unique(
        np.asarray(labels)[order], return_index=True, return_inverse=True, return_counts=True
    )
    begin = image_seeds(seed, "begin", [ids[row] for row in order[first]]) / 2.0**64 + 0.5  # uniform on [0, 1)
    turn = np.arange(len(order)) - first[place] + begin[place]
    taken = np.zeros(len(order), bool)
    taken[order[np.argsort(turn if balanced else turn / size[place], kind="stable")[:images]]] = True
    return taken


def check_balanced(labels: np.ndarray, images: int, classes: Sequence[str]) -> None:
    """Raise DataError where a class has too few images for a balanced choice, whose classes would be unequal.

    >>> check_balanced(np.array([0, 0, 0, 0, 1]), 4, ("cat", "dog"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    robust.core.errors.DataError: 4 images, balanced, are 2 of each of 2 classes, and 'dog' has 1; set max_images=3 ...
    """
    there, counts = np.unique(labels, return_counts=True)
    least = int(counts.argmin())
    if (each := images // len(there)) > counts[least]:
        most = setting("max_images", int(len(there) * (counts[least] + 1) - 1))
        short = f"{classes[there[least]]!r} has {counts[least]}"
        what = f"{images} images, balanced, are {each} of each of {len(there)} classes"
        raise DataError(f"{what}, and {short}; set {most} at most")


def of_few_classes(ids: Sequence[str], labels: np.ndarray, images: int, each: int = 10, least: int = 20) -> np.ndarray:
    """bool [N]: `images` of them, or as many as there are, from few classes, so that there are about `each` per class.

    least: the minimum number of classes (or all). The same number of each; where all classes fit, as `chosen`.

    >>> labels = np.repeat(np.arange(1000), 50)
    >>> taken = of_few_classes([f"{i}" for i in range(50_000)], labels, 200)
    >>> sorted(set(np.bincount(labels[taken]).tolist()))
    [0, 10]
    """
    there = np.unique(labels)
    order = np.argsort(image_seeds(0, "classes", [str(label) for label in there]))
    among = np.flatnonzero(np.isin(labels, there[order[: max(images // each, least)]]))
    taken = np.zeros(len(labels), bool)
    taken[among] = chosen([ids[row] for row in among.tolist()], labels[among], images, balanced=True)
    return taken
