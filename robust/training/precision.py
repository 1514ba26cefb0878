"""The precision in which the layers of a network with weights compute; the weights are always float32."""

import keras

from robust.core.errors import ModelError
from robust.core.remedies import setting
from robust.models.classifier import main_logits

_STATISTICS = (keras.layers.Normalization, keras.layers.BatchNormalization)


def set_precision(network: keras.Model, policy: str) -> None:
    """Let each layer compute under this policy, but in float32 what touches pixels, and what gives the logits.

    What touches pixels are the layers before the first weights and those that have these: bfloat16 has 256
    levels of [0.5, 1], so that most changes of less than 1/255 would be lost, and attacks with them.

    Args:
        network: a functional model; nested ones are included. policy: "float32" or a mixed one.

    Raises ModelError if a layer has weights that are not float32, and if no layer is left that could take it.
    """
    exact = [*touching(network), *(output._keras_history.operation for output in network.outputs)]
    spared = {id(part) for layer in exact for part in _parts(layer)}
    given = 0
    for part in (part for layer in main_logits.flat(network) for part in _parts(layer)):
        if part.weights and part.variable_dtype != "float32":
            raise ModelError(
                f"precision = {policy!r}: layer {part.name!r} of {network.name} has weights of type "
                f"{part.variable_dtype}; save the network with weights of type float32"
            )
        part.dtype_policy = "float32" if id(part) in spared else policy
        given += bool(id(part) not in spared and part.weights)
        if isinstance(part, keras.layers.Normalization):
            part.finalize_state()  # which keeps its statistics in the precision in which it computes
    if policy != "float32" and not given:
        raise ModelError(
            f"precision = {policy!r}: {network.name} has no layer that could compute in it, as what touches pixels and "
            f"what gives the logits is always float32; leave it out, or write {setting('precision', 'float32')}"
        )


def _parts(layer: keras.Operation) -> list[keras.layers.Layer]:
    """A layer and those that it is made of, but no inputs and no operation without a policy."""
    parts = layer._flatten_layers() if isinstance(layer, keras.layers.Layer) else []
    return [part for part in parts if not isinstance(part, keras.layers.InputLayer | keras.Model)]


def touching(network: keras.Model) -> list[keras.Operation]:
    """The layers before the first weights, on every path, and those that have these."""
    graph = getattr(network, "_functional", None) or network
    return _from(graph, {id(graph.inputs[0])})


def _from(graph: keras.Model, pixels: set[int]) -> list[keras.Operation]:
    """The same in a graph of which some tensors are pixels; to these are added those that are made of them."""
    found: list[keras.Operation] = []
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        for node in graph._nodes_by_depth[depth]:
            if node.is_input or pixels.isdisjoint(id(tensor) for tensor in node.input_tensors):
                continue
            inner = getattr(node.operation, "_functional", None) or node.operation
            if hasattr(inner, "_nodes_by_depth"):
                known = {id(inner.inputs[0])}
                found += _from(inner, known)
                passes = not known.isdisjoint(id(tensor) for tensor in inner.outputs)
            else:
                found.append(inner)
                passes = isinstance(inner, _STATISTICS) or not getattr(inner, "weights", None)
            pixels |= {id(tensor) for tensor in node.outputs} if passes else set()
    return found
