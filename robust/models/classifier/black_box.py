"""A model that gives answers and no gradients: a function of somebody's, a TFLite file, a model asked as such."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from robust.core import declared
from robust.core.errors import ModelError
from robust.core.zero_probability import LEAST
from robust.models import parameters
from robust.models.classifier import heads
from robust.models.classifier.graph import says_bytes

*_MOST, _LAST = declared.black_box()
ATTACKS = f"{', '.join(_MOST)} or {_LAST}"  # what needs no gradients
NOTE = f"a black box without gradients, for {ATTACKS}; of probabilities the logarithm is taken"


class BlackBox:
    """A function from images [N, H, W, C] to probabilities or logits [N, classes], in the place of a Keras model.

    Of probabilities p, log p is taken: softmax(log p) = p. One number for each image is the probability of the
    second of two classes. Below the smallest that float32 holds, p counts as that.

    Args:
        function: takes and gives NumPy arrays.
        name: what the model is called.
        weights: variables, or anything with `numpy()`, that identify it.
        preprocessing, why: the images it takes, as `robust.suite.preprocessing.read` reads it, and who says so, where
            that is known.
        parameters: how many it has, None where that is not known.
        inputs: what its only input takes, as of a Keras model: the shape of a batch and its type; empty: not known.
            Of whole numbers it is shown the nearest.

    Whether it gives probabilities is seen from its first answers that are finite; a later one that is none is a
    ModelError. NaN and infinite answers are handed on, for `Classifier.logits` to name.

    >>> BlackBox(lambda images: np.array([[0.5, 0.5], [1.0, 0.0]]), "coin")(tf.zeros([2, 4, 4, 1])).numpy().round(1)
    array([[ -0.7,  -0.7],
           [  0. , -87.3]], dtype=float32)
    """

    built = True

    def __init__(
        self,
        function: Callable[[np.ndarray], object],
        name: str,
        weights: Sequence[Any] = (),
        preprocessing: object = None,
        why: str = "",
        inputs: Sequence[tf.TensorSpec] = (),
        parameters: int | None = None,
    ):
        self.function, self.name, self.weights, self.inputs = function, name, list(weights), list(inputs)
        self.preprocessing, self.why, self.parameters = preprocessing, why, parameters
        self.gives_probabilities: bool | None = None

    def __call__(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Logits, float32; never inside a graph, which would wait for a function that itself waits for TensorFlow."""
        del training
        return tf.constant(self._answers(self._typed(images.numpy())))

    @property
    def variables(self) -> list[Any]:
        """As of a Keras model."""
        return self.weights

    def _typed(self, images: np.ndarray) -> np.ndarray:
        kind = np.dtype(self.inputs[0].dtype.as_numpy_dtype) if self.inputs else images.dtype
        if kind.kind not in "iu":
            return images
        limits = np.iinfo(kind)
        return np.clip(np.rint(images), limits.min, limits.max).astype(kind)

    def _answers(self, images: np.ndarray) -> np.ndarray:
        try:
            answers = np.asarray(self.function(images))
        except (MemoryError, tf.errors.ResourceExhaustedError):
            raise  # smaller batches may help
        except ModelError as error:
            raise ModelError(f"model {self.name!r}: {error}") from None
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            raise ModelError(f"model {self.name!r} failed when it was asked: {what}") from error
        if answers.shape in ((len(images),), (len(images), 1)):
            answers = self._of_two(answers.reshape(-1, 1))
        if answers.shape[:-1] != (len(images),) or answers.dtype.kind not in "fiu":
            gave = f"{answers.dtype} of shape {answers.shape}"
            raise ModelError(
                f"model {self.name!r} gives {gave} for {len(images)} images; it must give a number for each class, "
                "[images, classes]"
            )
        return self._logits(answers.astype(np.float64)).astype(np.float32)

    def _logits(self, answers: np.ndarray) -> np.ndarray:
        finite = answers[np.isfinite(answers).all(axis=1)]
        are = probabilities(finite)
        if self.gives_probabilities is None and len(finite):
            self.gives_probabilities = bool(are.all())
        if not self.gives_probabilities:
            return answers
        if not are.all():
            numbers = finite[~are][0]
            what = f"numbers that sum to {numbers.sum():.3g}, the smallest {numbers.min():.3g}"
            raise ModelError(
                f"model {self.name!r} gave probabilities at first, and now {what}; it must give one of the two: "
                "probabilities for every image, or logits"
            )
        return np.where(np.isfinite(answers), np.log(np.maximum(answers, LEAST)), np.nan)

    def _of_two(self, p: np.ndarray) -> np.ndarray:
        if not ((p >= 0) & (p <= 1) | ~np.isfinite(p)).all():
            raise ModelError(
                f"model {self.name!r} gives one number an image, from {p.min():.3g} to {p.max():.3g}, which is no "
                "probability; give that of the second class, or a number for each class"
            )
        return np.concatenate([1 - p, p], axis=1)


Network = keras.Model | BlackBox
"""What is asked for its answers to images."""


def probabilities(answers: np.ndarray) -> np.ndarray:
    """Which rows of the answers look like probabilities; rounded ones do not quite sum to 1.

    >>> probabilities(np.array([[1.0, 2.0], [0.25, 0.75]])).tolist()
    [False, True]
    """
    return (answers >= 0).all(axis=1) & (np.abs(answers.sum(axis=1) - 1) < 0.05)


def wrapped(model: object) -> Network:
    """A Keras model or a black box as it is, any other function as a black box; else ModelError."""
    if isinstance(model, keras.Model | BlackBox):
        return model
    if of_keras_2(model):
        there = f"model.save('{model.name}.h5')"
        raise ModelError(f"{model.name!r} is a model of Keras 2 (tf_keras); {there}, and give that file in its place")
    if not callable(model) or isinstance(model, type):
        what = f"a {type(model).__name__}" if not isinstance(model, type) else f"the class {model.__name__}"
        raise ModelError(f"{what} is no model; give a keras.Model, or a function from images to probabilities")
    return BlackBox(model, getattr(model, "__name__", type(model).__name__).strip("<>"))


def of_keras_2(model: object) -> bool:
    """Is it a model of tf_keras, Keras 2 beside Keras 3?"""
    return any(kind.__module__.startswith("tf_keras.") and kind.__name__ == "Model" for kind in type(model).__mro__)


def asked(model: Network, classes: int, output: str | None = None) -> BlackBox:
    """A Keras model of which only the answers are asked; `output` as of `heads.understood`."""
    if isinstance(model, BlackBox):
        return model
    main = heads.answers(model, classes, output)
    answer = tf.function(lambda x: heads.pick(main(x, training=False), output, model.name), autograph=False)

    def ask(images: np.ndarray) -> np.ndarray:
        return tf.cast(answer(tf.constant(images)), tf.float32).numpy()

    listed = getattr(model, "inputs", None) or []
    specs = [tf.TensorSpec(each.shape, each.dtype) for each in listed[:1]]
    why = says_bytes(model)
    return BlackBox(ask, model.name, model.weights, (0, 255) if why else None, why, specs, parameters.count(model))
