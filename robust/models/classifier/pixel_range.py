"""The range of pixels that a Keras model takes, inferred from the layers and operations before its first weights."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import keras
import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from keras.src.ops.node import Node

_LEVELS = (0.0, 127.5, 255.0)  # of the grey images that are passed through
_SIDE = 32  # of these images, where the model takes any size
_SMALL = 1 / 50  # a gain below it takes [0, 255] to a few units
_FAR = 2.0  # a mean above it is one of grey levels
UNSURE = "if its call uses it"
_STATISTICS = (keras.layers.Normalization, keras.layers.BatchNormalization)  # their weights describe their data


def takes_bytes(model: keras.Model) -> str:
    """The name of the layer or operation that implies pixels in [0, 255], by a division or a mean; "" if none does.

    Grey images of three levels pass through whatever has no weights, and through statistics of pixels. The input of the
    first weights is a x + b of each channel: a below 1/50, or -b / a above 2, implies [0, 255].
    """
    return walked(model)[0]


def bytes_reason(model: keras.Model) -> str:
    """What implies that pixels are in [0, 255], in words; "" if nothing does.

    It ends in `UNSURE` if the layer is that of a subclass whose `call` cannot be traced.
    """
    layer, sure = walked(model)
    return f"from its layer {layer!r}{'' if sure else f', {UNSURE}'}" if layer else ""


def walked(model: keras.Model) -> tuple[str, bool]:
    """See `takes_bytes`; and is it certain, not inferred from the order in which a subclass has created its layers?"""
    walk = _Walk()
    try:
        ends = list(_ends(walk, model, probe(model)))
    except Exception:  # a third-party layer that takes no such image: then the outputs will show it
        return "", False
    named = [_implied(name, value) for name, value in ends]
    return named[0] if named and all(named) else "", not walk.unsure


def probe(model: keras.Model) -> tf.Tensor:
    """A grey image of each level, [3, ...], as the model takes its images."""
    listed = getattr(model, "inputs", None)
    shape = tuple(listed[0].shape)[1:] if listed else built_for(model)
    sizes = [side or _SIDE for side in shape]
    kind = listed[0].dtype if listed else "float32"
    return tf.cast(tf.stack([tf.fill(sizes, level) for level in _LEVELS]), kind)


def built_for(model: keras.Model) -> tuple[int | None, ...]:
    """The shape of the image that a subclass was first called on."""
    shape = (getattr(model, "get_build_config", dict)() or {}).get("input_shape")
    return tuple(shape)[1:] if isinstance(shape, tuple | list) and len(shape) > 1 else (_SIDE, _SIDE, 3)


def _implied(name: str, value: tf.Tensor) -> str:
    rows = np.asarray(tf.cast(value, tf.float64)).reshape(len(_LEVELS), -1)
    step, second = rows[1] - rows[0], rows[2] - rows[1]
    size = np.abs(step).max()
    if not np.isfinite(rows).all() or not size or np.abs(step - second).max() > 0.02 * size + 1e-6:
        return ""  # not linear in the grey level, or independent of it
    gain = step / (_LEVELS[1] - _LEVELS[0])
    moved = np.abs(gain) > 0.01 * np.abs(gain).max()
    means = -rows[0][moved] / gain[moved]
    return name if np.abs(gain).max() < _SMALL or means.max() > _FAR else ""


def _ends(walk: "_Walk", model: keras.Model, value: object) -> Iterator[tuple[str, tf.Tensor]]:
    """The input of the first weights of a model on each path, with the name of the last layer before them."""
    out = walk.model(model, ("", value))
    if out and not walk.ends and isinstance(out[1], tf.Tensor) and tf.size(out[1]) >= tf.size(value):
        yield out  # it has no weights; fewer numbers would be the outputs of a network inside
    yield from walk.ends


Seen = tuple[str, Any]
"""The name of the layer that has changed a value last, and the value."""


class _Walk:
    """Values passed through a graph; `None` is what has passed weights."""

    def __init__(self) -> None:
        self.ends: list[tuple[str, tf.Tensor]] = []
        self.unsure = False  # has it followed the layers of a subclass in the order of their creation?

    def model(self, model: keras.Model, given: Seen) -> Seen | None:
        """A model's output for a value, and its name; a graph of several inputs is not followed."""
        if isinstance(model, keras.Sequential) or not getattr(model, "_nodes_by_depth", None):
            layers = model.layers if isinstance(model, keras.Sequential) else called(model, given[1])
            self.unsure |= layers is None
            return self.chain(model.layers if layers is None else layers, given)
        known: dict[int, Seen | None] = {id(model.inputs[0]): given}
        for node in (n for depth in sorted(model._nodes_by_depth, reverse=True) for n in model._nodes_by_depth[depth]):
            if not node.is_input:
                self.node(node, known)
        return known.get(id(model.outputs[0]))

    def chain(self, layers: Sequence[keras.Operation], given: Seen) -> Seen | None:
        """Layers that follow each other, as a Sequential's, or those of a subclass in the order of its calls."""
        found: Seen | None = given
        for layer in layers:
            found = None if found is None else self.call(layer, found, lambda each, x: each(x, **inference(each)))
        return found

    def node(self, node: "Node", known: dict[int, Seen | None]) -> None:
        """A call of a layer or operation in a graph."""
        before = [known.get(id(tensor)) for tensor in node.input_tensors]
        inputs = [value for value in before if value is not None]
        out = None
        if inputs and len(inputs) == len(before):
            filled = {id(t): value[1] for t, value in zip(node.input_tensors, inputs, strict=True)}
            args, kwargs = node.arguments.fill_in(filled)
            given = (next((name for name, _ in inputs if name), ""), args[0] if args else None)
            kwargs = {k: v for k, v in kwargs.items() if k != "training"}
            out = self.call(node.operation, given, lambda op, _: op(*args, **kwargs, **inference(op)))
        for tensor in node.outputs:
            known[id(tensor)] = out

    def call(self, operation: keras.Operation, given: Seen, apply: Callable[[Any, object], object]) -> Seen | None:
        """Its output, under its name if it changes the values; where it has weights, the path ends."""
        name, value = given
        if isinstance(operation, keras.Model) and isinstance(value, tf.Tensor):
            return self.model(operation, given)
        if getattr(operation, "weights", None) and not isinstance(operation, _STATISTICS):
            self.ends += [(name, value)] if isinstance(value, tf.Tensor) else []
            return None
        out = apply(operation, value)
        return (name or (operation.name if changes(value, out) else "")), out


def called(model: keras.Model, value: object) -> list[keras.layers.Layer] | None:
    """The layers of a subclass, each once, in the order in which `predict` calls them; None if it cannot be traced."""
    order: dict[int, keras.layers.Layer] = {}
    own = {id(layer) for layer in model.layers}
    original = keras.layers.Layer.__call__

    def noted(layer: keras.layers.Layer, *args: object, **options: object) -> object:
        if id(layer) in own:
            order.setdefault(id(layer), layer)
        return original(layer, *args, **options)

    if not model.built:  # a call would create its weights for this size
        return None
    try:
        with patch.object(keras.layers.Layer, "__call__", noted):
            model(value, **inference(model))
    except Exception:  # another size than that of its weights
        return None
    return list(order.values())


def inference(operation: keras.Operation) -> dict[str, bool]:
    """The argument that calls an operation as `predict` does, for those that have it."""
    return {"training": False} if getattr(operation, "_call_has_training_arg", False) else {}


def changes(value: object, out: object) -> bool:
    """Do the values change, and not only their positions?"""
    if not isinstance(value, tf.Tensor) or not isinstance(out, tf.Tensor):
        return True
    ends = [float(tf.reduce_max(tf.cast(each, tf.float32))) for each in (value, out)]
    return abs(ends[0] - ends[1]) > 1e-3 * max(abs(ends[0]), 1e-9)
