"""A model that gives outputs and no gradients: any function, a TFLite file, a model treated as a black box."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from robust.core import catalogue
from robust.core.errors import ModelError
from robust.core.zero_probability import LEAST
from robust.models import parameters
from robust.models.classifier import main_logits
from robust.models.classifier.pixel_range import bytes_reason

*_MOST, _LAST = catalogue.black_box()
ATTACKS = f"{', '.join(_MOST)} or {_LAST}"  # what needs no gradients
NOTE = f"a black box without gradients, for {ATTACKS}; probabilities are replaced by their logarithms"


class BlackBox:
    """A function from images [N, H, W, C] to probabilities or logits [N, classes], in the place of a Keras model.

    Probabilities p are replaced by log p: softmax(log p) = p. One number for each image is the probability of the
    second of two classes. Below the smallest number that float32 holds, p is replaced by that.

    Args:
        function: takes and gives NumPy arrays.
        name: what the model is called.
        weights: variables, or anything with `numpy()`, that identify it.
        preprocessing, why: the pixels it takes, as `robust.suite.preprocessing.read` reads them, and the source of
            that, if known.
        parameters: how many it has, None if that is not known.
        inputs: what its only input takes, as for a Keras model: the shape of a batch and its type; empty: not known.
            For an integer type, images are rounded.

    Whether it gives probabilities is decided on its first finite outputs; a later output that is not a probability
    raises ModelError. NaN and infinite outputs are passed on, for `Classifier.logits` to report.

    >>> BlackBox(lambda images: np.array([[0.5, 0.5], [1.0, 0.0]]), "coin")(tf.zeros([2, 4, 4, 1])).numpy().round(1)
    array([[ -0.7,  -0.7],
           [  0. , -87.3]], dtype=float32)
    """

    built = True

    def __init__(
        self,
        function: Callable[[np.ndarray], object],
        name: str,
        weights: Sequence[object] = (),
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
        return tf.constant(self._outputs(self._typed(images.numpy())))

    @property
    def variables(self) -> list[object]:
        """As of a Keras model."""
        return self.weights

    def _typed(self, images: np.ndarray) -> np.ndarray:
        kind = np.dtype(self.inputs[0].dtype.as_numpy_dtype) if self.inputs else images.dtype
        if kind.kind not in "iu":
            return images
        limits = np.iinfo(kind)
        return np.clip(np.rint(images), limits.min, limits.max).astype(kind)

    def _outputs(self, images: np.ndarray) -> np.ndarray:
        try:
            outputs = np.asarray(self.function(images))
        except (MemoryError, tf.errors.ResourceExhaustedError):
            raise  # smaller batches may help
        except ModelError as error:
            raise ModelError(f"model {self.name!r}: {error}") from None
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            raise ModelError(f"model {self.name!r} failed when it was called: {what}") from error
        if outputs.shape in ((len(images),), (len(images), 1)):
            outputs = self._of_two(outputs.reshape(-1, 1))
        if outputs.shape[:-1] != (len(images),) or outputs.dtype.kind not in "fiu":
            gave = f"{outputs.dtype} of shape {outputs.shape}"
            raise ModelError(
                f"model {self.name!r} gives {gave} for {len(images)} images; it must give a number for each class, "
                "[images, classes]"
            )
        return self._logits(outputs.astype(np.float64)).astype(np.float32)

    def _logits(self, outputs: np.ndarray) -> np.ndarray:
        finite = outputs[np.isfinite(outputs).all(axis=1)]
        are = probabilities(finite)
        if self.gives_probabilities is None and len(finite):
            self.gives_probabilities = bool(are.all())
        if not self.gives_probabilities:
            return outputs
        if not are.all():
            numbers = finite[~are][0]
            what = f"numbers that sum to {numbers.sum():.3g}, the smallest {numbers.min():.3g}"
            raise ModelError(
                f"model {self.name!r} gave probabilities at first, and now {what}; it must give one of the two: "
                "probabilities for every image, or logits"
            )
        return np.where(np.isfinite(outputs), np.log(np.maximum(outputs, LEAST)), np.nan)

    def _of_two(self, p: np.ndarray) -> np.ndarray:
        if not ((p >= 0) & (p <= 1) | ~np.isfinite(p)).all():
            raise ModelError(
                f"model {self.name!r} gives one number per image, from {p.min():.3g} to {p.max():.3g}, which is no "
                "probability; give that of the second class, or a number for each class"
            )
        return np.concatenate([1 - p, p], axis=1)


Network = keras.Model | BlackBox
"""What is called for its outputs on images."""


def probabilities(outputs: np.ndarray) -> np.ndarray:
    """Which rows of the outputs look like probabilities; rounded ones do not quite sum to 1.

    >>> probabilities(np.array([[1.0, 2.0], [0.25, 0.75]])).tolist()
    [False, True]
    """
    return (outputs >= 0).all(axis=1) & (np.abs(outputs.sum(axis=1) - 1) < 0.05)


def wrapped(model: object) -> Network:
    """A Keras model or a black box as it is, any other function as a black box; else ModelError."""
    if isinstance(model, keras.Model | BlackBox):
        return model
    if of_keras_2(model):
        save = f"run model.save('{model.name}.h5')"
        raise ModelError(f"{model.name!r} is a model of Keras 2 (tf_keras); {save}, and pass that file instead")
    if not callable(model) or isinstance(model, type):
        what = f"a {type(model).__name__}" if not isinstance(model, type) else f"the class {model.__name__}"
        raise ModelError(f"{what} is not a model; pass a keras.Model, or a function from images to probabilities")
    return BlackBox(model, getattr(model, "__name__", type(model).__name__).strip("<>"))


def of_keras_2(model: object) -> bool:
    """Is it a model of tf_keras, Keras 2 installed next to Keras 3?"""
    return any(kind.__module__.startswith("tf_keras.") and kind.__name__ == "Model" for kind in type(model).__mro__)


def as_black_box(model: Network, classes: int, output: str | None = None) -> BlackBox:
    """A Keras model of which only the outputs are used; `output` as for `logits.notes`."""
    if isinstance(model, BlackBox):
        return model
    main = main_logits.main_output(model, classes, output)
    graph = tf.function(lambda x: main_logits.pick(main(x, training=False), output, model.name), autograph=False)

    def predict(images: np.ndarray) -> np.ndarray:
        return tf.cast(graph(tf.constant(images)), tf.float32).numpy()

    listed = getattr(model, "inputs", None) or []
    specs = [tf.TensorSpec(each.shape, each.dtype) for each in listed[:1]]
    why = bytes_reason(model)
    return BlackBox(predict, model.name, model.weights, (0, 255) if why else None, why, specs, parameters.count(model))
