"""Which data a suite names: a set by its name, or the user's own folder, arrays or code."""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from robust import catalog, typed
from robust.errors import SuiteError
from robust.schema import Call, bind

_OWN = ("folder", "arrays")
_SOURCES = ("name", *_OWN, "python")
_PATH = re.compile(r"^[/.~]|/$")
_VERSION = re.compile(r":[\d*]+(\.[\d*]+)*$")


def named(value: Any) -> Any:
    """A table with the name of a member of our catalogue, from what a suite may write.

    { folder = "photos" } and { arrays = "x.npz" } name their path, { python = "module:function" } somebody's
    code; a name that is not like one of ours is left to tensorflow-datasets, which is not asked here.

    Raises SuiteError for what names two sources.

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
        if not catalog.is_foreign(what):
            raise SuiteError(f'python = {what!r}: must be "module:function"', source)
        return {"name": what, **rest}
    return table if _is_ours(what) or "builder" in rest else {"name": "tfds", "builder": what, **rest}


def data(value: Any, call: Callable[[str, Any, str], Call], folder: Path) -> Call:
    """What `data = value` stands for in a suite that stands in this folder.

    `call` binds a name or table to a member of a catalogue; it is told the key.

    Raises SuiteError for what is wrong with it.
    """
    try:
        return located(call("datasets", named(value), "data"), folder)
    except SuiteError as error:
        if error.key and not error.key.startswith("data"):
            raise SuiteError(str(error), f"data.{error.key}") from None
        raise


def read_data(value: str | Mapping[str, Any], *, trust: bool = True, transform: str | None = None) -> Call:
    """What a command line or Python names as data, as a suite would.

    A string that looks like a path, "./photos" or "photos/", or is that of a folder, with a slash in it, or
    of an .npz file names that; one that ends in .csv names a table of files and labels.

    Args:
        value: what names the data.
        trust: may it be "module:function"?
        transform: "imagenet", or the side of a square as in "96", for data whose images differ in size.

    Raises SuiteError for what is wrong with it.

    >>> read_data("mnist", transform="96").arguments["transform"] == {"size": 96}
    True
    """
    if isinstance(value, str):
        value = _by_path(value, transform is not None)
    table = named(value)
    if transform is not None and isinstance(table, Mapping):
        table = {**table, "transform": {"size": int(transform)} if transform.isdecimal() else transform}
    name = table.get("name") if isinstance(table, Mapping) else None
    typed.refuse([name] if isinstance(name, str) else [], trust)
    return located(bind("datasets", table), Path())


def _by_path(value: str, wants_a_folder: bool) -> str | dict[str, str]:
    """The table for a path, or the string itself, which is then a name."""
    if value.endswith(".npz"):
        return {"arrays": value}
    if value.endswith(".csv"):
        return {"folder": str(Path(value).parent), "labels": Path(value).name}
    is_there = ("/" in value or wants_a_folder) and Path(value).is_dir()
    return {"folder": value} if _PATH.search(value) or is_there else value


def _is_ours(name: str) -> bool:
    """A member of our catalogue, something like one (so that the error can say so), or "module:function"."""
    if catalog.is_foreign(name):
        return not _VERSION.search(name)
    return bool(difflib.get_close_matches(name, catalog.names("datasets"), cutoff=0.8))


def located(call: Call, folder: Path) -> Call:
    """The call with its paths where they are: beside the suite, or where we are.

    Raises SuiteError for a file or folder that is in neither.
    """
    given = dict(call.arguments)
    if catalog.is_foreign(call.name):
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


def beside(folder: Path, name: str) -> Path | None:
    """What a suite in this folder means by a path: what is beside the suite, or else where we are; None for neither."""
    path = Path(name).expanduser()
    return next((place for place in (folder / path, path) if place.exists()), None)


def _place(name: str, folder: Path, key: str) -> str:
    if (found := beside(folder, name)) is not None:
        return str(found)
    here = Path.cwd()
    where = f"is not in {here}" if folder.resolve() == here else f"is neither in {folder} nor in {here}"
    there = "there is no such thing" if Path(name).expanduser().is_absolute() else where
    raise SuiteError(f"{key} = {name!r}: {there}", key)
