"""Where a Keras model's logits are, and what range of pixels it wants."""

from typing import Any

import keras
import numpy as np

from robust.errors import ModelError


def linear(model: keras.Model) -> keras.Model:
    """The same model, ending in logits: a softmax head is taken off.

    Raises ModelError for a model with several outputs.
    """
    outputs = getattr(model, "outputs", None)
    if outputs is not None and len(outputs) != 1:
        pick = "keras.Model(model.inputs, model.outputs[0])"
        raise ModelError(f"model {model.name!r} has {len(outputs)} outputs; give the one that classifies: {pick}")
    if not outputs or not model.layers:
        return model  # a subclassed model: what its numbers look like is checked when they are there
    last = model.layers[-1]
    if isinstance(last, keras.layers.Softmax) or (isinstance(last, keras.layers.Activation) and _is_softmax(last)):
        return keras.Model(model.inputs, last.input)
    if _is_softmax(last):
        return _without_activation(model, last)
    return model


def _is_softmax(layer: keras.layers.Layer) -> bool:
    return getattr(getattr(layer, "activation", None), "__name__", "") == "softmax"


def _without_activation(model: keras.Model, last: Any) -> keras.Model:
    twin = type(last).from_config({**last.get_config(), "activation": "linear"})
    logits = twin(last.input)
    twin.set_weights(last.get_weights())
    return keras.Model(model.inputs, logits)


def pixel_range(model: keras.Model) -> tuple[float, float]:
    """What the model's own first layer says of its inputs: [0, 255] where it divides by that, else [0, 1]."""
    layers = [layer for layer in getattr(model, "layers", []) if not isinstance(layer, keras.layers.InputLayer)]
    if layers and isinstance(layers[0], keras.layers.Rescaling):
        scale = np.max(layers[0].scale)
        if np.isclose(scale, 1 / 255) or np.isclose(scale, 1 / 127.5):
            return 0.0, 255.0
    return 0.0, 1.0
