"""Penultimate features of an image: the input of a network's last layer with weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from robust.core.errors import ModelError
from robust.models.classifier import Classifier


def features(classifier: Classifier, images: np.ndarray) -> np.ndarray:
    """The penultimate features of images [N, H, W, C] in [0, 1], float32 [N, D], in batches.

    They are the input of the last layer that has weights; a map [N, h, w, D] is averaged over its positions.

    Raises ModelError if the model has no graph of layers to find them in.
    """
    extract = classifier.compiled("features", lambda: _extractor(classifier))
    parts = []
    for batch in classifier.batches(images):
        parts.append(extract(tf.constant(batch, classifier.dtype)).numpy())
        classifier.count(n_forward=len(batch))
    return np.concatenate(parts)[: len(images)]


class Features:
    """The features of some images, computed on first use.

    found: the features, float32 [N, D]; None before the first use.
    """

    def __init__(self, classifier: Classifier, images: np.ndarray):
        self.classifier, self.images = classifier, images
        self.found: np.ndarray | None = None

    def __call__(self) -> np.ndarray:
        """Compute the features, or return those already computed; raises ModelError as `features`."""
        if self.found is None:
            self.found = features(self.classifier, self.images)
        return self.found

    def save(self, path: Path) -> None:
        """Save the features, if they have been computed."""
        if self.found is not None:
            np.save(path, self.found)


def _extractor(classifier: Classifier) -> Callable[[tf.Tensor], tf.Tensor]:
    model: Any = getattr(classifier, "model", None)
    if not getattr(model, "outputs", None):
        name = getattr(model, "name", type(model).__name__)
        raise ModelError(
            f"model {name!r} has no graph of layers, so its features cannot be computed; build it as "
            "keras.Model(inputs, outputs) or Sequential, or leave out the metrics that use features"
        )
    twin = keras.Model(model.inputs, penultimate(model))
    return lambda images: _flat(tf.cast(twin(classifier.inputs(images), training=False), tf.float32))


def penultimate(model: keras.Model) -> keras.KerasTensor:
    """The symbolic input of the last layer with weights of a functional model with one output."""
    output = model.outputs[0]
    while True:
        layer, node = output._keras_history[:2]
        before = layer._inbound_nodes[node].input_tensors
        if isinstance(layer, keras.Model) and getattr(layer, "outputs", None) and layer.weights:
            return keras.Model(layer.inputs, penultimate(layer))(before)
        if getattr(layer, "weights", None):
            return before[0]
        if len(before) != 1:
            what = f"ends in {layer.name!r}, which has {len(before)} inputs and no weights"
            raise ModelError(f"model {model.name!r} {what}, so its features cannot be computed")
        output = before[0]


def _flat(values: tf.Tensor) -> tf.Tensor:
    return values if values.shape.rank == 2 else tf.reduce_mean(values, axis=list(range(1, values.shape.rank - 1)))
