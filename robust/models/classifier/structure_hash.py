"""What distinguishes models of the same weights: their layers, and how these are connected."""

import hashlib
import json
from collections.abc import Mapping

import keras

_OURS = ("keras.", "robust.")
_NAMING = ("name", "keras_history", "input_layers", "output_layers")


def structure_hash(network: object, *how: object) -> str:
    """A hash of a network's layers, whatever their names, and of how it is called; "" if Keras cannot serialise them.

    >>> layers = [[keras.layers.Dense(2), keras.layers.ReLU(most)] for most in (None, None, 6.0)]
    >>> one, alike, other = (structure_hash(keras.Sequential([keras.Input((3,)), *each])) for each in layers)
    >>> one == alike, one == other, structure_hash(lambda images: images)
    (True, False, '')
    """
    if not isinstance(network, keras.Model) or not all(map(plain, [network, *network._flatten_layers()])):
        return ""
    try:
        text = json.dumps([unnamed(network.get_config(), dict[str, str]()), how], default=str, sort_keys=True)
    except (AttributeError, NotImplementedError, TypeError, ValueError):
        return ""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def plain(layer: keras.layers.Layer) -> bool:
    """Does its configuration describe all that it does? Not that of a third-party class, which omits its code."""
    return type(layer).__module__.startswith(_OURS) and not isinstance(layer, keras.layers.Lambda)


def unnamed(value: object, places: dict[str, str], naming: bool = False) -> object:
    """The same with each layer name replaced by its first position; the name of an activation is kept."""
    if isinstance(value, Mapping):
        return {key: unnamed(each, places, naming or key in _NAMING) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [unnamed(each, places, naming) for each in value]
    return places.setdefault(value, f"#{len(places)}") if naming and isinstance(value, str) else value
