"""Modules in a suite's folder: importable while the suite is read and run, and not afterwards."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from robust.core.errors import SuiteError

_IMPORTED: dict[tuple[str, ...], dict[str, ModuleType]] = {}  # folders -> the modules that came from them


@contextmanager
def importable(folders: Iterable[Path]) -> Iterator[None]:
    """Inside, modules in these folders can be imported; afterwards `sys.path` is as before.

    So are `sys.modules`: two suites may each have a `mine.py` in a folder of their own. Modules imported from these
    folders are kept, and are restored when the folders are used again.

    >>> before = list(sys.path)
    >>> with importable([Path("suites")]):
    ...     sys.path[-1] == str(Path("suites").resolve())
    True
    >>> sys.path == before
    True
    """
    there = {Path(entry).resolve() for entry in sys.path}
    added = tuple(str(each) for each in dict.fromkeys(folder.resolve() for folder in folders) if each not in there)
    kept, before = _IMPORTED.setdefault(added, {}), set(sys.modules)
    sys.modules.update({name: module for name, module in kept.items() if _top(name) not in before})
    sys.path.extend(added)
    try:
        yield
    finally:
        for folder in added:
            sys.path.remove(folder)
        theirs = [name for name in sys.modules if _top(name) not in before and _folder(_top(name)) in added]
        kept.update({name: sys.modules[name] for name in theirs})
        for name in theirs:
            del sys.modules[name]


def check(module: ModuleType, file: Path) -> None:
    """Raise SuiteError unless the module is from this file: Python has only one module of each name.

    >>> check(sys, Path("suites/sys.py"))
    Traceback (most recent call last):
    robust.core.errors.SuiteError: sys is suites/sys.py here, and Python has imported another one, built in; rename ...
    """
    origin = getattr(module, "__file__", None)
    if origin is None or Path(origin).resolve() != file.resolve():
        name, other = module.__name__, origin or "built in"
        raise SuiteError(f"{name} is {file} here, and Python has imported another one, {other}; rename one of the two")


def _top(name: str) -> str:
    return name.partition(".")[0]


def _folder(name: str) -> str:
    """The folder on the path in which an imported module, or package, was found."""
    spec = getattr(sys.modules.get(name), "__spec__", None)
    inside = [*(getattr(spec, "submodule_search_locations", None) or ()), getattr(spec, "origin", None) or ""]
    return str(Path(inside[0]).resolve().parent)
