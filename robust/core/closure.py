"""Which code a result depends on: the modules of the package that its members import, and what these import.

What a module does when it runs counts; its docstrings, comments and layout do not. A contents page counts without the
list of its members, so that a new member changes no result of another. Modules of `core` read, check and report; one of
them counts only if it imports a numerical library. The content of a suite is in the keys as values, so its parsing does
not count, except for modules that others import by name, such as `robust.suite.preprocessing`.
"""

import ast
import functools
from collections.abc import Iterable, Iterator
from pathlib import Path

from robust.core import registry
from robust.core.errors import SuiteError

ROOT = "robust"
NUMERIC = {
    "numpy": "numpy", "scipy": "scipy", "pandas": "pandas", "sklearn": "scikit-learn", "tensorflow": "tensorflow",
    "keras": "keras", "PIL": "pillow", "ml_dtypes": "ml_dtypes", "safetensors": "safetensors", "foolbox": "foolbox",
}  # fmt: skip
"""Numerical libraries by import name -> the names of their distributions."""
_CORE, _SUITE = f"{ROOT}.core", f"{ROOT}.suite"


def closure(modules: Iterable[str]) -> list[str]:
    """These modules and all they import of the package, and those these import, sorted.

    Args:
        modules: dotted names, as "robust.attacks.pgd".

    >>> found = closure(["robust.attacks.pgd"])
    >>> "robust.attacks.ball" in found, "robust.attacks.fab" in found
    (True, False)
    """
    found, waiting = set[str](), list(modules)
    while waiting:
        if (module := waiting.pop()) not in found and counts(module):
            found.add(module)
            waiting += () if module.startswith(_SUITE) else imports(module)
    return sorted(found)


def counts(module: str) -> bool:
    """Can the code of this module change a result?

    >>> counts("robust.core.errors"), counts("robust.core.statistics"), counts("robust.results.outcome")
    (False, True, True)
    """
    if module.startswith(_CORE):
        return any(name.split(".")[0] in NUMERIC for name in _all_imports(module))
    return module != _SUITE


def libraries(modules: Iterable[str]) -> list[str]:
    """The numerical libraries that these modules import, by the names of their distributions, sorted.

    >>> libraries(closure(["robust.corruptions.blur"]))
    ['numpy', 'scipy']
    """
    imported = {name.split(".")[0] for module in modules for name in _all_imports(module)}
    return sorted(NUMERIC[name] for name in imported & NUMERIC.keys())


@functools.cache
def code(module: str) -> str:
    """What a module does when it runs, as text; for a contents page, without the list of its members."""
    return registry.code(registry.source(module), page=registry.is_page(module))


@functools.cache
def imports(module: str) -> frozenset[str]:
    """The modules of the package that a module imports, at the top or inside a function, and the homes of the members
    that it calls by name, as in `Call("attacks", "apgd", ...)`."""
    found = {home for name in _all_imports(module) if name.split(".")[0] == ROOT for home in _home(name)}
    for node in ast.walk(registry.tree_of(registry.source(module))):
        match node:
            case ast.Call(func=ast.Name(id="Call"), args=[ast.Constant(str(kind)), ast.Constant(str(name)), *_]):
                found.add(registry.home(kind, name)[0])
    return frozenset(found - {module})


@functools.cache
def _all_imports(module: str) -> tuple[str, ...]:
    """All that a module imports, in full: "numpy", "robust.attacks.ball", "robust.attacks.pgd.pgd"."""
    return tuple(
        _imported(
            [node for node in registry.tree_of(registry.source(module)).body if not registry.for_type_checkers(node)]
        )
    )


def _imported(statements: Iterable[ast.stmt]) -> Iterator[str]:
    for statement in statements:
        for node in ast.walk(statement):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            elif isinstance(node, ast.Call) and _is_import_module(node.func):
                yield from (str(each.value) for each in node.args if isinstance(each, ast.Constant))


def _is_import_module(function: ast.expr) -> bool:
    return isinstance(function, ast.Attribute) and ast.unparse(function) == "importlib.import_module"


def _home(name: str) -> Iterator[str]:
    """The module of an imported name of the package: itself, or the module that defines it.

    A package's own file runs when one of its modules is imported, so it counts, too; a contents page does nothing then.
    """
    package, _, last = name.rpartition(".")
    if package and registry.is_page(package) and last in registry.homes(package):
        yield registry.homes(package)[last]
    elif _is_module(name):
        yield name
    elif package:
        yield package
    parents = [".".join(package.split(".")[:n]) for n in range(2, package.count(".") + 2)]
    yield from (parent for parent in parents if not registry.is_page(parent))


@functools.cache
def _is_module(name: str) -> bool:
    try:
        return Path(registry.source(name)).is_file()
    except SuiteError:
        return False
