"""The layers of a network that have weights, in order, and the activation that each of them feeds."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras

from robust.core.errors import ModelError

if TYPE_CHECKING:
    from keras.src.ops.node import Node

_SAME = (  # between a layer and its activation; of a sum it is the activation after the shortcut
    keras.layers.Add,
    keras.layers.BatchNormalization,
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
    keras.layers.Rescaling,
)
_ACTIVATIONS = (
    "celu", "elu", "gelu", "hardswish", "leakyrelu", "prelu", "relu", "relu6", "selu", "sigmoid", "silu", "softplus",
    "softsign", "swish", "tanh",
)  # fmt: skip


@dataclass(frozen=True)
class Weighted:
    """A layer with weights: its kernels, its output (a Keras tensor), and through which activation ("": none)."""

    name: str
    kernels: tuple[keras.Variable, ...]
    output: keras.KerasTensor
    activation: str


def weighted(network: keras.Model) -> list[Weighted]:
    """The layers that have trainable weights of two axes or more, in the order of the network.

    A layer's output is that of the activation it feeds: its own, or that of the next layer, with
    BatchNorm, a scale or the sum with a shortcut between them. Without one it is the layer's own output.
    A projection in a shortcut has the same output as the layer parallel to it.

    Raises ModelError for a model whose layers are not accessible: a subclassed one, or one inside another.

    >>> dense = keras.layers.Dense(2, name="fc")
    >>> net = keras.Sequential([keras.Input((3,)), dense, keras.layers.ReLU(), keras.layers.Dense(2, name="logits")])
    >>> [(layer.name, layer.activation) for layer in weighted(net)]
    [('fc', 'relu'), ('logits', '')]
    """
    if not getattr(network, "outputs", None):
        raise ModelError(
            f"gradient_flow: model {network.name!r} does not expose its layers; it must be a functional model"
        )
    nodes = list(_nodes(network.outputs))
    readers: dict[int, list[Node]] = {}
    for node in nodes:
        for tensor in node.input_tensors:
            readers.setdefault(id(tensor), []).append(node)
    rank = {
        id(operation): place for place, operation in enumerate(keras.Model(network.inputs, network.outputs).operations)
    }
    found = []
    for node in sorted(nodes, key=lambda node: rank[id(node.operation)]):
        layer = node.operation
        if isinstance(layer, keras.Model):
            raise ModelError(f"gradient_flow: {network.name!r} contains the model {layer.name!r}; pass that one alone")
        kernels = tuple(w for w in getattr(layer, "trainable_weights", ()) if len(w.shape) > 1)
        if kernels:
            found.append(Weighted(layer.name, kernels, *_activation(node, readers)))
    return found


def _nodes(tensors: list[Any]) -> Iterator["Node"]:
    """Every call on the path to these tensors, once; a layer may have been called for other models, too."""
    seen, left = set(), list(tensors)
    while left:
        operation, index, _ = left.pop()._keras_history
        if (key := (id(operation), index)) not in seen:
            seen.add(key)
            yield (node := operation._inbound_nodes[index])
            left += node.input_tensors


def _activation(node: "Node", readers: dict[int, list["Node"]]) -> tuple[keras.KerasTensor, str]:
    """The output of the activation of a layer, and its name."""
    own = node.outputs[0]
    while not (name := _name(node.operation)):
        following = readers.get(id(node.outputs[0]), [])
        if len(following) != 1 or not (isinstance(following[0].operation, _SAME) or _name(following[0].operation)):
            return own, ""
        node = following[0]
        if getattr(node.operation, "trainable_weights", ()) and not isinstance(node.operation, _SAME):
            return own, ""  # the activation of the next layer
    return node.outputs[0], name


def _name(operation: keras.Operation) -> str:
    """The name of an activation, "" for another operation: "relu" also for ReLU6, whose units die in the same way."""
    function = getattr(operation, "activation", None)
    name = getattr(function, "__name__", "").replace("_", "") or type(operation).__name__.lower()
    if name not in _ACTIVATIONS:
        return ""
    sloped = getattr(operation, "negative_slope", 0)
    return "leakyrelu" if sloped else "relu" if name == "relu6" else name
