"""The names of classes in a model's order: a list, names separated by commas, or a file of them."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from robust.core import files
from robust.core.errors import SuiteError
from robust.core.types import NewTable
from robust.suite.paths import resolve_path

_FORMS = 'a list of names, "cat,dog", or a file: one name a line, or .json'


def names(value: object, folder: Path = Path()) -> tuple[str, ...]:
    """The classes that `classes = value` names, in their order; files are in `folder`, or in the current one.

    A .json file holds a list of names, a table from place to name or to (WordNet id, name), or from name to place, as
    Keras' `class_indices`, or such a table under "id2label" or "label2id".

    Raises SuiteError for anything else, and for a name that occurs twice.

    >>> names("cat, dog"), names(["cow"])
    (('cat', 'dog'), ('cow',))
    """
    if hasattr(value, "tolist"):  # names from NumPy
        value = value.tolist()
    if isinstance(value, str):
        file = resolve_path(folder, value)
        if file is None and "," not in value:
            raise SuiteError(f"classes = {value!r}: there is no such file; must be {_FORMS}", "classes")
        value = value.split(",") if file is None else _read(file)
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise SuiteError(f"classes = {value!r}: must be {_FORMS}", "classes")
    found = tuple(name.strip() for name in value)
    if not found or "" in found:
        raise SuiteError(f"classes = {list(found)!r}: no name is empty; must be {_FORMS}", "classes")
    if twice := [name for name, n in Counter(found).items() if n > 1]:
        raise SuiteError(f"classes: {twice[0]!r} occurs twice", "classes")
    return found


def _read(file: Path) -> list[str]:
    try:
        text = files.text(file)
        return (
            _of_json(files.parsed(text, object_pairs_hook=once))
            if file.suffix.lower() == ".json"
            else text.rstrip().splitlines()
        )
    except (OSError, ValueError, RecursionError) as error:
        raise SuiteError(f"classes: {file}: cannot be read as names ({error}); must be {_FORMS}", "classes") from None


def once(pairs: list[tuple[str, object]]) -> NewTable:
    """A table of its keys and values; ValueError where a key occurs twice, as one value would be lost."""
    if twice := [key for key, n in Counter(key for key, _ in pairs).items() if n > 1]:
        raise ValueError(f"{twice[0]!r} occurs twice")
    return dict(pairs)


def _of_json(value: object) -> list[str]:
    if isinstance(value, list):
        return value
    if not isinstance(value, Mapping):
        raise ValueError("neither a list nor a table")
    table = next((value[key] for key in ("id2label", "label2id") if isinstance(value.get(key), Mapping)), value)
    if all(isinstance(place, int) for place in table.values()):
        table = once([(str(place), name) for name, place in table.items()])
    if sorted(table, key=str) != sorted(map(str, range(len(table)))):
        raise ValueError("its places are not 0, 1, 2, ...")
    listed = [table[str(place)] for place in range(len(table))]
    return [name[0] if isinstance(name, list) and name else name for name in listed]
