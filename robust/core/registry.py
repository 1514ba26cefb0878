"""Name -> object, importing only what is requested.

A catalogue is a package whose `__init__.py` is its contents page: under `if TYPE_CHECKING:` one import a member,
`from robust.attacks.pgd import pgd as pgd`, which names its file. That is read from the source, so
suites are checked and listed without importing TensorFlow. The signature is the schema.
"""

import ast
import functools
import hashlib
import importlib
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from robust.core import suite_folder
from robust.core.errors import SuiteError, suggest
from robust.core.foolbox_classes import PREFIX

KINDS = {
    "architectures": "robust.models.architectures",
    "attacks": "robust.attacks",
    "corruptions": "robust.corruptions",
    "metrics": "robust.metrics",
    "profile": "robust.metrics.profile",
    "datasets": "robust.datasets",
    "augmentations": "robust.training.augmentations",
    "recipes": "robust.training.recipes",
    "adversaries": "robust.training.adversaries",
    "objectives": "robust.training.robust_losses",
    "sections": "robust.report.sections",
}
"""Each kind of extension and the package or module that is its contents page."""


# A module's own `__getattr__` (PEP 562) would not do: 39 members are functions of the name of their file, and importing
# such a file sets it as an attribute of its package, after all of its code has run; from then on `robust.attacks.pgd`
# would be the file, and no `__getattr__` would be called. Only a class of the package can intercept the assignment.
class _Contents(ModuleType):
    """A contents page whose names take precedence over files of the same name, and are imported when used."""

    def __setattr__(self, name: str, value: object) -> None:
        # The import system would put the file attacks/pgd.py where the function `pgd` belongs.
        if not (isinstance(value, ModuleType) and name in self.__all__):
            super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if name not in self.__dict__.get("__all__", ()):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(homes(self.__name__)[name]), name)
        super().__setattr__(name, value)
        return value

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.__all__})


def contents(package: str) -> None:
    """Make the package resolve the names of its members when they are first used; they are its `__all__`.

    The last line of a contents page: `registry.contents(__name__)`.
    """
    sys.modules[package].__dict__["__all__"] = sorted(homes(package))
    sys.modules[package].__class__ = _Contents


def names(kind: str) -> list[str]:
    """The members of a catalogue, sorted; those defined in the page itself are in its literal `__all__`.

    >>> names("attacks")[:3]
    ['apgd', 'apgd_t', 'autoattack']
    """
    page = source(KINDS[kind])
    own = [n.value for n in tree_of(page).body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "__all__"]
    found = sorted({*homes(KINDS[kind]), *(name for each in own for name in ast.literal_eval(each))})
    if not found:
        raise ImportError(f"{KINDS[kind]} has no members: import them `as` themselves, or list them in `__all__`")
    return found


def resolve(kind: str, name: str) -> Any:
    """The object itself; this imports its module.

    Raises SuiteError, with a suggestion, for a name that is not in the catalogue, and where Python has imported
    another module of the same name.
    """
    module, member = home(kind, name)
    file = source(module)
    imported = importlib.import_module(module)
    if is_foreign(name):
        suite_folder.check(imported, file)
    found = getattr(imported, member)
    return functools.partial(found, attack=name.removeprefix(PREFIX)) if name.startswith(PREFIX) else found


def home(kind: str, name: str) -> tuple[str, str]:
    """The module of a member and its name there; `"their.module:function"` is split."""
    if name.startswith(PREFIX) and kind == "attacks":
        return "robust.attacks.foolbox", "foolbox_attack"
    if is_foreign(name):
        module, _, function = name.partition(":")
        return module, function
    if name not in names(kind):
        raise SuiteError(f"no {kind} named {name!r}{suggest(name, names(kind))}")
    return homes(KINDS[kind]).get(name, KINDS[kind]), name


def is_foreign(name: str) -> bool:
    """Is it `"their.module:function"`, third-party code, rather than a name of the catalogue?"""
    return ":" in name and not name.startswith(PREFIX)


def definition(kind: str, name: str) -> ast.FunctionDef | ast.Assign:
    """The definition of a member, as a syntax tree; nothing is imported or run."""
    module, function = home(kind, name)
    for node in tree_of(source(module)).body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            return node
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == function:
            return node
    raise SuiteError(f"{module} defines no function {function!r}")


def declaration(kind: str, name: str, decorator: str) -> dict[str, Any] | None:
    """The literal keywords of a member's decorator; None where it has none of this name.

    Raises SuiteError for a keyword that is not a literal.

    >>> declaration("metrics", "targetability", "metric")["per_pair"]
    ('sent',)
    """
    node = definition(kind, name)
    for call in (each for each in getattr(node, "decorator_list", ()) if isinstance(each, ast.Call)):
        if decorator == getattr(call.func, "id", getattr(call.func, "attr", "")):
            try:
                return {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
            except ValueError:
                raise SuiteError(
                    f"{name}: the arguments of @{decorator} are read from source, so they must be literals"
                ) from None
    return None


def siblings(kind: str, name: str) -> list[ast.stmt]:
    """The statements of a member's module."""
    return tree_of(source(home(kind, name)[0])).body


def summary(kind: str, name: str) -> str:
    """The first line of a member's docstring."""
    node = definition(kind, name)
    if isinstance(node, ast.FunctionDef):
        return (ast.get_docstring(node) or "").split("\n")[0]
    body = siblings(kind, name)
    after = body[body.index(node) + 1]
    return ast.literal_eval(after.value).strip().split("\n")[0] if isinstance(after, ast.Expr) else ""


def code(path: Path, *, page: bool = False) -> str:
    """What a file's code does, as text: comments, layout and docstrings do not count; nor do a page's members."""
    tree = ast.parse(path.read_text("utf-8"))
    tree.body = [node for node in tree.body if not (page and for_type_checkers(node))]
    for node in ast.walk(tree):
        if isinstance(body := getattr(node, "body", None), list):  # a string by itself does nothing
            body[:] = [s for s in body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    return ast.dump(tree)


def foreign_code(name: str) -> str:
    """A hash of the file of "their.module:function"; what that file imports does not count."""
    return hashlib.sha256(code(source(name.partition(":")[0])).encode()).hexdigest()[:24]


def is_page(module: str) -> bool:
    """Is it a contents page, which only lists members?"""
    calls = [n for n in tree_of(source(module)).body if isinstance(n, ast.Expr) and isinstance(n.value, ast.Call)]
    return any(ast.unparse(node) == "registry.contents(__name__)" for node in calls)


def for_type_checkers(node: ast.stmt) -> bool:
    """Is it `if TYPE_CHECKING:`, which never runs?"""
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


@functools.cache
def homes(package: str) -> dict[str, str]:
    """Name -> module, from the imports that the contents page makes for type checkers only."""
    blocks = [n for n in tree_of(source(package)).body if for_type_checkers(n)]
    imports = [n for block in blocks for n in getattr(block, "body", ()) if isinstance(n, ast.ImportFrom)]
    return {alias.asname or alias.name: str(n.module) for n in imports for alias in n.names}


def source(module: str) -> Path:
    """The file of a module, found without importing it or the packages around it."""
    return _source(module, tuple(sys.path))


@functools.cache
def _source(module: str, on: tuple[str, ...]) -> Path:
    """The file on this path: a suite has modules in its own folder, see `robust.core.suite_folder`."""
    path, spec = list(on), None
    for part in module.split("."):
        spec = PathFinder.find_spec(part, path)
        if spec is None:
            raise SuiteError(f"no module named {module!r} on the path")
        path = list(spec.submodule_search_locations or ())  # a file has no modules inside
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        raise SuiteError(f"{module!r} is not a Python source file")
    return Path(spec.origin)


@functools.cache
def tree_of(path: Path) -> ast.Module:
    """The syntax tree of a file, shared: not to be changed."""
    try:
        return ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError) as error:
        raise SuiteError(f"{path}: cannot be read as Python ({error})") from None
