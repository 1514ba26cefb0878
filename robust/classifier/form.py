"""What tells models of the same weights apart: their layers, and how these are joined."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import keras


def form(network: Any, *how: object) -> str:
    """A hash of a network's layers and of how it is asked, whatever they are called; "" where Keras cannot say them.

    >>> layers = [[keras.layers.Dense(2), keras.layers.ReLU(most)] for most in (None, None, 6.0)]
    >>> one, alike, other = (form(keras.Sequential([keras.Input((3,)), *each])) for each in layers)
    >>> one == alike, one == other, form(lambda images: images)
    (True, False, '')
    """
    if not isinstance(network, keras.Model):
        return ""
    try:
        config = network.get_config()
        told = json.dumps([_unnamed(config, dict[str, str](), _names(network)), how], default=str, sort_keys=True)
    except (AttributeError, NotImplementedError, TypeError, ValueError):
        return ""
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _names(network: keras.Model) -> set[str]:
    return {network.name, *(layer.name for layer in network._flatten_layers())}


def _unnamed(value: Any, places: dict[str, str], names: set[str]) -> Any:
    """The same with each name of a layer as the place at which it first comes."""
    if isinstance(value, Mapping):
        return {_unnamed(key, places, names): _unnamed(each, places, names) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_unnamed(each, places, names) for each in value]
    return places.setdefault(value, f"#{len(places)}") if isinstance(value, str) and value in names else value
