"""Remedies in the syntax of the current interface: a suite's TOML, command line options, or keyword arguments.

A message contains a remedy as returned by `setting`, with a key of a suite and its value; it may be stored in this
form, and is formatted when it is shown, see `formatted`.
"""

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal, get_args

Interface = Literal["python", "command", "suite", "pytest", "script"]
"""Python; options of a command; a suite under `robust run`, under pytest, and under `robust.run` in Python."""

INTERFACES: tuple[Interface, ...] = get_args(Interface)
_OPEN, _CLOSE = "\u27ea", "\u27eb"
_SETTING = re.compile(rf"{_OPEN}(\[.*?\]){_CLOSE}")
_FILE = "names.txt"
_PLURAL = {"attack": "attacks"}  # where `robust.evaluate` has another name
_SUITE_ALONE = ("minimal", "ood", "restrict")
_OF_ATTACK = ("target",)
_NAMED = ("attack", "adversary")
_OPTIONS = (
    "preprocessing", "transform", "classes", "channels", "black_box", "output", "eps", "max_images", "balanced",
    "precision", "class_weights", "sampling", "patience", "allow_code", "out", "tensorboard",
)  # fmt: skip
_OF_A_SUITE: dict[Interface, Interface] = {"python": "script", "command": "suite"}
_in_force: Interface = "python"

Words = Callable[[str, Any], str]
"""How an interface formats a key and its value."""


def setting(key: str, value: object) -> str:
    """A remedy within a message: a key of a suite's model, data or case (or `allow_code`, `out`), and its value."""
    return f"{_OPEN}{json.dumps([key, value])}{_CLOSE}"


@contextmanager
def using_interface(interface: Interface) -> Iterator[None]:
    """Messages inside are formatted for this interface; so are errors that leave it, for the innermost."""
    global _in_force
    before, _in_force = _in_force, interface
    try:
        yield
    except Exception as error:
        if getattr(error, "interface", interface) is None:
            error.interface = interface  # type: ignore[attr-defined]
        raise
    finally:
        _in_force = before


@contextmanager
def of_a_suite() -> Iterator[None]:
    """Messages inside are about a suite that is run from the current interface."""
    with using_interface(_OF_A_SUITE.get(_in_force, _in_force)):
        yield


def current_interface() -> Interface:
    """The interface for which messages are currently formatted."""
    return _in_force


def formatted(message: str, interface: Interface | None = None) -> str:
    """The message with each remedy as it is typed in `interface`, by default the current one.

    >>> remedy = "set " + setting("preprocessing", [0, 255])
    >>> [formatted(remedy, each) for each in ("suite", "command", "python")]
    ['set preprocessing = [0, 255]', 'set --preprocessing 0 255', 'set preprocessing=[0, 255]']
    """
    words = _WORDS[interface or _in_force]
    return _SETTING.sub(lambda found: words(*json.loads(found[1])), message)


def formatted_all(value: object) -> Any:
    """The same for every string in lists and tables."""
    if isinstance(value, str):
        return formatted(value)
    if isinstance(value, dict):
        return {key: formatted_all(each) for key, each in value.items()}
    return [formatted_all(each) for each in value] if isinstance(value, list) else value


def revised(message: str, key: str, change: Callable[[Any], object]) -> str:
    """The message in which each remedy of this key has its value changed.

    >>> formatted(revised("set " + setting("eps", "8/255"), "eps", lambda value: "2/255"), "suite")
    'set eps = "2/255"'
    """

    def one(found: re.Match[str]) -> str:
        name, value = json.loads(found[1])
        return setting(name, change(value)) if name == key else found[0]

    return _SETTING.sub(one, message)


def named(message: str) -> list[tuple[str, Any]]:
    """The remedies of a message: keys and values.

    >>> named("set " + setting("output", "main") + " or " + setting("black_box", True))
    [('output', 'main'), ('black_box', True)]
    """
    return [tuple(json.loads(found)) for found in _SETTING.findall(message)]


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{key} = {_toml(each)}' for key, each in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)


def in_suite(key: str, value: object, outside: Words) -> str:
    """outside: formats settings that are not part of a suite."""
    return outside(key, value) if key in ("allow_code", "out", "tensorboard") else f"{key} = {_toml(value)}"


def _in_ini(key: str, value: Any) -> str:
    return "-o robust_allow_code=true" if key == "allow_code" else f"-o robust_reports={shlex.quote(value)}"


def in_python(key: str, value: object) -> str:
    """As an argument of `robust.evaluate`; for an attack, as an entry of its table."""
    if key in _SUITE_ALONE:
        return f"in a suite, {key} = {_toml(value)}"
    if key in _OF_ATTACK:
        return f'"{key}": {value!r}'
    if key == "transform" and isinstance(value, Mapping) and {*value} == {"size"}:
        value = value["size"]
    return f"{_PLURAL.get(key, key)}={value!r}"


def as_option(key: str, value: Any) -> str:
    """As an option, or as --set for a table: --attack pgd --eps 8/255 --set steps=40."""
    if key in _SUITE_ALONE:
        return f"in a suite, {key} = {_toml(value)}"
    if key in _NAMED:
        return " ".join([f"--{key} {value['name']}", *(as_option(k, v) for k, v in value.items() if k != "name")])
    if key not in _OPTIONS:
        return f"--set {shlex.quote(f'{key}={value if isinstance(value, str) else _toml(value)}')}"
    option = f"--{key.replace('_', '-')}"
    return option if value is True else f"{option} {_typed(key, value)}"


def _typed(key: str, value: object) -> str:
    if isinstance(value, Mapping):  # a transform
        return str(value["size"]) if {*value} == {"size"} else shlex.quote(_toml(value))
    if key == "classes" and isinstance(value, list):
        plain = not any("," in name for name in value)
        return shlex.quote(",".join(value)) if plain else f"{_FILE}, a file with one name per line"
    return " ".join(shlex.quote(str(each)) for each in (value if isinstance(value, list) else [value]))


_WORDS: dict[Interface, Words] = {
    "python": in_python,
    "command": as_option,
    "suite": partial(in_suite, outside=as_option),
    "pytest": partial(in_suite, outside=_in_ini),
    "script": partial(in_suite, outside=in_python),
}
