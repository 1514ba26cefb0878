"""Does a model from elsewhere answer for each image by itself, and leave itself as it was?"""

import numpy as np
import tensorflow as tf

from robust.classifier import Classifier
from robust.errors import ModelError

_ROUNDING = 1e-3  # of the spread of the logits: what another order of sums may change


def examine(classifier: Classifier, images: np.ndarray) -> tuple[str, ...]:
    """Ask about an image beside another one, again, and beside itself; say what is unusual.

    Args:
        images: [N, H, W, C] in [0, 1], of which the first is looked at.

    Raises ModelError where being asked changes the model, and where an answer hangs on the company: a batch
    normalisation in training mode does both. Answers that differ by chance are told, not refused.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    >>> examine(Classifier(model, 3), np.zeros((1, 2, 2, 1), "float32"))
    ()
    """
    name, image = classifier.model.name, images[0]
    states, other = _states(classifier), _beside(classifier, image)
    apart = _answers(classifier, image, other)
    if any(not np.array_equal(a, b) for a, b in zip(states, _states(classifier), strict=True)):
        raise ModelError(
            f"model {name!r} is changed by being asked: a layer runs in training mode; write training=False, or "
            "hand the argument on: layer(x, training=training)"
        )
    if _differ(apart, _answers(classifier, image, other)):
        return ("its answers differ from call to call: attack it with samples = 10, or autoattack with version = rand",)
    if _differ(apart, _answers(classifier, image, image)):
        raise ModelError(
            f"model {name!r} answers differently for an image in other company: a batch normalisation runs in "
            "training mode; write training=False, or hand the argument on: layer(x, training=training)"
        )
    return ()


def _beside(classifier: Classifier, image: np.ndarray) -> np.ndarray:
    """Another image: the negative, or the same again where that, which is none of the data, cannot be asked about."""
    try:
        answered = np.isfinite(_answers(classifier, 1 - image, 1 - image)).all()
    except ModelError:
        _answers(classifier, image, image)  # raises what is wrong with the model itself
        return image
    return 1 - image if answered else image


def _answers(classifier: Classifier, image: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The logits of the image, first in a small batch of which the rest is the other one."""
    size = classifier.batch_size if classifier.has_fixed_batch else 2
    batch = np.stack([image] + [other] * (size - 1)) if size > 1 else image[None]
    return classifier(tf.constant(batch, classifier.dtype)).numpy()[0]


def _differ(one: np.ndarray, other: np.ndarray) -> bool:
    if not np.isfinite([one, other]).all():
        return not np.array_equal(one, other, equal_nan=True)
    return bool(np.abs(one - other).max() > _ROUNDING * (np.ptp(one) + np.finfo(one.dtype).tiny))


def _states(classifier: Classifier) -> list[np.ndarray]:
    """What is not learnt by gradients, such as the statistics of a batch normalisation."""
    return [v.numpy() for v in getattr(classifier.network, "non_trainable_weights", [])]
