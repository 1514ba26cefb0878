"""Where a model of a suite comes from: our catalogue, a .keras file, weights from elsewhere, or somebody's code."""

from collections.abc import Callable
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

from robust import catalog
from robust.errors import SuiteError
from robust.schema import Call, convert
from robust.suite import pretrained
from robust.suite.data import beside
from robust.suite.nouns import Published, Weights

KINDS = ("architecture", "keras", "pretrained", "python")


def source(
    kind: str, value: Any, call: Callable[[str, Any, str], Call], folder: Path
) -> Call | Path | Weights | Published:
    """What `kind = value` stands for, where kind is one of `KINDS`.

    Args:
        value: a name, a table or a path, as the kind has it.
        call: binds a name or table to a member of a catalogue; told the key.
        folder: where the suite stands, and files that it names.

    Raises SuiteError for what is not so, and for a file that is neither there nor where we are.

    >>> from robust.schema import bind
    >>> source("architecture", "lenet5", lambda kind, value, _: bind(kind, value), Path()).name
    'lenet5'
    """
    if kind == "keras":
        return _keras_file(convert(value, str, kind), folder)
    if kind == "pretrained":
        return pretrained.source(value, call, partial(_file, folder))
    bound = call("architectures", value, kind)
    if kind == "python" and not catalog.is_foreign(bound.name):
        raise SuiteError(f'python = {value!r}: must be "module:function"; for ours write architecture =', kind)
    return bound


def pixels(value: Any) -> tuple[float, float]:
    """What the inputs of a model range over, from `pixels = [lowest, highest]`; else SuiteError.

    >>> pixels([0, 255])
    (0.0, 255.0)
    """
    ends = convert(value, list[float], "pixels")
    if len(ends) != 2 or not -inf < ends[0] < ends[1] < inf:
        raise SuiteError(f"pixels = {value!r}: must be [lowest, highest], as in [0, 255]", "pixels")
    return ends[0], ends[1]


def _keras_file(name: str, folder: Path) -> Path:
    found = _file(folder, name, "keras")
    if found.suffix != ".keras":
        write = f'as model.save("{found.stem}.keras") writes'
        raise SuiteError(f"keras = {name!r}: must be a .keras file, {write}", "keras")
    return found


def _file(folder: Path, name: str, key: str) -> Path:
    found = beside(folder, name)
    if found is None or not found.is_file():
        raise SuiteError(f"{key} = {name!r}: there is no such file in {folder} or {Path.cwd()}", key)
    return found
