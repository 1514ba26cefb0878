"""A Keras network as a list of units: what each computes and from what, in one canonical form.

Two networks of the same function come out alike, however they are spelt: padding is counted in pixels
that windows see beyond the image; activations are separate; a bias before a BatchNorm belongs to it;
a dense layer is a 1x1 convolution; what does nothing at inference is left out.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import isclose
from typing import Any

import keras

from robust.core.errors import ModelError
from robust.core.types import Table

BATCH_NORM, BIAS, IMAGE = "a BatchNorm", "a bias", "an image"
DEPTHWISE, LINEAR = "a depthwise convolution", "a linear layer"
ACTIVATION, PADDING, POOLING, PRODUCT, SUM = "an activation", "a padding", "a pooling", "a product", "a sum"


Convolution = keras.layers.Conv2D | keras.layers.DepthwiseConv2D
Pooling = keras.layers.AveragePooling2D | keras.layers.MaxPooling2D


@dataclass(frozen=True, eq=False)
class Unit:
    """One operation: units of equal kind, settings, weights and inputs compute the same."""

    kind: str
    name: str  # of the layer that it is of
    inputs: tuple["Unit", ...] = ()
    settings: Table = field(default_factory=dict)
    layers: tuple[keras.layers.Layer, ...] = ()  # that hold its weights; of an image, those that it passes first

    @cached_property
    def height(self) -> int:
        """Units on the longest path from an image: distinguishes the terms of a sum, whatever their order."""
        return 1 + max((unit.height for unit in self.inputs), default=0)


def describe(model: keras.Model) -> list[Unit]:
    """The units of a functional model with one output, which the last of them makes; inputs come first.

    Raises ModelError for a layer that is used twice, or that this module does not know.

    >>> x = image = keras.Input((8, 8, 3))
    >>> for layer in (keras.layers.ZeroPadding2D(1), keras.layers.Conv2D(4, 3, 2, activation="relu")):
    ...     x = layer(x)
    >>> [unit.kind for unit in describe(keras.Model(image, x)) if unit.kind != PADDING]
    ['an image', 'a linear layer', 'a bias', 'an activation']
    >>> describe(keras.Model(image, x))[2].settings["padding"]
    ((1, 0), (1, 0))
    """
    units, made = [], {}
    for operation in model.operations:
        inputs = [_maker(tensor, made, model) for tensor in _listed(operation.input)]
        new = list(_reader(operation, model.name)(operation, *inputs))
        units += new
        made[id(operation.output)] = new[-1] if new else inputs[0]
    last = _maker(model.outputs[0], made, model)
    return [*(unit for unit in units if unit is not last), last]


def _listed(tensors: keras.KerasTensor | list[keras.KerasTensor]) -> list[keras.KerasTensor]:
    return tensors if isinstance(tensors, list) else [tensors]


def _maker(tensor: Any, made: Mapping[int, Unit], model: keras.Model) -> Unit:
    if id(tensor) not in made:
        raise ModelError(f"{model.name}: {tensor._keras_history.operation.name} is used more than once")
    return made[id(tensor)]


def _reader(operation: keras.Operation, name: str) -> Callable[..., Iterator[Unit]]:
    kind = type(operation)
    if kind.__name__ not in READERS or not kind.__module__.startswith("keras."):
        raise ModelError(f"{name}: {operation.name} is a {kind.__name__}; known: {', '.join(READERS)}")
    return READERS[kind.__name__]


def _image(layer: keras.layers.Layer) -> Iterator[Unit]:
    yield Unit(IMAGE, layer.name, settings={"shape": tuple(layer.output.shape[1:])})


def _preprocessing(layer: keras.layers.Layer, x: Unit) -> Iterator[Unit]:
    if x.kind != IMAGE:
        raise ModelError(f"{layer.name} is a {type(layer).__name__} of {x.kind}; it must be of {IMAGE}")
    yield Unit(IMAGE, x.name, (), x.settings, (*x.layers, layer))


def _nothing(layer: keras.layers.Layer, x: Unit) -> Iterator[Unit]:
    yield from ()


def _convolution(layer: Convolution, x: Unit) -> Iterator[Unit]:
    x, zeros = unpadded(x)
    settings = {
        "kernel": tuple(layer.kernel.shape), "strides": layer.strides, "dilation": layer.dilation_rate,
        "padding": _borders(layer, layer.kernel_size, layer.dilation_rate, zeros),
        "groups": layer.input.shape[-1] // layer.kernel.shape[2],
    }  # fmt: skip
    kind = DEPTHWISE if isinstance(layer, keras.layers.DepthwiseConv2D) else LINEAR
    yield from completed(layer, Unit(kind, layer.name, (x,), settings, (layer,)))


def _dense(layer: Any, x: Unit) -> Iterator[Unit]:
    settings = {
        "kernel": (1, 1, *layer.kernel.shape), "strides": (1, 1), "dilation": (1, 1),
        "padding": ((0, 0), (0, 0)), "groups": 1,
    }  # fmt: skip
    yield from completed(layer, Unit(LINEAR, layer.name, (x,), settings, (layer,)))


def completed(layer: Convolution | keras.layers.Dense, x: Unit) -> Iterator[Unit]:
    """A kernel, then its bias and activation, if there are any."""
    yield x
    if layer.use_bias:
        x = Unit(BIAS, layer.name, (x,), layers=(layer,))
        yield x
    yield from _activation(layer, x)


def _batch_norm(layer: keras.layers.BatchNormalization, x: Unit) -> Iterator[Unit]:
    settings = {
        "epsilon": float(f"{layer.epsilon:.1e}"),  # 1.001e-5, as Keras has it, is 1e-5
        "axis": layer.axis % len(layer.input.shape), "center": layer.center, "scale": layer.scale,
    }  # fmt: skip
    inputs, biased = (x.inputs, x.layers) if x.kind == BIAS else ((x,), ())
    yield Unit(BATCH_NORM, layer.name, inputs, settings, (layer, *biased))


def _activation(layer: keras.layers.Activation | Convolution | keras.layers.Dense, x: Unit) -> Iterator[Unit]:
    if not layer.activation.__module__.startswith("keras."):  # any two lambdas have the same name
        raise ModelError(f"{layer.name} has a custom activation; known: those of keras.activations")
    if layer.activation is not keras.activations.linear:
        yield Unit(ACTIVATION, layer.name, (x,), {"activation": layer.activation.__name__})


def _relu(layer: keras.layers.ReLU, x: Unit) -> Iterator[Unit]:
    form = (layer.max_value, float(layer.negative_slope), float(layer.threshold))
    name = {(None, 0.0, 0.0): "relu", (6, 0.0, 0.0): "relu6"}.get(form, f"relu{form}")
    yield Unit(ACTIVATION, layer.name, (x,), {"activation": name})


def pooling(layer: Pooling, x: Unit) -> Iterator[Unit]:
    """A pool over windows as a unit, with its size, strides and borders."""
    x, zeros = unpadded(x)
    settings = {
        "pooling": type(layer).__name__, "size": layer.pool_size, "strides": layer.strides,
        "padding": _borders(layer, layer.pool_size, (1, 1), zeros),
        "border": "zeros" if any(map(any, zeros)) else "nothing",  # a pool's own padding is ignored
    }  # fmt: skip
    yield Unit(POOLING, layer.name, (x,), settings)


def _global_pooling(layer: keras.layers.Layer, x: Unit) -> Iterator[Unit]:
    yield Unit(POOLING, layer.name, (x,), {"pooling": type(layer).__name__})


def _padding(layer: keras.layers.ZeroPadding2D, x: Unit) -> Iterator[Unit]:
    yield Unit(PADDING, layer.name, (x,), {"padding": layer.padding, "data_format": layer.data_format})


def _reshaping(layer: keras.layers.Layer, x: Unit) -> Iterator[Unit]:
    if sum(side > 1 for side in layer.input.shape[1:]) > 1:  # a single place has nothing to rearrange
        yield Unit("a reshaping", layer.name, (x,), {"shape": tuple(layer.output.shape[1:])})


def _concatenation(layer: keras.layers.Concatenate, *inputs: Unit) -> Iterator[Unit]:
    yield Unit("a concatenation", layer.name, inputs, {"axis": layer.axis % len(layer.output.shape)})


def _sum(operation: keras.Operation, *inputs: Unit) -> Iterator[Unit]:
    yield _commutative(SUM, operation, inputs)


def _product(operation: keras.Operation, *inputs: Unit) -> Iterator[Unit]:
    made = _commutative(PRODUCT, operation, inputs)
    yield Unit(ACTIVATION, made.name, gated, {"activation": "hard_sigmoid"}) if (gated := _gated(made)) else made


def _commutative(kind: str, operation: keras.Operation, inputs: tuple[Unit, ...]) -> Unit:
    settings = {"constant": constant(operation)} if len(inputs) == 1 else {}
    return Unit(kind, operation.name, tuple(sorted(inputs, key=lambda unit: unit.height)), settings)


def constant(operation: keras.Operation) -> float:
    """The other operand of an operator on one tensor: the 3 of x + 3."""
    given = operation._inbound_nodes[0].arguments.args
    return next((float(value) for value in given if isinstance(value, int | float)), float("nan"))


def _gated(product: Unit) -> tuple[Unit, ...]:
    """x, if this is relu6(x + 3) * (1 / 6), as Keras' MobileNetV3 spells its gates; else nothing."""
    relu6 = product.inputs[0]
    if not isclose(product.settings.get("constant", 0), 1 / 6) or relu6.settings.get("activation") != "relu6":
        return ()
    shifted = relu6.inputs[0]
    return shifted.inputs if shifted.kind == SUM and shifted.settings.get("constant") == 3 else ()


def unpadded(x: Unit) -> tuple[Unit, tuple[tuple[int, int], ...]]:
    """What a padding was put around, and the zeros above and below, left and right."""
    if x.kind == PADDING and x.settings["data_format"] == "channels_last":
        return x.inputs[0], x.settings["padding"]
    return x, ((0, 0), (0, 0))


def _borders(layer: Convolution | Pooling, size: tuple, dilation: tuple, zeros: tuple) -> tuple[tuple[int, int], ...]:
    """How far the first window begins before the image and the last one ends after it, for both axes."""
    borders = []
    for axis, (before, after) in enumerate(zeros):
        given, places = layer.input.shape[axis + 1], layer.output.shape[axis + 1]
        if given is None:
            raise ModelError(f"{layer.name} takes images of any size; where they are padded depends on their size")
        seen = (places - 1) * layer.strides[axis] + (size[axis] - 1) * dilation[axis] + 1
        first = before + (max(0, seen - given) // 2 if layer.padding == "same" else 0)
        borders.append((first, seen - (given - before - after) - first))
    return tuple(borders)


READERS: dict[str, Callable[..., Iterator[Unit]]] = {
    "Activation": _activation,
    "Add": _sum,
    "AveragePooling2D": pooling,
    "BatchNormalization": _batch_norm,
    "Concatenate": _concatenation,
    "Conv2D": _convolution,
    "Dense": _dense,
    "DepthwiseConv2D": _convolution,
    "Dropout": _nothing,
    "Flatten": _reshaping,
    "GlobalAveragePooling2D": _global_pooling,
    "GlobalMaxPooling2D": _global_pooling,
    "InputLayer": _image,
    "MaxPooling2D": pooling,
    "Multiply": _product,
    "Normalization": _preprocessing,
    "ReLU": _relu,
    "Rescaling": _preprocessing,
    "Reshape": _reshaping,
    "ZeroPadding2D": _padding,
}
"""By the name of Keras' class; its operators Add and Multiply are named as the layers are."""
