"""The network that attacks search on: BatchNorm folded into the layer before it, optionally in half precision."""

from collections.abc import Iterator
from types import FunctionType
from typing import Any

import keras
import numpy as np

from robust.core.types import Precision
from robust.models.classifier import main_logits

_LINEAR = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense)
_SCALING = (  # of the pixels: bfloat16 cannot distinguish 255 grey levels
    keras.layers.Normalization,
    keras.layers.Rescaling,
    keras.layers.Resizing,
    keras.layers.ZeroPadding2D,
)
_GIVEN = ("activation", "initializer", "regularizer", "constraint")  # what a layer was given to call


def folded(model: keras.Model, precision: Precision = "float32") -> keras.Model:
    """A cheaper copy that computes the same at inference; the model itself if there is none.

    After a convolution or a dense layer, BatchNorm is a factor and a bias of it, with
    s = sqrt(variance + epsilon): g (W x + b - mean) / s + c = (g W / s) x + (g (b - mean) / s + c).

    Args:
        model: a functional model of Keras' own layers and functions: third-party ones are not copied.
        precision: of the layers between the scaling of the pixels and the logits; weights stay float32.

    Source: Jacob et al., Quantization and training of neural networks for efficient
    integer-arithmetic-only inference, CVPR 2018, section 3.2.

    >>> layers = [keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization()]
    >>> [type(layer).__name__ for layer in folded(keras.Sequential(layers)).layers]
    ['InputLayer', 'Conv2D', 'Identity']
    """
    gains = is_known(model) and (precision != "float32" or _folds(model))
    return _copy(model, precision) if gains else model


def _folds(model: keras.Model) -> bool:
    return any(_pairs(model)) or any(_folds(part) for part in model.layers if isinstance(part, keras.Model))


def _copy(model: keras.Model, precision: Precision) -> keras.Model:
    pairs, last = list(_pairs(model)), main_logits.last(model)
    linear, norms = {at.name for at, _ in pairs}, {norm.name for _, norm in pairs}

    def copied(layer: Any) -> keras.Operation:
        if isinstance(layer, keras.Model):
            return _copy(layer, precision)
        kind, settings = type(layer), layer.get_config()
        if layer.name in norms:
            kind, settings = keras.layers.Identity, {"name": layer.name, "dtype": settings["dtype"]}
        if layer.name in linear:
            settings["use_bias"] = True
        if precision != "float32" and layer is not last and _can_be_halved(layer):
            settings["dtype"] = f"mixed_{precision}"
        return kind.from_config(settings)

    plain = keras.Model(model.inputs[0], model.outputs[0], name=model.name)  # a compiled one would be compiled again
    twin = keras.models.clone_model(plain, clone_function=copied, call_function=called)
    refresh(twin, model)
    return twin


def called(operation: keras.Operation, *tensors: object, **others: object) -> object:
    """Call an operation; an Identity in place of a BatchNorm takes no mask."""
    return operation(tensors[0]) if isinstance(operation, keras.layers.Identity) else operation(*tensors, **others)


def refresh(twin: keras.Model, model: keras.Model) -> None:
    """Copy the model's current weights into a copy that `folded` made."""
    norms = {at.name: norm for at, norm in _pairs(model)}
    gone = {norm.name for norm in norms.values()}
    for layer in (layer for layer in model.layers if layer.weights):
        copy = twin.get_layer(layer.name)
        if isinstance(layer, keras.Model):
            refresh(copy, layer)
        elif layer.name in norms:
            copy.set_weights(merged(layer, norms[layer.name]))
        elif layer.name not in gone:
            copy.set_weights(layer.get_weights())
        if isinstance(copy, keras.layers.Normalization):
            copy.finalize_state()


def merged(layer: Any, norm: Any) -> list[np.ndarray]:
    """Kernel and bias of a layer and the BatchNorm after it."""
    mean, variance = (v.numpy().astype(np.float64) for v in (norm.moving_mean, norm.moving_variance))
    factor = (norm.gamma.numpy() if norm.scale else 1) / np.sqrt(variance + norm.epsilon)
    bias = ((layer.bias.numpy() if layer.use_bias else 0) - mean) * factor + (norm.beta.numpy() if norm.center else 0)
    kernel = layer.kernel.numpy()
    depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)  # its maps are in the last two axes
    return [kernel * (factor.reshape(kernel.shape[2:]) if depthwise else factor), bias]


def _pairs(model: keras.Model) -> Iterator[tuple[keras.layers.Layer, keras.layers.BatchNormalization]]:
    """Linear layers without activation, each with the BatchNorm that alone uses its output.

    One that LoRA adapts or that is quantised has more weights than a kernel and a bias, and stays as it is.
    """
    for norm in model.layers:
        if not isinstance(norm, keras.layers.BatchNormalization) or len(norm._inbound_nodes) != 1:
            continue
        layer = norm.input._keras_history.operation
        linear = isinstance(layer, _LINEAR) and layer.activation is keras.activations.linear
        alone = linear and not _is_changed(layer) and len(layer._inbound_nodes) == len(layer._outbound_nodes) == 1
        if alone and norm.axis in (-1, len(norm.input.shape) - 1) and layer in model.layers:
            yield layer, norm


def _is_changed(layer: keras.Operation) -> bool:
    return bool(getattr(layer, "lora_enabled", False) or getattr(layer, "quantization_mode", None))


def _can_be_halved(layer: keras.Operation) -> bool:
    plain = isinstance(layer, keras.Layer) and not isinstance(layer, _SCALING) and not _is_changed(layer)
    return plain and layer.compute_dtype == "float32"


def is_known(model: keras.Model) -> bool:
    """Is it a graph of operations of Keras itself, so that a copy computes the same?"""
    if not _is_keras_own(model) or not getattr(model, "inputs", None) or len(model.inputs) + len(model.outputs) != 2:
        return False
    operations = keras.Model(model.inputs[0], model.outputs[0]).operations
    return all(is_known(part) if isinstance(part, keras.Model) else _is_keras_own(part) for part in operations)


def _is_keras_own(part: keras.Operation) -> bool:
    given = [v for name, v in vars(part).items() if v is not None and name.endswith(_GIVEN)]
    kinds = [type(part), *(v if isinstance(v, FunctionType) else type(v) for v in given)]
    return all(kind.__module__.startswith("keras.") for kind in kinds) and not isinstance(part, keras.layers.Lambda)
