"""The signature is the schema: the arguments of a catalogue's member, read from source, and checked.

`bind` turns a table of a suite file into a `Call`: keys are bound to the member's parameters and the
values converted by their annotations, all without importing the member.
"""

import ast
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from robust.core import annotations, declared, foolbox_classes, registry
from robust.core import types as quantities
from robust.core.annotations import Unreadable
from robust.core.errors import SuiteError, suggest
from robust.core.types import NewTable, Table

SUPPLIED = {
    "architectures": {"input_shape", "classes"},
    "attacks": {"seeds", "start", "targets"},
    "corruptions": {"seeds"},
    "augmentations": {"seeds"},
    "adversaries": {"seeds", "step"},
}
"""Keyword arguments that `run` or `fit` supplies, so that a suite must not."""

_THEIRS = object()  # a default only known by running the code: left to the code
_KINDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a string",
    dict: "a table",
    list: "a list",
}


@dataclass(frozen=True)
class Parameter:
    """One key that a member takes: its name, annotation (None: it has none) and default (`...`: required)."""

    name: str
    annotation: object
    default: object = ...


@dataclass(frozen=True)
class Call:
    """A member of a catalogue and the checked arguments that it will be called with."""

    kind: str
    name: str
    arguments: Table = field(default_factory=dict)

    def resolve(self) -> Any:
        """The member itself; this imports it."""
        return registry.resolve(self.kind, self.name)

    def __call__(self, *args: object, **supplied: object) -> Any:
        """Import the member and call it, with the arguments of the suite and those that `run` supplies."""
        return self.resolve()(*args, **self.arguments, **supplied)

    def key(self) -> NewTable:
        """What identifies the call, for hashing and for display."""
        source = {"source": registry.foreign_code(self.name)} if registry.is_foreign(self.name) else {}
        return {"kind": self.kind, "name": self.name, **source, **self.arguments}


def bind(kind: str, table: str | Table) -> Call:
    """Check `{name = ..., key = value}` (or a bare name) against the member's signature.

    Raises SuiteError naming the key, the value and what is allowed.

    >>> bind("attacks", {"name": "fgsm", "eps": "8/255"}).arguments["eps"]
    0.03137254901960784
    """
    table = {"name": table} if isinstance(table, str) else dict(table)
    if not isinstance(name := table.pop("name", None), str):
        raise SuiteError(f"a table of {kind} needs a name{suggest('', registry.names(kind))}")
    parameters = {p.name: p for p in signature(kind, name)}
    for key in table:
        if key not in parameters:
            raise SuiteError(f"{key}: {name} takes no {key!r}{suggest(key, parameters)}", key)
    missing = [p.name for p in parameters.values() if p.default is ... and p.name not in table]
    if missing:
        raise SuiteError(f"{name} needs {', '.join(missing)}")
    declared.check(kind, name)
    given = {key: convert(value, parameters[key].annotation, key) for key, value in table.items()}
    known = {p.name: p.default for p in parameters.values() if p.default not in (..., _THEIRS)}
    arguments = {**known, **given}
    eps = arguments.get("eps")
    if arguments.get("norm") == "linf" and isinstance(eps, int | float) and eps > 1:
        raise SuiteError(f'eps = {eps:g}: for Linf it is at most 1, all of [0, 1]; did you mean "{eps:g}/255"?', "eps")
    return Call(kind, name, arguments)


def signature(kind: str, name: str) -> list[Parameter]:
    """The keys a member takes from a suite, in the order of its signature."""
    if name.startswith(foolbox_classes.PREFIX) and kind == "attacks":
        return _foolbox_signature(name)
    node = registry.definition(kind, name)
    if isinstance(node, ast.Assign):
        return value_signature(kind, name, node)
    if (shared := shared_signature(kind, name, node)) is not None:
        return shared
    supplied, taken = SUPPLIED.get(kind, set()), {a.arg for a in (*node.args.args, *node.args.kwonlyargs)}
    if any(ast.unparse(each).split(".")[-1] == "as_attack" for each in node.decorator_list):
        taken |= supplied  # the decorator takes them, for the function's `task`
    if node.args.kwarg is None and (refused := supplied - taken):
        raise SuiteError(f"{name} must accept {', '.join(sorted(refused))} (or **options)")
    pairs = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    around = registry.siblings(kind, name)
    return [
        Parameter(a.arg, annotations.read(a.annotation, around), _default(d)) for a, d in pairs if a.arg not in supplied
    ]


def value_signature(kind: str, name: str, node: ast.Assign) -> list[Parameter]:
    """A value made by `Schema(key=...)` takes the fields of that dataclass; its own values are the defaults."""
    body = [
        *registry.siblings(kind, registry.names(kind)[0]),
        *registry.siblings(kind, name),
    ]  # third-party code may use a class of the catalogue
    classes = {n.name: n for n in body if isinstance(n, ast.ClassDef)}
    match node.value:
        case ast.Call(func=ast.Name(id=schema), keywords=keywords) if schema in classes:
            own = {k.arg: ... if (d := _literal(k.value)) is _THEIRS else d for k in keywords}
        case _:
            raise SuiteError(f"{name}: its signature cannot be read; write a function, or for a recipe Recipe(...)")
    fields = [n for n in classes[schema].body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)]
    return [
        Parameter(f.target.id, annotations.read(f.annotation, body), own.get(f.target.id, _default(f.value)))  # type: ignore[union-attr]
        for f in fields
    ]


def shared_signature(kind: str, name: str, node: ast.FunctionDef) -> list[Parameter] | None:
    """The keys of a member decorated with `@arguments_of(first, key=default)`: those of the first one.

    The first one is defined above in the same file, or in the catalogue. None where there is no such decorator.
    """
    body, module = registry.siblings(kind, name), registry.home(kind, name)[0]
    above = [n.name for n in body[: body.index(node)] if isinstance(n, ast.FunctionDef)]
    for decorator in node.decorator_list:
        match decorator:
            case ast.Call(func=ast.Name(id="arguments_of"), args=[ast.Name(id=first)], keywords=keywords):
                own = {k.arg: _literal(k.value) for k in keywords}
                keys = signature(kind, f"{module}:{first}" if first in above else first)
                return [replace(key, default=own.get(key.name, key.default)) for key in keys]
    return None


def _default(node: ast.expr | None) -> object:
    """A default from the source: `...` where there is none, _THEIRS where it is not a literal."""
    return ... if node is None else _literal(node)


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):  # a name, a call; a list as the key of a table
        return _THEIRS


def _foolbox_signature(name: str) -> list[Parameter]:
    cls = foolbox_classes.named(name)
    keys = [p for p in inspect.signature(cls).parameters.values() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    options = [Parameter(p.name, _readable(p.annotation), ... if p.default is p.empty else p.default) for p in keys]
    norm = Parameter("norm", Literal["linf", "l2", "l1", "l0"], foolbox_classes.norm(cls) or ...)
    return [Parameter("eps", quantities.Eps), norm, *options]


def _readable(kind: object) -> object:
    if kind is inspect.Parameter.empty or annotations.checkable(kind):
        return None if kind is inspect.Parameter.empty else kind
    return Unreadable(inspect.formatannotation(kind))


def convert(value: Any, wanted: Any, key: str) -> Any:
    """The value converted to its annotation: fractions are read exactly, words and ranges are checked.

    Raises SuiteError that names the key, the value and what is allowed.

    >>> convert("8/255", quantities.Eps, "eps") == 8 / 255
    True
    """
    if wanted is None or wanted is Any:
        return value
    if isinstance(wanted, Unreadable):
        raise SuiteError(f"{key}: a suite's value cannot be checked against its annotation {wanted.text}", key)
    origin, args = get_origin(wanted), get_args(wanted)
    if origin is Annotated:
        number = convert(value, args[0], key)
        if isinstance(args[1], quantities.Range) and number not in args[1]:
            raise SuiteError(f"{key} = {value!r}: must be {args[1]}", key)
        if isinstance(args[1], quantities.Range) and number > args[1].most:
            raise SuiteError(f"{key} = {value!r}: probably a mistake; at most {args[1].most:,}", key)
        return number
    if origin is Literal:
        if (type(value), value) not in [(type(a), a) for a in args]:  # to Python, True is 1
            raise SuiteError(f"{key} = {value!r}: not known{suggest(value, [str(a) for a in args])}", key)
        return value
    if origin in (Union, UnionType):
        return _first_that_fits(value, args, key)
    if isinstance(origin, type) and issubclass(origin, Iterable):
        return _container(value, origin, args, key)
    return _scalar(value, wanted, key)


def _first_that_fits(value: object, choices: tuple, key: str) -> object:
    errors = []
    for choice in sorted(choices, key=lambda c: c is NoneType):  # a suite cannot write None: report the others
        try:
            return convert(value, choice, key)
        except SuiteError as error:
            errors.append(error)
    furthest = max(errors, key=lambda error: len(error.key or ""))
    literals = [choice for choice in choices if get_origin(choice) is Literal]
    if len(literals) > 1 and furthest.key == key:  # so that the message has the words of all alternatives
        words = [str(word) for choice in literals for word in get_args(choice)]
        raise SuiteError(f"{key} = {value!r}: not known{suggest(str(value), words)}", key)
    raise furthest


def _container(value: object, origin: type, args: tuple, key: str) -> object:
    if not issubclass(origin, Mapping):
        if not isinstance(value, list | tuple):
            raise SuiteError(f"{key} = {value!r}: must be a list", key)
        own = _of_each(origin, args, len(value))
        if len(own) != len(value):
            raise SuiteError(f"{key} = {value!r}: must be a list of {len(own)}", key)
        try:
            return [convert(v, want, f"{key}[{i}]") for i, (v, want) in enumerate(zip(value, own, strict=True))]
        except SuiteError as error:
            error.key = key  # as in the file
            raise
    if not isinstance(value, Mapping):
        raise SuiteError(f"{key} = {value!r}: must be a table", key)
    return {k: convert(v, args[-1] if args else None, f"{key}.{k}") for k, v in value.items()}


def _of_each(origin: type, args: tuple, n: int) -> list[Any]:
    """The types of n elements: `tuple[int, str]` has exactly two, any other container any number."""
    fixed = origin is tuple and args[-1:] != (...,)
    return list(args) if fixed else [args[0] if args else None] * n


def _scalar(value: object, wanted: type, key: str) -> object:
    if wanted is float and isinstance(value, str | int) and not isinstance(value, bool):
        return _number(value, key)
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        what = _KINDS.get(wanted, "nothing" if wanted is NoneType else wanted.__name__)
        raise SuiteError(f"{key} = {value!r}: must be {what}", key)
    return value


def _number(value: str | int, key: str) -> float:
    try:
        return quantities.exact(str(value))
    except ValueError:
        raise SuiteError(f'{key} = {value!r}: not a number; write 0.03 or a fraction like "8/255"', key) from None
