"""Parts of a network, by the names of their layers, those in nested models among them."""

from collections.abc import Iterator

import keras

from robust.core.errors import ModelError, suggest
from robust.models.classifier import main_logits


def up_to(network: keras.Model, name: str) -> set[keras.layers.Layer]:
    """The layer or nested model of this name, and all layers that lead to it; those of nested models for these.

    Args:
        network: a functional model.
        name: of a layer, of a nested model, or of a layer in one, which may be written "backbone/conv1", too.

    Raises ModelError if there is no such layer, and if several nested models have one.
    """
    paths = list(_paths(network))
    found = [path for path in paths if "/".join(path) == name] or [path for path in paths if path[-1] == name]
    found = [path for path in found if len(path) == 1] or found
    if not found:
        raise ModelError(f"freeze = {name!r}: {network.name} has no such layer{suggest(name, [p[-1] for p in paths])}")
    if len(found) > 1:
        which = " or ".join(repr("/".join(path)) for path in found)
        raise ModelError(f"freeze = {name!r}: {network.name} has {len(found)} such layers; write {which}")
    return _up_to(network, found[0])


def _paths(model: keras.Model, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for layer in model.layers:
        yield (*before, layer.name)
        if isinstance(layer, keras.Model):
            yield from _paths(layer, (*before, layer.name))


def _up_to(model: keras.Model, path: tuple[str, ...]) -> set[keras.layers.Layer]:
    layer = model.get_layer(path[0])
    found = {leaf for each in _before(model, layer) for leaf in _leaves(each)}
    return found | (_up_to(layer, path[1:]) if path[1:] else set(_leaves(layer)))


def _leaves(operation: keras.Operation) -> list[keras.layers.Layer]:
    if isinstance(operation, keras.Model):
        return list(main_logits.flat(operation))
    return [operation] if isinstance(operation, keras.layers.Layer) else []


def _before(model: keras.Model, layer: keras.layers.Layer) -> set[keras.Operation]:
    """Layers and operations of the model's own graph that lead to the layer, without it."""
    graph = getattr(model, "_functional", None) or model
    if not hasattr(graph, "_nodes_by_depth"):
        raise ModelError(
            f"freeze = {layer.name!r}: {model.name} is a subclass of keras.Model, whose layers no graph orders"
        )
    nodes = [node for nodes in graph._nodes_by_depth.values() for node in nodes]
    makes = {id(tensor): node for node in nodes for tensor in node.outputs}
    left = [node for node in nodes if node.operation is layer]
    found, seen = set(), set()
    while left:
        node = left.pop()
        for tensor in node.input_tensors:
            if (maker := makes.get(id(tensor))) is not None and id(maker) not in seen:
                seen.add(id(maker))
                found.add(maker.operation)
                left.append(maker)
    return found - {layer}
