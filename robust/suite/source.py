"""Where a model of a suite comes from: the catalogue, a file, pretrained weights, or third-party code."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from robust.core import keras_files, registry
from robust.core.errors import SuiteError, suggest
from robust.core.signature import Call, convert
from robust.core.types import NewTable, Table
from robust.suite import preprocessing, pretrained
from robust.suite.paths import resolve_path
from robust.suite.schema import Architecture, ModelFile, Python, Source

KINDS = ("architecture", "keras", "tflite", "pretrained", "python")
_ENDINGS = {"keras": keras_files.ENDINGS, "tflite": (".tflite",)}
CALL_OPTIONS = ("preprocessing", "output", "black_box")


def source(kind: str, value: object, call: Callable[[str, object, str], Call], folder: Path) -> Source:
    """The source that `kind = value` specifies, where kind is one of `KINDS`.

    Args:
        value: a name, a table or a path, depending on the kind.
        call: binds a name or table to a member of a catalogue; given the key.
        folder: that of the suite, and of files that it names.

    Raises SuiteError for an invalid value, and for a file that is neither there nor in the current folder.

    >>> from robust.core.signature import bind
    >>> source("architecture", "lenet5", lambda kind, value, _: bind(kind, value), Path()).name
    'lenet5'
    """
    if kind in ("keras", "tflite"):
        return ModelFile(_model_file(kind, convert(value, str, kind), folder))
    if kind == "pretrained":
        return pretrained.source(value, call, partial(_file, folder))
    bound = call("architectures", value, kind)
    if kind == "architecture":
        return Architecture(bound)
    if not registry.is_foreign(bound.name):
        raise SuiteError(f'python = {value!r}: must be "module:function"; for built-in ones write architecture =', kind)
    return Python(bound)


def call_options(table: Table) -> NewTable:
    """How a model is called, from the keys `CALL_OPTIONS` of its table; else SuiteError.

    >>> call_options({"output": "main"})
    {'preprocessing': None, 'output': 'main', 'black_box': False}
    """
    return {
        "preprocessing": preprocessing.read(table["preprocessing"]) if "preprocessing" in table else None,
        "output": convert(table["output"], str, "output") if "output" in table else None,
        "black_box": convert(table.get("black_box", False), bool, "black_box"),
    }


def foreign(source: Source) -> str:
    """Why a model is not loaded unless the suite is trusted; "" where nothing in it runs third-party code."""
    if not isinstance(source, ModelFile):
        return ""
    path = source.path
    return keras_files.refusal(path) if path.is_file() else f"{path} is {keras_files.of_saved_model(path)}"


def _model_file(kind: str, name: str, folder: Path) -> Path:
    saved = resolve_path(folder, name) if kind == "keras" else None
    if saved is not None and saved.is_dir():
        return saved
    found = _file(folder, name, kind)
    if found.suffix not in _ENDINGS[kind]:
        write = f'as model.save("{found.stem}.keras") writes, or the folder of a SavedModel'
        raise SuiteError(f"{kind} = {name!r}: must be a .{kind} file{f', {write}' if kind == 'keras' else ''}", kind)
    return found


def _file(folder: Path, name: str, key: str) -> Path:
    found = resolve_path(folder, name)
    if found is None or not found.is_file():
        places = list(dict.fromkeys([folder.resolve(), Path.cwd()]))
        near = [each.name for place in places for each in place.glob(f"*.{key}")]
        where = " or ".join(map(str, places))
        raise SuiteError(
            f"{key} = {name!r}: there is no such file in {where}{suggest(name, near) if near else ''}", key
        )
    return found
