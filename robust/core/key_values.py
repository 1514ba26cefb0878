"""Settings from the command line: `key=value`."""

from collections.abc import Iterable, Sequence
from typing import Any

from robust.core import registry, signature, toml
from robust.core.errors import SuiteError
from robust.core.remedies import setting
from robust.core.signature import Call
from robust.core.types import NewTable


def bind(kind: str, name: str, texts: Sequence[str], flag: str) -> Call:
    """A member and its checked arguments, as `robust.core.signature.bind` reads them from a suite; nothing is imported.

    Raises SuiteError for an unknown member, key or value, with a suggestion.

    >>> bind("architectures", "vgg16", ["norm=batch", "width=1/2"], "--option").arguments["width"]
    0.5
    """
    return signature.bind(kind, {"name": name, **settings(kind, name, texts, flag)})


def settings(kind: str, name: str, texts: Sequence[str], flag: str) -> NewTable:
    """`["form=1998"]` as a table that `signature.bind` takes: a value is converted by its annotation, or else as TOML.

    flag: the option before them, for the message. Raises SuiteError for a text without "=".

    >>> settings("recipes", "short", ["epochs=3", "optimizer=sgd", "milestones=[0.5, 0.75]"], "--set")
    {'epochs': 3, 'optimizer': 'sgd', 'milestones': [0.5, 0.75]}
    """
    known = {parameter.name: parameter.annotation for parameter in signature.signature(kind, name)}
    return dict(_setting(text, known, flag) for text in texts)


def refuse(names: Iterable[str], allow_code: bool) -> None:
    """Raise SuiteError for "module:function", whose code would be run, unless it is trusted; nothing is imported.

    >>> refuse(["pgd", "foolbox:LinfPGD"], allow_code=False)
    """
    for name in names:
        if registry.is_foreign(name) and not allow_code:
            raise SuiteError(f"{name!r} runs third-party code; if you trust it, set {setting('allow_code', True)}")


def _setting(text: str, known: NewTable, flag: str) -> tuple[str, object]:
    key, equals, word = text.partition("=")
    if not equals:
        raise SuiteError(f"{flag} {text!r}: must be key=value; write {flag} {key}=VALUE")
    if known.get(key) is None:
        return key, value(word)
    try:
        return key, signature.convert(word, known[key], key)
    except SuiteError:
        return key, value(word)


def value(word: str) -> Any:
    """The value of a word as TOML, or else the word itself.

    >>> value("{ cat = 2.0 }"), value("balanced")
    ({'cat': 2.0}, 'balanced')
    """
    try:
        return toml.loads(f"value = {word}")["value"]
    except ValueError:
        return word
