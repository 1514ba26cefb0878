"""Does a model from elsewhere answer for each image by itself, and leave itself as it was?"""

from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from robust.core.errors import ModelError
from robust.models.classifier import Classifier

IMAGES = 25  # different ones: they fill the batch in turn
_ROUNDING = 1e-3  # of the spread of an image's logits: what another order of sums may change
_DIGITS = 32  # last ones of the largest logit, too
_HALF = {"float16": 2**-10, "bfloat16": 2**-7}  # the last digit of what is computed in half precision
_NUDGE, _MOST = 2**-9, 0.1  # of each pixel, and of the largest logit: so much a model's own rounding is let pass
_ALONE = 4  # images that are asked by themselves
_AGAIN = 4  # times more the same is asked before a difference is laid to anything but chance
_BY_CHANCE = "its answers differ from call to call: attack it with eot_iter = 10, or autoattack with version = rand"


def examine(classifier: Classifier, images: np.ndarray) -> tuple[str, ...]:
    """Ask about a whole batch, again, in another order, in other company and alone; say what is unusual.

    Args:
        images: [N, H, W, C] in [0, 1]; the first 25 fill a batch of the size in which the model will be asked.

    Raises ModelError where being asked changes the model, and where an answer hangs on the place in the batch or on
    the company: a batch normalisation in training mode does both. Answers that differ by chance are told, not refused.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    >>> examine(Classifier(model, 3), np.zeros((1, 2, 2, 1), "float32"))
    ()
    """
    size = classifier.batch_size
    while size:
        try:
            return _of_batch(classifier, images[np.arange(size) % min(len(images), IMAGES)])
        except (tf.errors.ResourceExhaustedError, MemoryError):  # the case will tell it, and go on with fewer, too
            size = 0 if classifier.has_fixed_batch else size // 2
    return ()


def _of_batch(classifier: Classifier, batch: np.ndarray) -> tuple[str, ...]:
    before, first = states(classifier), _answers(classifier, batch)
    changed = (differ(first, _answers(classifier, batch)), states(classifier))
    if any(not np.array_equal(a, b) for a, b in zip(before, changed[1], strict=True)):
        raise ModelError(
            f"model {classifier.model.name!r} is changed by being asked: a layer runs in training mode; write "
            "training=False, or hand the argument on: layer(x, training=training)"
        )
    if changed[0].any():
        return (_BY_CHANCE,)
    for where, rows, other in elsewhere(classifier, batch):
        if not (off := differ(first[rows], other)).any():
            continue
        if any(differ(first, _answers(classifier, batch)).any() for _ in range(_AGAIN)):
            return (_BY_CHANCE,)
        if (off := differ(first[rows], other, own_rounding(classifier, batch, first))).any():
            raise ModelError(_told(classifier, where, f"{off.sum()} of {len(off)} in a batch of {len(batch)}"))
    return ()


def _told(classifier: Classifier, where: str, share: str) -> str:
    return (
        f"model {classifier.model.name!r} answers differently for an image {where}: {share}. Each must be answered by "
        "itself: let nothing run along axis 0, that of the images; of a batch normalisation in training mode write "
        "training=False, or hand the argument on: layer(x, training=training)"
    )


def elsewhere(classifier: Classifier, batch: np.ndarray) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Where images of the batch stand otherwise, which these are, and the answers there."""
    rows = np.arange(len(batch))
    order = np.random.default_rng(0).permutation(rows)
    yield "at another place of the batch", order, _answers(classifier, batch[order])
    others = _others(classifier, batch)
    for kept in (rows % 2 == 0, rows % 2 == 1):
        mixed = np.where(kept[:, None, None, None], batch, others)
        yield "in other company", rows[kept], _answers(classifier, mixed)[kept]
    few = np.unique(np.linspace(0, len(batch) - 1, _ALONE).astype(int))
    yield "alone", few, np.concatenate([alone(classifier, batch[row]) for row in few])


def _others(classifier: Classifier, batch: np.ndarray) -> np.ndarray:
    """Other images: the negatives, or one again and again where those, which are none of the data, cannot be asked."""
    try:
        answered = np.isfinite(_answers(classifier, 1 - batch)).all()
    except ModelError:
        answered = False
    return 1 - batch if answered else np.repeat(batch[:1], len(batch), axis=0)


def alone(classifier: Classifier, image: np.ndarray) -> np.ndarray:
    """The logits [1, C] of an image by itself, or where the model takes more at once beside copies of itself."""
    copies = classifier.batch_size if classifier.has_fixed_batch else 1
    batch = np.repeat(image[None], copies, axis=0)
    return classifier(tf.constant(batch, classifier.dtype)).numpy()[:1]


def _answers(classifier: Classifier, batch: np.ndarray) -> np.ndarray:
    ask = classifier.compiled("logits", lambda: classifier.__call__)
    return ask(tf.constant(batch, classifier.dtype)).numpy()


@np.errstate(invalid="ignore", over="ignore")
def own_rounding(classifier: Classifier, batch: np.ndarray, first: np.ndarray) -> float:
    """How far pixels that are hardly changed move the answers: half precision, or a rounding inside, may as far."""
    digits = max((_HALF.get(getattr(layer, "compute_dtype", ""), 0) for layer in _layers(classifier)), default=0)
    by_digits = 4 * digits * float(np.nanmax(np.abs(first), initial=0))
    signs = np.random.default_rng(0).choice([-1, 1], batch.shape)
    try:
        moved = _answers(classifier, (batch * (1 + _NUDGE * signs)).clip(0, 1).astype(batch.dtype))
    except ModelError:
        return by_digits
    return max(2 * float(np.nanmax(np.abs(moved - first), initial=0)), by_digits)


def _layers(classifier: Classifier) -> list[keras.layers.Layer]:
    network = classifier.network
    return list(network._flatten_layers()) if isinstance(network, keras.layers.Layer) else []


@np.errstate(invalid="ignore", over="ignore")  # of infinite answers others tell
def differ(one: np.ndarray, other: np.ndarray, rounding: float = 0) -> np.ndarray:
    """Which rows of answers [N, C] differ by more than the last digits of sums do, and than this."""
    finite = np.isfinite(one).all(axis=1) & np.isfinite(other).all(axis=1)
    same = ((one == other) | (np.isnan(one) & np.isnan(other))).all(axis=1)
    size, kind = np.abs(one).max(axis=1), np.finfo(one.dtype)
    room = np.maximum(np.minimum(rounding, _MOST * size), _ROUNDING * np.ptp(one, axis=1) + _DIGITS * kind.eps * size)
    far = np.abs(one - other).max(axis=1) > room + kind.tiny
    return np.where(finite, far, ~same)


def states(classifier: Classifier) -> list[np.ndarray]:
    """What is not learnt by gradients, such as the statistics of a batch normalisation."""
    return [v.numpy() for v in getattr(classifier.network, "non_trainable_weights", [])]
