"""The unchecked outputs of a model, and central differences of its margins."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from robust.attacks import losses
from robust.attacks.iterative import Task
from robust.models.classifier import Classifier

_CELLS = 4  # per side of a coarse grid


def outputs_of(classifier: Classifier, images: np.ndarray) -> np.ndarray:
    """The outputs [N, C] as they are: `Classifier.logits` would refuse some that are checked here."""
    forward = classifier.compiled("logits", lambda: classifier.__call__)
    batches = classifier.batches(images)
    classifier.count(n_forward=sum(map(len, batches)))
    return np.concatenate([forward(tf.constant(b, classifier.dtype)).numpy() for b in batches])[: len(images)]


def margins_of(outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The largest other logit minus the label's, [N]."""
    classes = tf.constant(labels)
    return losses.margin(tf.constant(outputs), classes, classes).numpy()


def random_signs(shape: tuple[int, ...], ways: int) -> Iterator[np.ndarray]:
    """Random signs, one for each number of the image [H, W, C]: always the same."""
    rng = np.random.default_rng(0)
    for _ in range(ways):
        yield rng.choice([-1.0, 1.0], shape)


def coarse_signs(shape: tuple[int, ...], ways: int) -> Iterator[np.ndarray]:
    """Random signs, one for each of 4 x 4 blocks of each channel: averages over places do not cancel these.

    >>> signs = next(coarse_signs((8, 8, 1), 1))
    >>> bool((signs == signs[::2, ::2].repeat(2, axis=0).repeat(2, axis=1)).all())
    True
    """
    height, width, channels = shape
    down, right = (np.arange(size) * _CELLS // size for size in (height, width))
    for signs in random_signs((_CELLS, _CELLS, channels), ways):
        yield signs[down][:, right]


def central_difference(task: Task, step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The difference of image + step and image - step within the box, [N, H, W, C], and of their margins, float64 [N].

    Curvature that is equal on both sides cancels.
    """
    there, back = (np.clip(task.images + way, 0, 1).astype(task.images.dtype) for way in (step, -step))
    ends = [margins_of(outputs_of(task.classifier, each), task.labels).astype(np.float64) for each in (there, back)]
    return there - back, ends[0] - ends[1]


def explained(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The share of the squares of `one` [ways, N] that `other` explains, up to a factor, [N]: 1 if all.

    >>> explained(np.array([[1.0, 1.0], [2.0, 0.0]]), np.array([[2.0, 0.0], [4.0, 1.0]])).round(6).tolist()
    [1.0, 0.0]
    """
    room = (one**2).sum(axis=0) * (other**2).sum(axis=0)
    return (one * other).sum(axis=0) ** 2 / np.maximum(room, np.finfo(float).tiny)
