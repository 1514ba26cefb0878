"""Any model as a function from [0, 1] images to logits; a Keras one with compiled loss gradients."""

import copy
import hashlib
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from robust.core.errors import ModelError
from robust.core.remedies import setting
from robust.core.types import Precision
from robust.models import parameters
from robust.models.classifier import black_box, folding, graph, inputs, main_logits
from robust.models.classifier.black_box import BlackBox
from robust.models.classifier.graph import Graph
from robust.results.flags import Reason
from robust.suite.preprocessing import Preprocessing

Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]  # (logits [B, C], labels [B]) -> one number an image [B]


class Classifier:
    """A model in inference mode, called in batches that are as small as its images allow, that counts its passes.

    Args:
        model: any `keras.Model` that takes images alone; a softmax head is taken off. Or a `BlackBox`, or a
            function from images [N, H, W, C] to probabilities or logits [N, classes], which has no gradients.
        classes: how many classes the data has; the model must return as many logits.
        preprocessing: the pixels that the model expects, see `robust.suite.preprocessing`: (lowest, highest),
            "caffe" ...; inferred from its first layers if possible, else [0, 1].
        batch_size: how many images a pass is over, at most; see `robust.models.classifier.graph.batch_size`. A
            model that was built for a batch of one size is called with that.
        output: which of several outputs classifies, if its name does not show it.
        attack_precision: of the search of attacks; what they find is confirmed by the model as it is.

    Attributes:
        network: the model as it was given; model: what is called, ending in the main logits.
        n_forward, n_backward: passes of single images so far, padding included.
        kept: the outputs that are used, if not all.
        doubts: problems of the model itself, such as a wrong range of pixels; they flag all of its results.
        graphs: how often something was traced, by its key: more than once a key is a defect.

    Raises ModelError for what cannot be attacked reliably, with the reason and the remedy.

    >>> model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")])
    >>> Classifier(model, classes=3).logits(np.zeros((2, 4, 4, 1), "float32")).shape
    (2, 3)
    """

    def __init__(
        self, model: keras.Model | BlackBox | Callable, classes: int, *,
        preprocessing: object = None, batch_size: int = 128, attack_precision: Precision = "float32",
        output: str | None = None,
    ):  # fmt: skip
        _check_backend()
        network: Any = black_box.wrapped(model)
        self.classes, self.attack_precision, self.output = classes, attack_precision, output
        self.weights = _digest(network)
        self.network, (self.model, notes) = network, main_logits.understood(network, classes, output)
        self.batch_size = inputs.batch_size(self.model) or batch_size
        self.preprocessing, found = inputs.pixels(network, preprocessing)
        kind = [black_box.NOTE] if self.is_black_box else []
        self.notes = (*kind, *notes, found)
        self.dtype = inputs.dtype(self.model)
        self.kept: list[int] | None = None
        self.doubts: tuple[Reason, ...] = ()
        self.n_forward = self.n_backward = 0
        self.graphs: dict[Hashable, int] = {}
        self._compiled: dict[Hashable, Callable] = {}
        self._lean: Classifier | None = None

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Logits [B, C] of images [B, H, W, C], for use inside a graph; not counted.

        Raises ModelError if they do not match the classes and the graph shows it: before they are used.
        """
        logits = main_logits.pick(self.model(self.inputs(images), training=False), self.output, self.model.name)
        if logits.shape.rank == 2:  # a SavedModel does not state how many images it returns
            logits = tf.ensure_shape(logits, [images.shape[0], None])
        logits = logits if self.kept is None else tf.gather(logits, self.kept, axis=1)
        if logits.shape.rank is not None and None not in logits.shape[1:]:
            self._check_shape(tuple(logits.shape))
        return tf.cast(logits, tf.float32) if logits.dtype in (tf.float16, tf.bfloat16) else logits

    def restricted(self, kept: Sequence[int]) -> "Classifier":
        """The same model for some of its classes only: its logits are theirs, in the order of `kept`."""
        part = self._twin()
        part.kept, part.classes = list(kept), len(kept)
        return part

    def with_precision(self, precision: Precision) -> "Classifier":
        """The same model, on which attacks search in this precision."""
        other = self._twin()
        other.attack_precision = precision
        return other

    def with_preprocessing(self, pixels: Preprocessing) -> "Classifier":
        """The same model with another preprocessing."""
        other = self._twin()
        other.preprocessing = pixels._replace(layout=self.preprocessing.layout)
        return other

    def _twin(self) -> "Classifier":
        """A copy with separate graphs and pass counts."""
        twin = copy.copy(self)
        twin.n_forward, twin.n_backward, twin.graphs, twin._compiled, twin._lean = 0, 0, {}, {}, None
        return twin

    def lean(self) -> "Classifier":
        """What attacks search on: a cheaper copy, equal up to rounding; the classifier itself if there is none.

        It has the current weights. What fools it need not fool the model: every success is confirmed.
        """
        if self._lean is None:
            copied = folding.folded(self.model, self.attack_precision)
            self._lean = self if copied is self.model else self._twin()
            self._lean.model = copied
        elif self._lean is not self:
            folding.refresh(self._lean.model, self.model)
        return self._lean

    def refresh(self) -> None:
        """Copy what the network has learned since, if a head was taken off: the model then has its own copies.

        Raises ModelError if its weights hold NaN or infinite numbers by now.
        """
        self.weights = _digest(self.network)
        if self.model is not self.network:
            twin = main_logits.understood(self.network, self.classes, self.output).model
            for held, now in zip(self.model.weights, twin.weights, strict=True):
                held.assign(now)

    def inputs(self, images: tf.Tensor) -> tf.Tensor:
        """Images in [0, 1], converted to the pixels that the model expects."""
        return inputs.prepared(images, self.preprocessing)

    @property
    def parameters(self) -> int | None:
        """How many the model that is called has, see `robust.models.parameters`; None if that is not known."""
        return self.model.parameters if isinstance(self.model, BlackBox) else parameters.count(self.model)

    @property
    def has_fixed_batch(self) -> bool:
        """Was the model built for batches of one size?"""
        return inputs.batch_size(self.model) is not None

    @property
    def is_black_box(self) -> bool:
        """Does it give outputs only, without gradients?"""
        return isinstance(self.model, BlackBox)

    def gradient(self, images: tf.Tensor, labels: tf.Tensor, loss: Loss) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Losses [B], logits [B, C] and the gradient of each loss by its own image; graph-pure, not counted.

        Losses and gradients have the type of the images, logits that of the model.
        """
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            logits = self(images)
            losses = loss(logits, labels)
        gradient = tape.gradient(losses, images)
        if gradient is None or self._is_missing(gradient, images.shape):
            raise ModelError(
                f"model {self.model.name!r} has no gradient from its logits to its pixels; "
                f"use a black-box attack: {black_box.ATTACKS}"
            )
        return tf.cast(losses, images.dtype), logits, tf.ensure_shape(gradient, images.shape)

    def _is_missing(self, gradient: tf.Tensor, shape: tf.TensorShape) -> bool:
        """Is it what tf.py_function returns for a missing gradient, without shape? If unknown, it is tried."""
        if gradient.shape.rank is not None:
            return gradient.shape.rank != shape.rank
        with tf.init_scope(), tf.GradientTape(watch_accessed_variables=False) as tape:
            image = tf.zeros([self.batch_size if self.has_fixed_batch else 1, *shape[1:]], self.dtype)
            tape.watch(image)
            found = tape.gradient(self(image), image)
        return found is None or found.shape.rank != shape.rank

    def compiled(self, key: Hashable, build: Callable[[], Callable]) -> Callable:
        """The graph of this key, built on first use; XLA only on a GPU. A black box is called eagerly."""
        if self.is_black_box:
            return build()
        if key not in self._compiled:
            free = not self.has_fixed_batch
            self._compiled[key] = Graph(self._counted(key, build()), xla=self.xla, any_size=free)
        return self._compiled[key]

    def variables(self, images: np.ndarray) -> list[tf.Variable]:
        """Every variable that a pass over such images uses, those in a Lambda included; none of a black box."""
        call = self.compiled("logits", lambda: self.__call__)
        return call.variables(tf.constant(self.batches(images)[0], self.dtype)) if isinstance(call, Graph) else []

    @property
    def xla(self) -> bool | None:
        """Are graphs compiled by XLA? Only on a GPU: on a CPU convolutions would be slower."""
        return _has_gpu() or None

    def _counted(self, key: Hashable, function: Callable) -> Callable:
        def traced(*args: object) -> object:
            self.graphs[key] = self.graphs.get(key, 0) + 1  # runs when TensorFlow traces, and only then
            return function(*args)

        return traced

    def batch(self, images: int) -> int:
        """The size of the batches in which so many images are evaluated."""
        return self.batch_size if self.has_fixed_batch else graph.batch_size(images, self.batch_size, gpu=_has_gpu())

    def smaller_batch(self, size: int) -> int:
        """The next smaller size of a batch that is worth copying one to, 0 if there is none."""
        return 0 if self.has_fixed_batch else graph.next_smaller(size, gpu=_has_gpu())

    def halve(self) -> None:
        """Use batches of half the size from now on: every graph is traced again."""
        self.batch_size, self.graphs, self._compiled, self._lean = max(self.batch_size // 2, 1), {}, {}, None

    def count(self, n_forward: int, n_backward: int = 0) -> None:
        """Add passes of single images to the counts."""
        self.n_forward += n_forward
        self.n_backward += n_backward

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Logits [N, C] of images [N, H, W, C] in [0, 1], in batches.

        Raises ModelError if they are not finite, are probabilities, or do not match the classes.
        """
        if not len(images):
            return np.zeros((0, self.classes), np.float32)
        call = self.compiled("logits", lambda: self.__call__)
        parts = []
        for batch in self.batches(images):
            parts.append(call(tf.constant(batch, self.dtype)).numpy())
            self.count(n_forward=len(batch))
        return self._checked(np.concatenate(parts)[: len(images)], images)

    def batches(self, images: np.ndarray) -> list[np.ndarray]:
        """The images in batches of one size; the last repeats its first image to fill up."""
        size = self.batch(len(images))
        parts = [images[i : i + size] for i in range(0, len(images), size)]
        return [np.concatenate([p, np.repeat(p[:1], size - len(p), axis=0)]) if len(p) < size else p for p in parts]

    def _check_shape(self, shape: tuple[int, ...]) -> None:
        if len(shape) == 2 and shape[1] == self.classes:
            return
        more = len(shape) == 2 and shape[1] > self.classes
        in_order = (
            "; if the data lacks some of the model's classes, name all in the model's order: "
            f"{setting('classes', 'names.txt')}, one per line"
        )
        one = (
            "; end it in Dense(1) and keep its last axis, or, if that is the probability of the second class, set "
            f"{setting('black_box', True)}"
        )
        raise ModelError(
            f"model {self.model.name!r} gives outputs of shape {shape[1:]}, but the data has {self.classes} classes"
            + (in_order if more else one if len(shape) == 1 and self.classes == 2 else "")
        )

    def _checked(self, logits: np.ndarray, images: np.ndarray) -> np.ndarray:
        self._check_shape(logits.shape)
        if not np.isfinite(logits).all():
            bad = np.flatnonzero(~np.isfinite(logits).all(axis=1))
            of = f"{len(bad)} of {len(logits)} images"
            if not np.isfinite(images).all():  # an attack has stepped along such a gradient
                raise ModelError(
                    f"model {self.model.name!r} has gradients that are NaN or infinite, in the attack on {of}"
                )
            what = "outputs" if self.is_black_box else "logits"
            raise ModelError(f"model {self.model.name!r} gives NaN or infinite {what} for {of}")
        if are_probabilities(logits):
            if self.is_black_box:  # had its first ones been probabilities, these would be logarithms
                raise ModelError(
                    f"model {self.model.name!r} gave other numbers at first, and now probabilities; it must give one "
                    "of the two: probabilities for every image, or logits"
                )
            remedy = logarithm(self.model, self.inputs(tf.constant(images[:1])))
            raise ModelError(
                f"model {self.model.name!r} gives probabilities, through which gradients cannot be trusted; give "
                f"logits: end it in Dense(classes) and train with from_logits=True, or, in Python, pass {remedy}; "
                f"or set {setting('black_box', True)}, for attacks that need outputs only: {black_box.ATTACKS}"
            )
        return logits


def logarithm(model: keras.Model, image: tf.Tensor) -> str:
    """The code that makes logits of a model's probabilities; 1e-30 keeps those that underflow finite."""
    if (layer := next((each for each in model.layers if isinstance(each, keras.layers.TFSMLayer)), None)) is not None:
        return of_saved_model(layer, model.outputs[0], image)
    if getattr(model, "outputs", None):
        return "keras.Model(model.inputs, keras.ops.log(model.outputs[0] + 1e-30))"
    return f"keras.Model(x := keras.Input({tuple(image.shape[1:])}), keras.ops.log(model(x) + 1e-30))"


def of_saved_model(layer: keras.layers.TFSMLayer, output: object, image: tf.Tensor) -> str:
    """The same for a SavedModel, which is a folder and no model with layers: the code names the folder."""
    given = getattr(layer.call_endpoint_fn, "structured_outputs", None)
    keys = dict.fromkeys(given, layer.output) if isinstance(given, dict) and len(given) == 1 else layer.output
    of = (
        next((f"[{key!r}]" for key, each in dict(keys).items() if each is output), "") if isinstance(keys, dict) else ""
    )
    probabilities = f"keras.layers.TFSMLayer({layer.filepath!r}, call_endpoint={layer.call_endpoint!r})(x){of}"
    logits = f"keras.Model(x := keras.Input({tuple(image.shape[1:])}), keras.ops.log({probabilities} + 1e-30))"
    return f"{logits} with {setting('allow_code', True)}"


def are_probabilities(logits: np.ndarray) -> bool:
    """Do they look like it? Logits may by chance for one image, if all get the same, and as (0, z) of one logit z."""
    sums = (logits >= 0).all() and np.allclose(logits.sum(axis=1), 1, atol=1e-3)
    one_logit = logits.shape[1] == 2 and (logits[:, 0] == 0).all()
    return bool(sums and len(logits) > 1 and np.ptp(logits, axis=0).max() > 0 and not one_logit)


def _digest(model: keras.Model) -> str:
    """A hash of the weights, "" if none are known; refuses those not built yet, and NaN or infinite ones."""
    if not model.built:
        raise ModelError(
            f"model {model.name!r} is not built, so it has no weights yet; call it on a batch of images first, "
            "or begin it with keras.Input"
        )
    if not model.weights:
        return ""
    digest = hashlib.sha256()
    for variable in model.weights:  # not `variables`: the states of random layers are not what the model has learned
        array = variable.numpy()
        if array.dtype.kind in "fV" and not np.isfinite(array).all():  # V: bfloat16
            what = f"the weight {variable.path} holds NaN or infinite numbers"
            raise ModelError(f"model {model.name!r}: {what}; did its training diverge?")
        digest.update(str(array.shape).encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def _check_backend() -> None:
    if keras.backend.backend() != "tensorflow":
        raise ModelError(f"Keras runs on {keras.backend.backend()}; robust needs KERAS_BACKEND=tensorflow")


def _has_gpu() -> bool:
    return bool(tf.config.list_logical_devices("GPU"))
