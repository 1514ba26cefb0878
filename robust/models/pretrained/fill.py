"""Tensors of a file -> the weights of one of our networks: every one of both, or none."""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import keras
import numpy as np

from robust.core.errors import ModelError
from robust.core.remedies import setting
from robust.models.pretrained.tensor import Tensor

BATCH_NORM = ("weight", "bias", "running_mean", "running_var")

Shape = tuple[int, ...]


class Slot(NamedTuple):
    """One weight of ours: the shapes that the tensor for it may have, and how to turn it into ours."""

    layer: str
    weight: keras.Variable
    shapes: tuple[Shape, ...]
    turned: Callable[[np.ndarray], np.ndarray]
    channels: int | None = None  # of the maps that a dense layer sees
    stride: int | None = None  # pixels of the image in a step of these maps


def fill(model: keras.Model, tensors: Mapping[str, Tensor], modules: Mapping[str, str]) -> None:
    """Set every weight of the model, but those of its normalisation, from the tensor of its name.

    modules: the name of each of our layers -> the name of the module that holds its tensors.

    Raises ModelError, before any is set, with the first few of the tensors that are missing, of those
    that the model has no use for, and of those of another shape.
    """
    places = slots(model, modules)
    _check(model.name, places, tensors)
    for name, slot in places.items():
        slot.weight.assign(slot.turned(tensors[name].values()))


def _check(network: str, places: dict[str, Slot], tensors: Mapping[str, Tensor]) -> None:
    faults = {
        f"tensors that {network} needs are missing": [name for name in places if name not in tensors],
        f"tensors for which {network} has no place are left over": [name for name in tensors if name not in places],
        "shapes differ": [
            f"{name} is {tensors[name].shape}, {slot.layer} needs {slot.shapes[0]}{sizes(slot, tensors[name].shape)}"
            for name, slot in places.items()
            if name in tensors and tensors[name].shape not in slot.shapes
        ],
    }
    if any(faults.values()):
        raise ModelError("; ".join(f"{len(names)} {what}: {_few(names)}" for what, names in faults.items() if names))


def sizes(slot: Slot, shape: Shape) -> str:
    """Which images a dense layer after maps is for, if only their size differs."""
    if slot.stride is None or slot.channels is None or len(shape) not in (2, 4) or shape[0] != slot.shapes[0][0]:
        return ""
    side = math.isqrt(math.prod(shape[1:]) // slot.channels)
    if side < 1 or side**2 * slot.channels != math.prod(shape[1:]):
        return ""
    low = side * slot.stride
    remedy = f"give the data {setting('transform', {'size': low})}"
    return f" (it fits images of {low} to {low + slot.stride - 1} pixels a side: {remedy})"


def _few(names: list[str]) -> str:
    return ", ".join(name[:200] for name in names[:3]) + (", ..." if len(names) > 3 else "")


def slots(model: keras.Model, modules: Mapping[str, str]) -> dict[str, Slot]:
    """By the name of its tensor, every weight of the model."""
    found = {}
    for layer in model.layers:
        if not layer.weights or isinstance(layer, keras.layers.Normalization):
            continue
        parts = BATCH_NORM if isinstance(layer, keras.layers.BatchNormalization) else ("weight", "bias")
        for part, weight in zip(parts, layer.weights, strict=False):  # a convolution may have no bias
            shapes, turned = structure_hash(layer, tuple(weight.shape))
            maps = _maps(model, layer) if part == "weight" else (None, None)
            found[f"{modules[layer.name]}.{part}"] = Slot(layer.name, weight, shapes, turned, *maps)
    return found


def _maps(model: keras.Model, layer: keras.Layer) -> tuple[int | None, int | None]:
    """Channels of the maps that a dense layer sees through a Flatten, and how many pixels a step of them is."""
    before = layer.input._keras_history.operation
    if not isinstance(layer, keras.layers.Dense) or not isinstance(before, keras.layers.Flatten):
        return None, None
    pools = [each for each in model.layers if isinstance(each, keras.layers.MaxPooling2D)]
    return before.input.shape[-1], math.prod(pool.strides[0] for pool in pools)


def structure_hash(layer: keras.Layer, shape: Shape) -> tuple[tuple[Shape, ...], Callable[[np.ndarray], np.ndarray]]:
    """The shapes that Torch gives a weight of this layer, and the conversion to ours."""
    if len(shape) == 1:
        return (shape,), np.asarray
    if isinstance(layer, keras.layers.Dense):
        return dense(layer, shape)
    axes = (2, 3, 0, 1) if isinstance(layer, keras.layers.DepthwiseConv2D) else (3, 2, 0, 1)
    theirs = tuple(shape[axis] for axis in axes)
    return (theirs,), lambda kernel: kernel.transpose(np.argsort(axes))


def dense(layer: keras.Layer, shape: Shape) -> tuple[tuple[Shape, ...], Callable[[np.ndarray], np.ndarray]]:
    """A matrix, or a convolution over the whole map; after a Flatten, Torch counts channels first and we last."""
    before = layer.input._keras_history.operation
    flat = isinstance(before, keras.layers.Flatten)
    height, width, channels = before.input.shape[1:] if flat else (1, 1, shape[0])
    kernel = (shape[1], channels, height, width)
    return ((shape[1], shape[0]), kernel), lambda m: m.reshape(kernel).transpose(2, 3, 1, 0).reshape(shape)
