"""Tensors of a file -> the weights of one of our networks: every one of both, or none."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import keras
import numpy as np

from robust.errors import ModelError
from robust.pretrained.tensor import Tensor

UNUSED = "num_batches_tracked"
"""A counter beside every BatchNorm, which no prediction hangs on."""
BATCH_NORM = ("weight", "bias", "running_mean", "running_var")

Shape = tuple[int, ...]


class Slot(NamedTuple):
    """One weight of ours: the shapes that the tensor for it may have, and how to turn it into ours."""

    layer: str
    weight: keras.Variable
    shapes: tuple[Shape, ...]
    turned: Callable[[np.ndarray], np.ndarray]


def fill(model: keras.Model, tensors: Mapping[str, Tensor], modules: Mapping[str, str]) -> None:
    """Set every weight of the model, but those of its normalisation, from the tensor of its name.

    modules: the name of each of our layers -> the name of the module that holds its tensors.

    Raises ModelError, before any is set, with the first few of the tensors that are missing, of those
    that the model has no use for, and of those of another shape.
    """
    places = slots(model, modules)
    tensors = {name: tensor for name, tensor in tensors.items() if name.rpartition(".")[2] != UNUSED}
    _check(model.name, places, tensors)
    for name, slot in places.items():
        slot.weight.assign(slot.turned(tensors[name].values()))


def _check(network: str, places: dict[str, Slot], tensors: Mapping[str, Tensor]) -> None:
    faults = {
        f"tensors that {network} needs are missing": [name for name in places if name not in tensors],
        f"tensors for which {network} has no place are left over": [name for name in tensors if name not in places],
        "shapes differ": [
            f"{name} is {tensors[name].shape}, {slot.layer} wants {slot.shapes[0]}"
            for name, slot in places.items()
            if name in tensors and tensors[name].shape not in slot.shapes
        ],
    }
    if any(faults.values()):
        raise ModelError("; ".join(f"{len(names)} {what}: {_few(names)}" for what, names in faults.items() if names))


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
            shapes, turned = _form(layer, tuple(weight.shape))
            found[f"{modules[layer.name]}.{part}"] = Slot(layer.name, weight, shapes, turned)
    return found


def _form(layer: keras.Layer, shape: Shape) -> tuple[tuple[Shape, ...], Callable[[np.ndarray], np.ndarray]]:
    """The shapes that Torch gives a weight of this layer, and the way from there to ours."""
    if len(shape) == 1:
        return (shape,), np.asarray
    if isinstance(layer, keras.layers.Dense):
        return _dense(layer, shape)
    axes = (2, 3, 0, 1) if isinstance(layer, keras.layers.DepthwiseConv2D) else (3, 2, 0, 1)
    theirs = tuple(shape[axis] for axis in axes)
    return (theirs,), lambda kernel: kernel.transpose(np.argsort(axes))


def _dense(layer: keras.Layer, shape: Shape) -> tuple[tuple[Shape, ...], Callable[[np.ndarray], np.ndarray]]:
    """A matrix, or a convolution that sees all there is; behind a Flatten, Torch counts channels first and we last."""
    before = layer.input._keras_history.operation
    flat = isinstance(before, keras.layers.Flatten)
    height, width, channels = before.input.shape[1:] if flat else (1, 1, shape[0])
    kernel = (shape[1], channels, height, width)
    return ((shape[1], shape[0]), kernel), lambda m: m.reshape(kernel).transpose(2, 3, 1, 0).reshape(shape)
