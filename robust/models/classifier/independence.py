"""Does a third-party model classify each image independently of the others, without being changed by it?"""

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
_NUDGE, _MOST = 2**-9, 0.1  # of each pixel, and of the largest logit: the tolerance for a model's own rounding
_ALONE = 4  # images that are classified alone
_AGAIN = 4  # repetitions before a difference is attributed to anything but chance
_BY_CHANCE = "its outputs differ from call to call: attack it with eot_iter = 10, or autoattack with version = rand"


def examine(classifier: Classifier, images: np.ndarray) -> tuple[str, ...]:
    """Classify a batch, again, in another order, among other images and one by one; report what is unusual.

    Args:
        images: [N, H, W, C] in [0, 1]; the first 25 fill a batch of the size in which the model will be called.

    Raises ModelError if a call changes the model, and if an output depends on the position in the batch or on the other
    images: a batch normalisation in training mode does both. Random outputs are reported, not refused.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    >>> examine(Classifier(model, 3), np.zeros((1, 2, 2, 1), "float32"))
    ()
    """
    size = classifier.batch_size
    while size:
        try:
            return _of_batch(classifier, images[np.arange(size) % min(len(images), IMAGES)])
        except (tf.errors.ResourceExhaustedError, MemoryError):  # the evaluation reports it, and uses smaller ones, too
            size = 0 if classifier.has_fixed_batch else size // 2
    return ()


def _of_batch(classifier: Classifier, batch: np.ndarray) -> tuple[str, ...]:
    before, first = states(classifier), _outputs(classifier, batch)
    changed = (differ(first, _outputs(classifier, batch)), states(classifier))
    if any(not np.array_equal(a, b) for a, b in zip(before, changed[1], strict=True)):
        raise ModelError(
            f"model {classifier.model.name!r} is changed by a call: a layer runs in training mode; write "
            "training=False, or pass the argument on: layer(x, training=training)"
        )
    if changed[0].any():
        return (_BY_CHANCE,)
    for where, rows, other in elsewhere(classifier, batch):
        if not (off := differ(first[rows], other)).any():
            continue
        if any(differ(first, _outputs(classifier, batch)).any() for _ in range(_AGAIN)):
            return (_BY_CHANCE,)
        if (off := differ(first[rows], other, own_rounding(classifier, batch, first))).any():
            raise ModelError(_dependence(classifier, where, f"{off.sum()} of {len(off)} in a batch of {len(batch)}"))
    return ()


def _dependence(classifier: Classifier, where: str, share: str) -> str:
    return (
        f"model {classifier.model.name!r} gives other outputs for an image {where}: {share}. Each must be classified "
        "independently: let nothing run along axis 0, that of the images; for a batch normalisation in training mode, "
        "write training=False, or pass the argument on: layer(x, training=training)"
    )


def elsewhere(classifier: Classifier, batch: np.ndarray) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """How images of the batch are rearranged, which these are, and their outputs then."""
    rows = np.arange(len(batch))
    order = np.random.default_rng(0).permutation(rows)
    yield "at another position in the batch", order, _outputs(classifier, batch[order])
    others = _others(classifier, batch)
    for kept in (rows % 2 == 0, rows % 2 == 1):
        mixed = np.where(kept[:, None, None, None], batch, others)
        yield "among other images", rows[kept], _outputs(classifier, mixed)[kept]
    few = np.unique(np.linspace(0, len(batch) - 1, _ALONE).astype(int))
    yield "alone", few, np.concatenate([alone(classifier, batch[row]) for row in few])


def _others(classifier: Classifier, batch: np.ndarray) -> np.ndarray:
    """Other images: the negatives, or copies of one if the model fails on negatives, which are not in the data."""
    try:
        works = np.isfinite(_outputs(classifier, 1 - batch)).all()
    except ModelError:
        works = False
    return 1 - batch if works else np.repeat(batch[:1], len(batch), axis=0)


def alone(classifier: Classifier, image: np.ndarray) -> np.ndarray:
    """The logits [1, C] of an image alone, or with copies of itself if the model has a fixed batch size."""
    copies = classifier.batch_size if classifier.has_fixed_batch else 1
    batch = np.repeat(image[None], copies, axis=0)
    return classifier(tf.constant(batch, classifier.dtype)).numpy()[:1]


def _outputs(classifier: Classifier, batch: np.ndarray) -> np.ndarray:
    call = classifier.compiled("logits", lambda: classifier.__call__)
    return call(tf.constant(batch, classifier.dtype)).numpy()


@np.errstate(invalid="ignore", over="ignore")
def own_rounding(classifier: Classifier, batch: np.ndarray, first: np.ndarray) -> float:
    """How far tiny changes of the pixels move the outputs: half precision, or a rounding inside, may as far."""
    digits = max((_HALF.get(getattr(layer, "compute_dtype", ""), 0) for layer in _layers(classifier)), default=0)
    by_digits = 4 * digits * float(np.nanmax(np.abs(first), initial=0))
    signs = np.random.default_rng(0).choice([-1, 1], batch.shape)
    try:
        moved = _outputs(classifier, (batch * (1 + _NUDGE * signs)).clip(0, 1).astype(batch.dtype))
    except ModelError:
        return by_digits
    return max(2 * float(np.nanmax(np.abs(moved - first), initial=0)), by_digits)


def _layers(classifier: Classifier) -> list[keras.layers.Layer]:
    network = classifier.network
    return list(network._flatten_layers()) if isinstance(network, keras.layers.Layer) else []


@np.errstate(invalid="ignore", over="ignore")  # infinite outputs are reported elsewhere
def differ(one: np.ndarray, other: np.ndarray, rounding: float = 0) -> np.ndarray:
    """Which rows of outputs [N, C] differ by more than the last digits of sums do, and than `rounding`."""
    finite = np.isfinite(one).all(axis=1) & np.isfinite(other).all(axis=1)
    same = ((one == other) | (np.isnan(one) & np.isnan(other))).all(axis=1)
    size, kind = np.abs(one).max(axis=1), np.finfo(one.dtype)
    room = np.maximum(np.minimum(rounding, _MOST * size), _ROUNDING * np.ptp(one, axis=1) + _DIGITS * kind.eps * size)
    far = np.abs(one - other).max(axis=1) > room + kind.tiny
    return np.where(finite, far, ~same)


def states(classifier: Classifier) -> list[np.ndarray]:
    """What is not learnt by gradients, such as the statistics of a batch normalisation."""
    return [v.numpy() for v in getattr(classifier.network, "non_trainable_weights", [])]
