"""Any Keras model as a function from [0, 1] images to logits, with compiled loss gradients."""

import copy
import hashlib
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from robust import heads
from robust.errors import ModelError

Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]  # (logits [B, C], labels [B]) -> one number an image [B]


class Classifier:
    """A Keras model in inference mode, asked in batches of one fixed shape, that counts what it is asked.

    Args:
        model: any `keras.Model` with one input and one output; a softmax head is taken off.
        classes: how many classes the data has; the model must give as many logits.
        pixels: what the model's inputs range over; found where its first layer says it, else [0, 1].
        batch_size: every pass is over a batch of exactly this many images; the last is padded.

    Attributes:
        network: the model as it was given; model: what is asked, ending in the main logits.
        forward, backward: passes of single images so far, padding included.
        kept: the outputs that are asked about, where these are not all.
        graphs: how often something was traced, by its key: more than once a key is a defect.

    Raises ModelError for what cannot be attacked honestly, saying why and what to do.

    >>> model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")])
    >>> Classifier(model, classes=3).logits(np.zeros((2, 4, 4, 1), "float32")).shape
    (2, 3)
    """

    def __init__(
        self, model: keras.Model, classes: int, *, pixels: tuple[float, float] | None = None, batch_size: int = 128
    ):
        _check_backend()
        if not isinstance(model, keras.Model):
            raise ModelError(
                f"{type(model).__name__} is not a keras.Model; wrap it in one, or build it with keras.layers"
            )
        self.classes, self.batch_size = classes, batch_size
        self.weights = _digest(model)
        low, high = pixels or heads.pixel_range(model)
        if not low < high:
            raise ModelError(f"pixels = {pixels}: must be (lowest, highest), as in (0, 255)")
        self._offset, self._scale = low, high - low
        self.network, self.model = model, heads.linear(model)
        self.dtype = _dtype(self.model)
        self.kept: list[int] | None = None
        self.forward = self.backward = 0
        self.graphs: dict[Hashable, int] = {}
        self._compiled: dict[Hashable, Callable] = {}

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Logits [B, C] of images [B, H, W, C], for use inside a graph; not counted."""
        logits = self.model(self.inputs(images), training=False)
        logits = logits if self.kept is None else tf.gather(logits, self.kept, axis=1)
        return tf.cast(logits, tf.float32) if logits.dtype in (tf.float16, tf.bfloat16) else logits

    def restricted(self, kept: Sequence[int]) -> "Classifier":
        """The same model asked about some of its classes only: its logits are theirs, in the order of `kept`."""
        part = copy.copy(self)
        part.kept, part.classes = list(kept), len(kept)
        part.forward, part.backward, part.graphs, part._compiled = 0, 0, {}, {}
        return part

    def inputs(self, images: tf.Tensor) -> tf.Tensor:
        """Images in [0, 1] as the model wants its pixels."""
        return images if (self._offset, self._scale) == (0.0, 1.0) else images * self._scale + self._offset

    def gradient(self, images: tf.Tensor, labels: tf.Tensor, loss: Loss) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Losses [B], logits [B, C] and the gradient of each loss by its own image; graph-pure, not counted."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            logits = self(images)
            losses = loss(logits, labels)
        gradient = tape.gradient(losses, images)
        if gradient is None:
            raise ModelError(
                f"model {self.model.name!r} has no gradient from its logits to its pixels; use a black-box attack"
            )
        return losses, logits, gradient

    def compiled(self, key: Hashable, build: Callable[[], Callable]) -> Callable:
        """The graph of this key, built when it is first asked for; XLA only on a GPU."""
        if key not in self._compiled:
            self._compiled[key] = tf.function(
                self._counted(key, build()), autograph=False, jit_compile=_has_gpu() or None
            )
        return self._compiled[key]

    def _counted(self, key: Hashable, function: Callable) -> Callable:
        def traced(*args: Any) -> Any:
            self.graphs[key] = self.graphs.get(key, 0) + 1  # runs when TensorFlow traces, and only then
            return function(*args)

        return traced

    def count(self, forward: int, backward: int = 0) -> None:
        """Add passes of single images to the tally."""
        self.forward += forward
        self.backward += backward

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Logits [N, C] of images [N, H, W, C] in [0, 1], in fixed batches.

        Raises ModelError where they are not finite, are probabilities, or do not match the classes.
        """
        ask = self.compiled("logits", lambda: self.__call__)
        parts = []
        for batch in self.batches(images):
            parts.append(ask(tf.constant(batch, self.dtype)).numpy())
            self.count(forward=len(batch))
        return self._checked(np.concatenate(parts)[: len(images)])

    def batches(self, images: np.ndarray) -> list[np.ndarray]:
        """The images in batches of the one shape; the last repeats its first image to fill up."""
        size = self.batch_size
        parts = [images[i : i + size] for i in range(0, len(images), size)]
        return [np.concatenate([p, np.repeat(p[:1], size - len(p), axis=0)]) if len(p) < size else p for p in parts]

    def _checked(self, logits: np.ndarray) -> np.ndarray:
        if logits.ndim != 2 or logits.shape[1] != self.classes:
            shape, wanted = logits.shape[1:], self.classes
            raise ModelError(
                f"model {self.model.name!r} gives outputs of shape {shape}, but the data has {wanted} classes"
            )
        if not np.isfinite(logits).all():
            bad = np.flatnonzero(~np.isfinite(logits).all(axis=1))
            of = f"{len(bad)} of {len(logits)} images"
            raise ModelError(f"model {self.model.name!r} gives NaN or infinite logits for {of}")
        if (logits >= 0).all() and np.allclose(logits.sum(axis=1), 1, atol=1e-3):
            raise ModelError(
                f"model {self.model.name!r} gives probabilities, through which gradients cannot be trusted; "
                "give logits: end it in Dense(classes) and train with from_logits=True"
            )
        return logits


def _digest(model: keras.Model) -> str:
    """A hash of the model's weights; refuses a model that has none yet, or NaN or infinite ones."""
    if not model.built:
        raise ModelError(
            f"model {model.name!r} is not built, so it has no weights yet; call it on a batch of images first, "
            "or begin it with keras.Input"
        )
    digest = hashlib.sha256()
    for variable in model.weights:  # not `variables`: the states of random layers are not what the model knows
        array = variable.numpy()
        if array.dtype.kind in "fV" and not np.isfinite(array).all():  # V: bfloat16
            what = f"the weight {variable.path} holds NaN or infinite numbers"
            raise ModelError(f"model {model.name!r}: {what}; did its training diverge?")
        digest.update(str(array.shape).encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def _dtype(model: keras.Model) -> tf.DType:
    """In what precision to search: that of the model's inputs, at least single."""
    inputs = getattr(model, "inputs", None)
    dtype = tf.as_dtype(inputs[0].dtype) if inputs else tf.float32
    if not dtype.is_floating:
        raise ModelError(
            f"model {model.name!r} takes inputs of type {dtype.name}, which have no gradient; give it "
            "keras.Input(..., dtype='float32') and, if its pixels range over [0, 255], say pixels = [0, 255]"
        )
    return tf.float64 if dtype == tf.float64 else tf.float32


def _check_backend() -> None:
    if keras.backend.backend() != "tensorflow":
        raise ModelError(f"Keras runs on {keras.backend.backend()}; robust needs KERAS_BACKEND=tensorflow")


def _has_gpu() -> bool:
    return bool(tf.config.list_logical_devices("GPU"))
