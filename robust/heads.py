"""Where a Keras model's logits are, and what range of pixels it wants."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from robust.errors import ModelError


def linear(model: keras.Model) -> keras.Model:
    """The same model, ending in logits: a softmax head is taken off, and so are auxiliary heads.

    Of several outputs the one that a layer named "logits" makes is taken, as our networks have it. Raises
    ModelError for a model with several inputs, or with several outputs and no such layer.
    """
    outputs = getattr(model, "outputs", None)
    if not outputs:
        return model  # a subclassed model: what its numbers look like is checked when they are there
    main = outputs if len(outputs) == 1 else [o for o in outputs if o._keras_history.operation.name == "logits"]
    if len(main) != 1:
        pick = "keras.Model(model.inputs, model.outputs[0])"
        raise ModelError(f"model {model.name!r} has {len(outputs)} outputs; give the one that classifies: {pick}")
    if len(model.inputs) != 1:
        raise ModelError(f"model {model.name!r} has {len(model.inputs)} inputs; give one that takes images alone")
    logits = _logits(main[0])
    named = any(isinstance(getattr(model, side, None), dict) for side in ("input", "output"))
    if named or len(outputs) > 1 or logits is not outputs[0]:
        return keras.Model(model.inputs[0], logits, name=model.name)
    return model


def _logits(output: Any) -> Any:
    """The logits behind a model's output: what goes into its softmax, if it ends in one."""
    last, before = output._keras_history.operation, _before(output)
    if getattr(getattr(last, "activation", None), "__name__", "") == "sigmoid":
        raise ModelError(f"{last.name!r} ends the model in a sigmoid; end it in one logit a class, without activation")
    if isinstance(last, keras.layers.Softmax) or (isinstance(last, keras.layers.Activation) and _is_softmax(last)):
        return before
    return _without_activation(last, before) if _is_softmax(last) else output


def _is_softmax(layer: keras.layers.Layer) -> bool:
    return getattr(getattr(layer, "activation", None), "__name__", "") == "softmax"


def _without_activation(last: Any, before: Any) -> Any:
    twin = type(last).from_config({**last.get_config(), "activation": "linear"})
    logits = twin(before)
    twin.set_weights(last.get_weights())
    return logits


def last(model: keras.Model) -> Any:
    """The layer that makes a functional model's only output."""
    return model.outputs[0]._keras_history.operation


def features(model: keras.Model) -> Any:
    """What goes into that layer."""
    return _before(model.outputs[0])


def _before(output: Any) -> Any:
    """What goes into the layer that makes an output."""
    layer, node = output._keras_history[:2]
    return layer._inbound_nodes[node].input_tensors[0]  # not `layer.input`: other models may use the layer, too


def pixel_range(model: keras.Model) -> tuple[float, float]:
    """What the model's own first layers say of its inputs: [0, 255] where they divide by that, else [0, 1].

    Layers that augment are passed by, and nested models looked into.
    """
    first = next((layer for layer in flat(model) if not isinstance(layer, _PASSED)), None)
    if isinstance(first, keras.layers.Rescaling) and np.max(first.scale) < 1 / 50:
        return 0.0, 255.0
    return 0.0, 1.0


_PASSED = (
    keras.layers.InputLayer,
    keras.layers.RandomFlip,
    keras.layers.RandomRotation,
    keras.layers.RandomZoom,
    keras.layers.RandomCrop,
    keras.layers.RandomTranslation,
    keras.layers.Resizing,
    keras.layers.ZeroPadding2D,
)


def flat(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """The layers of a model, with those of a nested model in its place."""
    for layer in getattr(model, "layers", []):
        yield from flat(layer) if isinstance(layer, keras.Model) else [layer]
