"""A copy of a layer, without its activation."""

import warnings

import keras
import numpy as np
import tensorflow as tf

from robust.core.errors import ModelError
from robust.core.remedies import setting
from robust.models.classifier.pixel_range import inference

_TO_LEARN = ("_initializer", "_regularizer", "_constraint")  # settings of layers, by the ends of their names


def without_activation(last: keras.layers.Layer, before: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """The logits of a copy of the layer, of this name, from the input of the layer.

    The copy needs no initialisers, regularisers and constraints, which Keras may be unable to save.

    Raises ModelError if a third-party layer cannot be built again, or gives other numbers then.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # of a lambda, which is left out
            config = {key: value for key, value in last.get_config().items() if not key.endswith(_TO_LEARN)}
        twin = type(last).from_config({**config, "activation": "linear", "name": name})
        logits = twin(before)
        twin.set_weights(last.get_weights())
        same = is_twin(twin, last, before.shape)
    except Exception as error:  # third-party code
        raise _cannot_be_built(last, f"{type(error).__name__}: {error}"[:200]) from error
    if not same:
        raise _cannot_be_built(last, "what is built from its get_config() gives other numbers")
    return logits


def is_twin(twin: keras.layers.Layer, last: keras.layers.Layer, shape: tuple[int | None, ...]) -> bool:
    """Is the layer's output its activation of the twin's output? Both are called on numbers."""
    numbers = np.random.default_rng(0).normal(0, 1, [6, *(side or 4 for side in shape[1:])])
    numbers *= np.logspace(-3, 0, 6).reshape(-1, *[1] * (numbers.ndim - 1))  # for large ones, all but one class has 0
    shown, options = tf.constant(numbers, last.compute_dtype), inference(last)
    one, other = (
        tf.cast(each, tf.float64) for each in (last.activation(twin(shown, **options)), last(shown, **options))
    )
    return near(one.numpy(), other.numpy(), 1e-5 if last.compute_dtype == "float32" else 5e-3)


def _cannot_be_built(last: keras.layers.Layer, why: str) -> ModelError:
    return ModelError(
        f"{last.name!r} ends the model in an activation that cannot be taken off, as the layer, a "
        f"{type(last).__name__}, cannot be built again ({why}); give logits: end the model in it without activation; "
        f"or set {setting('black_box', True)}, for attacks that need outputs only"
    )


def near(one: np.ndarray, other: np.ndarray, exact: float) -> bool:
    """Do all numbers differ by less than this?"""
    return bool(np.abs(one - other).max() < exact)
