"""Which data a suite names: a set by its name, or the user's own folder, arrays or code."""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from robust.core import key_values, registry
from robust.core.errors import SuiteError
from robust.core.signature import Call, bind, convert, signature
from robust.core.types import Channels, NewTable, Table
from robust.datasets.data_call import presented
from robust.suite import classes as class_names
from robust.suite.paths import resolve_path

_OWN = ("folder", "arrays")
_SOURCES = ("name", *_OWN, "python")
_PATH = re.compile(r"^[/.~]|/$")
_VERSION = re.compile(r":[\d*]+(\.[\d*]+)*$")


def presentation(classes: object = None, channels: object = None, folder: Path = Path()) -> NewTable:
    """The checked settings of how data is presented to a model, see `robust.datasets.data_call`; else SuiteError."""
    return {
        "classes": None if classes is None else class_names.names(classes, folder),
        "channels": None if channels is None else convert(channels, Channels, "channels"),
    }


def named(value: object) -> Any:
    """A table with the name of a member of the catalogue, from any form that a suite may use.

    { folder = "photos" } and { arrays = "x.npz" } name their path, { python = "module:function" } third-party
    code; a name unlike any in the catalogue is passed on to tensorflow-datasets, unchecked.

    Raises SuiteError for a table with two sources.

    >>> named({"name": "cifar10", "test": "test[:1000]"})
    {'name': 'tfds', 'builder': 'cifar10', 'test': 'test[:1000]'}
    >>> named({"folder": "photos"})
    {'name': 'folder', 'path': 'photos'}
    """
    table = {"name": value} if isinstance(value, str) else value
    if not isinstance(table, Mapping) or not (given := [key for key in _SOURCES if key in table]):
        return value
    if len(given) > 1:
        raise SuiteError(f"data is one of {', '.join(_SOURCES)}; this has {' and '.join(given)}", given[1])
    source, rest = given[0], {key: v for key, v in table.items() if key not in given}
    if not isinstance(what := table[source], str):
        raise SuiteError(f"{source} = {what!r}: must be a string", source)
    if source in _OWN:
        return {"name": source, "path": what, **rest}
    if source == "python":
        if not registry.is_foreign(what):
            raise SuiteError(f'python = {what!r}: must be "module:function"', source)
        return {"name": what, **rest}
    return table if is_ours(what) or "builder" in rest else {"name": "tfds", "builder": what, **rest}


def data(value: object, call: Callable[[str, object, str], Call], folder: Path) -> Call:
    """What `data = value` means in a suite in this folder.

    `call` binds a name or table to a member of a catalogue; it is given the key.

    Raises SuiteError for an invalid value.
    """
    try:
        table, given = _seen(named(value), folder)
        return presented(located(call("datasets", table, "data"), folder), **given, remark=two_meanings(value, folder))
    except SuiteError as error:
        if error.key and not error.key.startswith("data"):
            raise SuiteError(str(error), f"data.{error.key}") from None
        raise


def read_data(value: str | Table, *, allow_code: bool = True, transform: str | Table | None = None) -> Call:
    """The data named on a command line or in Python, as in a suite.

    A string in the form of a path, "./photos" or "photos/", or the path of a folder, with a slash in it, or
    of an .npz file, names that path; one that ends in .csv names a table of files and labels.

    Args:
        value: the name, path or table of the data.
        allow_code: may it be "module:function"?
        transform: "imagenet", the side of a square as in "96", or a table of a suite, for data whose images differ
            in size.

    Raises SuiteError for an invalid value.

    >>> read_data("mnist", transform="96").arguments["transform"] == {"size": 96}
    True
    """
    table = named(by_path(value, transform is not None) if isinstance(value, str) else value)
    remark = two_meanings(value, Path(), table.get("name") == "folder") if isinstance(table, Mapping) else ""
    if transform is not None and isinstance(table, Mapping):
        table = {**table, "transform": _transform(transform)}
    name = table.get("name") if isinstance(table, Mapping) else None
    key_values.refuse([name] if isinstance(name, str) else [], allow_code)
    table, given = _seen(table, Path())
    return presented(located(bind("datasets", table), Path()), **given, remark=remark)


def _transform(given: str | Table) -> str | Table:
    """The transform as in a suite: a number alone is a size, a text may be a table in TOML.

    >>> _transform("96"), _transform("{ size = 32, antialias = false }")
    ({'size': 96}, {'size': 32, 'antialias': False})
    """
    if not isinstance(given, str):
        return given
    return {"size": int(given)} if given.isdecimal() else key_values.value(given) if given.startswith("{") else given


def two_meanings(value: object, folder: Path, is_folder: bool = False) -> str:
    """For a bare name that is also a folder's: which of the two was used, and how to specify the other; else ""."""
    if (
        not isinstance(value, str)
        or "/" in value
        or (found := resolve_path(folder, value)) is None
        or not found.is_dir()
    ):
        return ""
    if is_folder:
        return f"taken for the folder; a data set of that name would be data = {{ name = {value!r}, ... }} in a suite"
    other = f"{value}/" if folder == Path() else f"{{ folder = {value!r} }}"
    return f"taken for the data set of that name; for the folder {str(found)!r} write {other}"


def _seen(table: object, folder: Path) -> tuple[Any, NewTable]:
    """The table of a data set without the common keys, and these; third-party code may have keys of these names."""
    if not isinstance(table, Mapping):
        return table, {}
    name = table.get("name")
    given = [key for key in ("classes", "channels") if key in table]
    if given and isinstance(name, str) and registry.is_foreign(name):
        own = {parameter.name for parameter in signature("datasets", name)}
        given = [key for key in given if key not in own]
    found = presentation(**{key: table[key] for key in given}, folder=folder)
    return {key: value for key, value in table.items() if key not in given}, found


def by_path(value: str, wants_a_folder: bool) -> str | dict[str, str]:
    """The table for a path, or the string itself if it is a name."""
    if value.endswith(".npz"):
        return {"arrays": value}
    if value.endswith(".csv"):
        return {"folder": str(Path(value).parent), "labels": Path(value).name}
    is_there = ("/" in value or wants_a_folder) and Path(value).is_dir()
    return {"folder": value} if _PATH.search(value) or is_there else value


def is_ours(name: str) -> bool:
    """A member of the catalogue, a similar name (so that the error can suggest one), or "module:function"."""
    if registry.is_foreign(name):
        return not _VERSION.search(name)
    return bool(difflib.get_close_matches(name, registry.names("datasets"), cutoff=0.8))


def located(call: Call, folder: Path) -> Call:
    """The call with its paths resolved: relative to the suite, or to the current folder.

    Raises SuiteError for a file or folder that is in neither.
    """
    given = dict(call.arguments)
    if registry.is_foreign(call.name):
        return call
    if "path" in given:
        given["path"] = _place(given["path"], folder, call.name)
    if given.get("labels") and not (Path(given["path"]) / given["labels"]).is_file():
        given["labels"] = _place(given["labels"], folder, "labels")
    if given.get("data_dir"):
        home = Path(given["data_dir"]).expanduser()
        given["data_dir"] = str(folder / home if (folder / home).is_dir() else home)
    if isinstance(test := given.get("test"), Mapping) and "ids" in test:
        given["test"] = {**test, "ids": _place(test["ids"], folder, "ids")}
    return replace(call, arguments=given)


def _place(name: str, folder: Path, key: str) -> str:
    if (found := resolve_path(folder, name)) is not None:
        return str(found)
    here = Path.cwd()
    where = f"is not in {here}" if folder.resolve() == here else f"is neither in {folder} nor in {here}"
    there = "there is no such file or folder" if Path(name).expanduser().is_absolute() else where
    raise SuiteError(f"{key} = {name!r}: {there}", key)
