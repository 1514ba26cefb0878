"""What each layer of a network costs, read from its graph: nothing is run, and no weights are needed.

How many values a network keeps is a convention; there are three of them, each a column:

- `weighted`: the outputs of convolutions and dense layers alone;
- `forward`: the input, and the outputs of convolutions, dense layers, pools, concatenations, sums and
  products; BatchNorm, activations, dropout, padding and reshaping work in place (as CS231n counts);
- `training`: every output, since the backward pass needs them: an upper bound if activations are recomputed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import pandas as pd
from keras import layers
from keras.src.backend.common import global_state

from robust.core.errors import ModelError
from robust.models import parameters
from robust.models.macs import Shape, has_kernel, macs, package

if TYPE_CHECKING:
    from keras.src.ops.node import Node

_IN_PLACE = {"activations", "normalization", "preprocessing", "regularization", "reshaping"}
_GROWING = (layers.UpSampling1D, layers.UpSampling2D, layers.UpSampling3D, layers.Resizing)


class Row(NamedTuple):
    """One use of one layer; shapes and values are of one image. `macs` is None where the kind is not known."""

    layer: str
    kind: str
    shape: Shape
    parameters: int
    trainable: int
    held: int
    macs: int | None
    depth: int
    weighted: int
    forward: int
    training: int


@contextmanager
def unallocated() -> Iterator[None]:
    """Models built inside have shapes and no weights: EfficientNet-L2's would take 2 GB.

    >>> with unallocated():
    ...     model = keras.Sequential([keras.Input((10**5,)), layers.Dense(10**6)])
    >>> int(layer_table(model)["macs"].sum())
    100000000000
    """
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:  # else Keras would allocate them when it next leaves such a scope
        global_state.set_global_attribute("uninitialized_variables", [])


def layer_table(model: keras.Model) -> pd.DataFrame:
    """One row for each use of each layer, from the input to the output, nested models included.

    Args:
        model: a functional or Sequential model with a fixed input shape; it may have been built under
            `unallocated`, without weights.

    Columns: layer, kind ("ops.Add" for an operation that is not a layer), shape, parameters (see
    `robust.models.parameters`), trainable (those that are not frozen), held (parameters, statistics and constants),
    macs (<NA> for a kind that is not known), depth (of the longest path until here, in convolutions and dense
    layers), and the values kept: weighted, forward, training. The parameters of a layer that is used twice
    are in the row of its first use.

    Raises ModelError for a model without a graph (a subclassed one), and for one without fixed shapes.

    >>> model = keras.Sequential([keras.Input((4, 4, 1)), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(3)])
    >>> layer_table(model)[["kind", "parameters", "macs", "depth", "forward", "training"]]
             kind  parameters  macs  depth  forward  training
    0  InputLayer           0     0      0       16        16
    1      Conv2D          20    72      1        8         8
    2     Flatten           0     0      1        0         8
    3       Dense          27    24      2        3         3
    """
    if not has_graph(model):
        raise ModelError(
            f"model {model.name!r} has no graph of layers to count (a {type(model).__name__}); "
            "build it with the functional API, or begin a Sequential one with keras.Input"
        )
    rows = _Walk(model.name).rows(model, "")
    return pd.DataFrame(rows, columns=list(Row._fields)).astype({"macs": "Int64"})


def totals(table: pd.DataFrame) -> dict[str, int]:
    """The sums of a layer table's columns, the largest depth, and how many uses of layers have unknown `macs`."""
    sums = {name: int(table[name].sum()) for name in Row._fields[3:] if name != "depth"}
    return {**sums, "depth": int(table["depth"].max()), "uncounted": int(table["macs"].isna().sum())}


def remark(table: pd.DataFrame) -> str:
    """Which kinds of layers were counted with 0 multiply-accumulates because they are not known; "" for none."""
    unknown = table[table["macs"].isna()]
    if unknown.empty:
        return ""
    kinds = ", ".join(f"{kind} ({uses})" for kind, uses in unknown["kind"].value_counts(sort=False).items())
    return f"counted with 0 multiply-accumulates, since the kind is not known: {kinds}"


class _Walk:
    """The state of a walk through a graph: each tensor's depth, the uses of layers it comes from, what was counted."""

    def __init__(self, name: str):
        self.name, self.uses, self.counted = name, 0, set[int]()
        self.depth: dict[int, int] = {}
        self.origins: dict[int, frozenset[int]] = {}

    def rows(self, model: keras.Model, prefix: str) -> Iterator[Row]:
        for node in _nodes(model):
            if isinstance(inner := node.operation, keras.Model) and has_graph(inner):
                yield from self.nested(inner, node, f"{prefix}{inner.name}/")
            else:
                yield self.row(node, prefix)

    def nested(self, inner: keras.Model, node: "Node", prefix: str) -> Iterator[Row]:
        """The rows of a model within the model; its inputs are given, and cost nothing."""
        graph = _graph(inner)
        self._same(node.input_tensors, graph.inputs)
        yield from (row for row in self.rows(inner, prefix) if row.kind != "InputLayer")
        self._same(graph.outputs, node.outputs)

    def _same(self, known: list[keras.KerasTensor], new: list[keras.KerasTensor]) -> None:
        for one, other in zip(known, new, strict=True):
            self.depth[id(other)], self.origins[id(other)] = self.depth[id(one)], self.origins[id(one)]

    def row(self, node: "Node", prefix: str) -> Row:
        layer, inputs = node.operation, node.input_tensors
        name = prefix + layer.name
        shapes = [self._shape(tensor, name) for tensor in node.outputs]
        given = self._shape(inputs[0], name) if inputs else shapes[0]
        count, kernel, size = macs(layer, given, shapes[0]), has_kernel(layer), sum(map(prod, shapes))
        depth = max((self.depth[id(tensor)] for tensor in inputs), default=self.depth.get(id(node.outputs[0]), 0))
        kept = size if self._is_new(layer, inputs) else 0
        self._reach(layer, node, depth + kernel)
        kind = type(layer).__name__ if isinstance(layer, layers.Layer) else f"ops.{type(layer).__name__}"
        return Row(
            name, kind, shapes[0], *self._parameters(layer), count, depth + kernel,
            kernel * size, kept, size,
        )  # fmt: skip

    def _shape(self, tensor: Any, name: str) -> Shape:
        shape = tuple(tensor.shape[1:])
        if None in shape:
            raise ModelError(f"model {self.name!r}: {name} has the shape {shape}; build it with a fixed input_shape")
        return shape

    def _is_new(self, layer: keras.Operation, inputs: list[keras.KerasTensor]) -> bool:
        """Does its output need additional memory under the `forward` convention?"""
        if isinstance(layer, layers.Layer):
            return package(layer) not in _IN_PLACE or isinstance(layer, _GROWING)
        return len({self.origins[id(tensor)] for tensor in inputs}) > 1  # x + y of two layers, not x + x[1:] of one

    def _reach(self, layer: keras.Operation, node: "Node", depth: int) -> None:
        self.uses += 1
        given = frozenset().union(*(self.origins[id(tensor)] for tensor in node.input_tensors))
        own = frozenset([self.uses]) if isinstance(layer, layers.Layer) else given
        for tensor in node.outputs:
            self.depth[id(tensor)] = depth
            if node.input_tensors or id(tensor) not in self.origins:  # a nested model's inputs are what it was given
                self.origins[id(tensor)] = own

    def _parameters(self, layer: keras.Operation) -> tuple[int, int, int]:
        """All parameters, the trainable ones, and all that is held, at the first use of a layer."""
        if id(layer) in self.counted or not isinstance(layer, layers.Layer):
            return 0, 0, 0
        self.counted.add(id(layer))
        return parameters.count(layer), _size(layer.trainable_weights), _size(layer.weights)


def _size(weights: list[keras.Variable]) -> int:
    return sum(prod(weight.shape) for weight in weights)


def has_graph(model: keras.Model) -> bool:
    """Is it a model whose layers can be listed: a functional one, or a Sequential one that knows its input?"""
    return hasattr(_graph(model), "_nodes_by_depth")


def sized(model: keras.Model, input_shape: Shape) -> keras.Model:
    """The model itself, or where it takes images of any size, a twin without weights that takes those of this size.

    Raises ModelError where it takes another size, and no other.

    >>> anything = keras.Sequential([keras.Input((None, None, 1)), layers.Conv2D(2, 3), layers.GlobalMaxPooling2D()])
    >>> int(layer_table(sized(anything, (5, 5, 1)))["macs"].sum())
    162
    """
    known = getattr(model, "input_shape", None)
    if not isinstance(known, tuple) or known[1:] == tuple(input_shape):
        return model
    if any(one not in (None, other) for one, other in zip(known[1:], input_shape, strict=False)):
        raise ModelError(f"model {model.name!r} takes images of shape {known[1:]}, not {tuple(input_shape)}")
    with unallocated():
        return keras.models.clone_model(model, input_tensors=keras.Input(input_shape))


def _graph(model: keras.Model) -> Any:
    """The functional model that a Sequential one holds, or the model itself."""
    return getattr(model, "_functional", None) or model


def _nodes(model: keras.Model) -> Iterator["Node"]:
    """Every use of a layer, each after those that it needs."""
    nodes = _graph(model)._nodes_by_depth
    for depth in sorted(nodes, reverse=True):
        yield from nodes[depth]
