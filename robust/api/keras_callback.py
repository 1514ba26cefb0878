"""Robust accuracy after each epoch of Keras' own `fit`."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from robust.core.errors import DataError, SuiteError
from robust.core.remedies import formatted
from robust.core.signature import convert
from robust.core.types import Count, Seed, Table
from robust.datasets import channels, choice, remarks
from robust.datasets.dataset import Dataset, Examples, from_arrays
from robust.datasets.from_python import dataset_of
from robust.engine.perturb import outcomes
from robust.models.classifier import Classifier, inputs, main_logits, rows
from robust.models.classifier.preprocessing_check import Better, better
from robust.results.evaluation import proportion
from robust.suite import Case, read_case

LOGGED = "val_robust_accuracy"


class RobustAccuracy(keras.callbacks.Callback):
    """A Keras callback: the share of images that are classified correctly after an attack, epoch by epoch.

    It logs `val_robust_accuracy` and the ends of its exact 95 % interval, `val_robust_accuracy_low` and
    `val_robust_accuracy_high`. Put it before the callbacks that read them (EarlyStopping, ModelCheckpoint,
    ReduceLROnPlateau, TensorBoard) and give these mode="max": Keras calls them in their order.

    The value is that of `robust.evaluate` on the same images. The model is called in inference mode with the
    weights that it has when Keras calls; averages that the optimizer keeps (use_ema) are evaluated where
    keras.callbacks.SwapEMAWeights(swap_on_epoch=True) comes before this one.

    Args:
        data: held out from training, as in `robust.evaluate`: (images [N, H, W, C] in [0, 1] or uint8, labels
            [N]), a `tf.data.Dataset` of (image, label), or a `robust` data set, of which the validation split.
        attack: a name, or a table as in a suite: {"name": "pgd", "norm": "l2", "steps": 40}.
        eps: of an attack that sets none; None for one that takes none.
        max_images: how many, chosen at random in proportion to the classes; all where there are fewer.
        balanced: choose as many of each class instead.
        every: evaluate every so many epochs, beginning with the first; the others log NaN.
        classes: names of the classes, or how many; else the number of the model's outputs.
        preprocessing: what the model expects, where its own layers do not show it: (0, 255), "caffe" ..., see
            `robust.suite.preprocessing`; a UserWarning is given where another one fits the model better.
        output: which of several outputs classifies, where its name does not show it.
        seed: of the attack.

    Raises RobustError: for what is wrong with data or attack at once, with the model before the first epoch.

    >>> import numpy as np
    >>> images, labels = np.random.default_rng(0).random((60, 4, 4, 1), "float32"), np.arange(60) % 3
    >>> model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")])
    >>> model.compile("sgd", "sparse_categorical_crossentropy")
    >>> watch = RobustAccuracy((images[30:], labels[30:]), attack="fgsm", eps="2/255")
    >>> sorted(model.fit(images[:30], labels[:30], epochs=2, verbose=0, callbacks=[watch]).history)
    ['loss', 'val_robust_accuracy', 'val_robust_accuracy_high', 'val_robust_accuracy_low']
    """

    def __init__(
        self,
        data: tuple[Any, Any] | tf.data.Dataset | Dataset,
        attack: str | Table = "pgd",
        eps: float | str | None = "8/255",
        *,
        max_images: int = 200,
        balanced: bool = False,
        every: int = 1,
        classes: int | Sequence[str] | None = None,
        preprocessing: object = None,
        output: str | None = None,
        seed: int = 0,
    ):
        super().__init__()
        self._case = _case(attack, eps)
        self._every = convert(every, Count, "every")
        self._seed, self._preprocessing, self._output = convert(seed, Seed, "seed"), preprocessing, output
        given = dataset_of(data, classes=classes)
        remarks.report(remarks.lines([given]), None)
        self._examples = examples(given, convert(max_images, Count, "max_images"), seed=self._seed, balanced=balanced)
        self._channels = given.channels
        self._classes = None if classes is None and not isinstance(data, Dataset) else given.classes
        self._built: tuple[keras.Model, Classifier, Dataset] | None = None
        self._first: int | None = None
        self._doubt: Better | None = None

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Run the model on two images, so that what is wrong with it is an error before it is trained."""
        self._first = None
        classifier, data = self._ready()
        classifier.logits(data.first("test", 2))
        self._doubt = None
        self._check_preprocessing()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Attack the images and log the share that is still classified correctly."""
        self._first = epoch if self._first is None else self._first
        due = (epoch - self._first) % self._every == 0
        found = self._evaluated() if due else (float("nan"),) * 3
        if logs is not None:
            logs.update(zip((LOGGED, f"{LOGGED}_low", f"{LOGGED}_high"), found, strict=True))

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Warn, if the last epoch showed it, of another preprocessing that may fit better only by chance, too."""
        if self._doubt is not None and not self._doubt.clear:
            warnings.warn(f"{self._ready()[0].network.name}: {self._doubt}", stacklevel=2)

    def _check_preprocessing(self) -> None:
        """Warn, once a training, where another preprocessing fits the model clearly better."""
        if self._doubt is not None and self._doubt.clear:
            return
        classifier, data = self._ready()

        def labelled(n: int) -> tuple[np.ndarray, np.ndarray]:
            return (few := data.examples("test", n)).images, few.labels

        self._doubt = better(classifier, labelled, data.size("test"))
        if self._doubt is not None and self._doubt.clear:
            warnings.warn(f"{self._ready()[0].network.name}: {self._doubt}", stacklevel=2)

    def _evaluated(self) -> tuple[float, float, float]:
        """The value and the ends of its interval."""
        classifier, data = self._ready()
        self._check_preprocessing()
        (outcome,) = outcomes(classifier, self._case, data, self._seed)
        found = proportion(LOGGED, outcome.result.predicted == outcome.result.labels)
        return found.value, found.ci_low, found.ci_high

    def _ready(self) -> tuple[Classifier, Dataset]:
        """The model as a classifier with its present weights, and the images; graphs are traced once."""
        if self._built is None or self._built[0] is not self.model:
            classes = self._classes or main_logits.outputs(self.model, self._output)
            found = self._examples
            data = from_arrays(found.images, found.labels, classes, ids=found.ids.tolist())
            data = self._seen(self.model, replace(data, channels=self._channels))
            options = {"preprocessing": self._preprocessing, "output": self._output}
            network, _ = rows.unrolled(self.model, data.image_shape)
            self._built = self.model, Classifier(network, len(data.classes), **options), data
        self._built[1].refresh()
        return self._built[1:]

    def _seen(self, model: keras.Model, data: Dataset) -> Dataset:
        """The images with as many channels as the model takes, with a warning where that is a guess."""
        takes = inputs.channels(model, self._preprocessing)
        seen = channels.for_model(data, takes, f"model {model.name}")
        if guess := channels.conversion_remark(data, takes):
            warnings.warn(f"{model.name} {formatted(guess)}", stacklevel=2)
        return seen


def _case(attack: str | Table, eps: object) -> Case:
    table = dict(attack) if isinstance(attack, Mapping) else {"name": attack}
    case = read_case(str(table.get("name")), {"attack": table if eps is None else {"eps": eps, **table}})
    if case.target is not None:
        raise SuiteError("target: robust accuracy is defined for an attack without one", "target")
    if len(case.perturbations) > 1:
        raise SuiteError(f"eps: {len(case.perturbations)} of them; one curve is logged, so give one number", "eps")
    return case


def examples(data: Dataset, max_images: int, *, seed: int, balanced: bool) -> Examples:
    """At most this many images of the validation split, or of the only split: test images select no weights."""
    split = "validation" if "validation" in data.sizes else "test"
    if split == "test" and len(data.sizes) > 1:
        has = ", ".join(data.sizes)
        what = f"data set {data.name!r} has no validation split, only {has}; test images are for the end"
        raise DataError(f"{what}: give (images, labels) that are neither trained on nor tested on")
    images = min(max_images, data.size(split))
    if balanced:
        choice.check_balanced(data.labels(split), images, data.classes)
    return data.examples(split, images, seed=seed, balanced=balanced)
