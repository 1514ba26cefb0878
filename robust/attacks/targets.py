"""The target classes of an attack: from the setting of a suite to one class per image."""

from collections.abc import Mapping

import numpy as np

from robust.core.errors import SuiteError, suggest
from robust.core.randomness import image_seeds
from robust.core.remedies import setting
from robust.core.types import ALL

WORDS = ("least-likely", "random", "next")
MOST = 20  # classes of which all pairs are tried: 380 pairs


def check(target: str | Mapping[str, str], classes: tuple[str, ...]) -> None:
    """Raise SuiteError for a target that is neither one of WORDS, nor "all", nor made of the data's classes."""
    if target == ALL:
        _few_enough(classes)
        return
    named = [*target.keys(), *target.values()] if isinstance(target, Mapping) else [target]
    for name in named:
        if name not in classes and (isinstance(target, Mapping) or name not in WORDS):
            allowed = classes if isinstance(target, Mapping) else (*WORDS, ALL, *classes)
            raise SuiteError(f"target: there is no class {name!r}{suggest(name, allowed)}", "attack.target")


def _few_enough(classes: tuple[str, ...]) -> None:
    n = len(classes)
    if n > MOST:
        reason = f"would attack every image once for each of {n - 1} classes, and is limited to {MOST} classes"
        write = setting("target", {classes[0]: classes[1]})
        raise SuiteError(f'target: "all" {reason}; write the pairs that you need: {write}', "attack.target")


def pairs(labels: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """For the target "all": rows of images and their target classes; each image once per class other than its label.

    >>> pairs(np.array([0, 2]), 3)
    (array([0, 0, 1, 1]), array([1, 2, 0, 1]))
    """
    images, chosen = np.nonzero(np.arange(classes)[None, :] != labels[:, None])
    return images, chosen


def choose(
    target: str | Mapping[str, str],
    classes: tuple[str, ...],
    labels: np.ndarray,
    logits: np.ndarray,
    seed: int,
    ids: np.ndarray,
) -> np.ndarray:
    """A target class for each image, -1 for images that this target excludes.

    "least-likely": the class other than the label with the smallest clean logit (Kurakin et al., 2017), so that no
    image is excluded because it was misclassified before; "random": any class other than the label, by the image's
    seed; "next": label + 1, and the first class after the last; the name of a class: that one, for all images of
    other classes; {Sandal = "Sneaker"}: for the images of Sandal only.

    >>> choose("next", ("a", "b"), np.array([0, 1]), np.zeros((2, 2)), 0, np.array(["x", "y"]))
    array([1, 0])
    """
    number = {name: i for i, name in enumerate(classes)}
    if isinstance(target, Mapping):
        mapped = {number[source]: number[name] for source, name in target.items()}
        chosen = np.array([mapped.get(label, -1) for label in labels.tolist()])
    elif target == "least-likely":
        chosen = np.where(np.arange(len(classes)) == labels[:, None], np.inf, logits).argmin(axis=1)
    elif target == "next":
        chosen = (labels + 1) % len(classes)
    elif target == "random":
        draws = image_seeds(seed, "target", ids.tolist()).view(np.uint64) % np.uint64(len(classes) - 1)
        chosen = (labels + 1 + draws.astype(np.int64)) % len(classes)
    else:
        chosen = np.full(len(labels), number[target])
    return np.where(chosen == labels, -1, chosen).astype(np.int64)
