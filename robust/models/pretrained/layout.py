"""What a library's weights assume: names of layers, and facts that the weights do not show."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from robust.core.errors import ModelError
from robust.core.signature import Call
from robust.core.types import Table

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's training images in [0, 1], red, green and blue, as Torch's libraries use them."""


@dataclass(frozen=True)
class Layout:
    """How a library names the layers of an architecture, and with which constants it was trained."""

    modules: Callable[[keras.Model], Mapping[str, str]]  # name of each of our layers -> of their module
    options: Table = field(default_factory=dict)  # what our architecture must be built with
    mean: tuple[float, ...] = MEAN
    std: tuple[float, ...] = STD
    momentum: float = 0.9  # of BatchNorm's averages, as Keras counts: one minus Torch's


MEANING = {
    ("form", "v1"): "the stride in a block's first 1x1",
    ("form", "v1.5"): "the stride in its 3x3",
    ("padding", "same"): "TensorFlow's borders",
    ("padding", "symmetric"): "the same border on both sides",
}


def check(call: Call, layout: Layout, name: str) -> None:
    """Refuse an architecture whose options are not those that the weights were trained with.

    Such weights fit in shape and are silently wrong. Raises ModelError that names both sides.
    """
    for option, wanted in layout.options.items():
        given = call.arguments.get(option)
        if given != wanted:
            raise ModelError(
                f"{call.name} with {_described(option, given)} is not what weights of layout {name!r} were trained as, "
                f"which is {_described(option, wanted)}; write architecture = {{ name = {_toml(call.name)}, "
                + ", ".join(f"{key} = {_toml(value)}" for key, value in layout.options.items())
                + " }"
            )


def _described(option: str, value: Any) -> str:
    meaning = MEANING.get((option, value))
    return f"{option} = {_toml(value)}" + (f" ({meaning})" if meaning else "")


def _toml(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else f"{value:g}"
