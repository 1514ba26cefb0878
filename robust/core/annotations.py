"""The type denoted by an annotation in a signature, read from source: nothing is imported.

>>> import ast
>>> read(ast.parse("Optional[Count]", mode="eval").body, ast.parse("from typing import Optional").body)
typing.Optional[typing.Annotated[int, Range(low=1, high=inf, above=False, most=10000000)]]
"""

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import EllipsisType, NoneType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from robust.core import types as quantities

_UNION, _LITERAL, _ANNOTATED = cast(Any, Union), cast(Any, Literal), cast(Any, Annotated)  # unknown to type checkers
_PLAIN: Mapping[str, Any] = {
    "int": int, "float": float, "bool": bool, "str": str, "list": list, "tuple": list, "dict": dict, "object": Any,
    "None": NoneType,
}  # fmt: skip
_LISTS = (
    "list",
    "List",
    "set",
    "Set",
    "frozenset",
    "FrozenSet",
    "Sequence",
    "Iterable",
    "Collection",
    "MutableSequence",
)
_TABLES = ("dict", "Dict", "Mapping", "MutableMapping")
_MODULES = ("", "builtins", "typing", "typing_extensions", "collections.abc", "types", quantities.__name__)
_DEPTH = 10  # of aliases of aliases


@dataclass(frozen=True)
class Unreadable:
    """An annotation against which a suite's value cannot be checked: a callable, a class, an array."""

    text: str


def read(node: ast.expr | None, module: Iterable[ast.stmt] = ()) -> Any:
    """The type denoted by an annotation's syntax tree; None without one, `Unreadable` for what TOML cannot express.

    Args:
        node: the annotation. module: the statements of the function's module, in which its names are looked up.
    """
    if node is None:
        return None
    try:
        return _Reader(list(module)).type(node)
    except _UnreadableError:
        return Unreadable(ast.unparse(node))


def checkable(kind: object) -> bool:
    """Can a value of a suite be checked against this type?

    >>> checkable(int | None), checkable(list[float]), checkable(print)
    (True, True, False)
    """
    if kind in (Any, int, float, bool, str, list, dict, NoneType):
        return True
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return True
    if origin is Annotated:
        return checkable(inner[0])
    known = isinstance(origin, type) and issubclass(origin, Collection)
    return (known or origin is Union or isinstance(kind, type(int | str))) and all(
        checkable(each) for each in inner if each is not ...
    )


class _UnreadableError(Exception):
    """Raised inside a tree that cannot be read."""


class _Reader:
    """The names of a module: imports under another name, and type aliases."""

    def __init__(self, module: Sequence[ast.stmt]):
        self.imported = {name: dotted for node in module for name, dotted in _imported(node)}
        self.aliases = dict(filter(None, map(_alias, module)))

    def type(self, node: ast.expr, depth: int = 0) -> Any:
        if depth > _DEPTH:
            raise _UnreadableError
        match node:
            case ast.Constant(value=None):
                return NoneType
            case ast.Constant(value=str(text)):
                return self.type(_parsed(text), depth + 1)
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return _UNION[self.type(left, depth), self.type(right, depth)]
            case ast.Name(id=name) if name in self.aliases:
                return self.type(self.aliases[name], depth + 1)
            case ast.Name() | ast.Attribute():
                return self.named(self.name(node))
            case ast.Subscript(value=value, slice=inner):
                return self.generic(self.name(value), inner.elts if isinstance(inner, ast.Tuple) else [inner], depth)
        raise _UnreadableError

    def name(self, node: ast.expr) -> str:
        """The name of a type in its own module, where that is a known module."""
        first, *rest = ast.unparse(node).split(".")
        module, _, name = ".".join([self.imported.get(first, first), *rest]).rpartition(".")
        if module not in _MODULES:
            raise _UnreadableError
        return name

    def named(self, name: str) -> Any:
        known = {**_PLAIN, **dict.fromkeys(_LISTS, list), **dict.fromkeys(_TABLES, dict), "Tuple": list, "Any": Any}
        if (found := known.get(name, quantities.NAMED.get(name))) is None:
            raise _UnreadableError
        return found

    def generic(self, name: str, inner: list[ast.expr], depth: int) -> Any:
        if name == "Literal":
            return _LITERAL[tuple(map(_value, inner))]
        if name == "Annotated":
            ranges = [made for each in inner[1:] if (made := _range(each))]
            own = self.type(inner[0], depth)
            return _ANNOTATED[own, ranges[0]] if ranges else own
        if name in ("tuple", "Tuple") and not (len(inner) == 2 and _is_ellipsis(inner[1])):
            return tuple[tuple(self.type(each, depth) for each in inner)]  # type: ignore[misc]
        parts = [self.type(each, depth) for each in inner if not _is_ellipsis(each)]
        if not parts:
            raise _UnreadableError
        if name == "Optional":
            return _UNION[parts[0], NoneType]
        if name == "Union":
            return _UNION[tuple(parts)]
        if name in (*_LISTS, "tuple", "Tuple"):
            return list[parts[0]]  # type: ignore[valid-type]  # TOML has only lists
        if name in _TABLES:
            return dict[tuple(parts)]  # type: ignore[misc]
        raise _UnreadableError


def _imported(node: ast.stmt) -> Iterator[tuple[str, str]]:
    """The names that a statement imports, and their qualified names."""
    if isinstance(node, ast.Import):
        yield from ((a.asname, a.name) for a in node.names if a.asname)
    if isinstance(node, ast.ImportFrom):
        yield from ((a.asname or a.name, f"{'.' * node.level}{node.module}.{a.name}") for a in node.names)


def _alias(node: ast.stmt) -> tuple[str, ast.expr] | None:
    """`Size = int | None`, with or without an annotation."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name, value
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            return name, value
    return None


def _parsed(text: str) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        raise _UnreadableError from None


def _value(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        raise _UnreadableError from None


def _range(node: ast.expr) -> quantities.Range | None:
    match node:
        case ast.Call(func=ast.Name(id="Range"), args=args, keywords=keywords):
            return quantities.Range(*map(_value, args), **{str(k.arg): _value(k.value) for k in keywords})
    return None


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, EllipsisType)
