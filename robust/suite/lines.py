"""The line of each key in a TOML file; `tomllib` does not report it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from robust.core import toml
from robust.core.errors import SuiteError, place

_WORD = r"""(?:[\w-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"({_WORD}(?:\s*\.\s*{_WORD})*)"
_HEADER = re.compile(rf"\s*\[\[?\s*{_DOTTED}\s*\]\]?\s*(#.*)?")
_KEY = re.compile(rf"\s*{_DOTTED}\s*=")
_TEXT = re.compile(r""""{3}(?:\\.|[^\\])*?"{3}|'{3}.*?'{3}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|#[^\n]*""", re.DOTALL)


class Lines:
    """Finds the lines of keys, and puts `file:line: ` before the errors that are raised about them."""

    def __init__(self, path: Path, text: str):
        self.path, self._found, table = path, {}, ()
        blank = _TEXT.sub(
            lambda m: "\n" * m[0].count("\n") or m[0], text
        )  # there are no keys inside a multi-line string
        for number, line in enumerate(blank.split("\n"), 1):
            keys = ()
            if header := _HEADER.fullmatch(line):
                keys = table = _keys(header[1])
            elif key := _KEY.match(line):
                keys = table + _keys(key[1])
            for depth in range(len(keys)):
                self._found.setdefault(".".join(keys[: depth + 1]), number)

    def find(self, *keys: str) -> int:
        """The line of the key, or of the nearest table or key around it that has one."""
        dotted = ".".join(keys)  # a name may hold a dot itself
        while dotted and dotted not in self._found:
            dotted = dotted.rpartition(".")[0]
        return self._found.get(dotted, 1)

    @contextmanager
    def at(self, *keys: str) -> Iterator[None]:
        """Errors raised inside are about something under these keys."""
        try:
            yield
        except SuiteError as error:
            error.where = error.where or place(self.path, self.find(*keys, error.key or ""))
            raise


def _keys(dotted: str) -> tuple[str, ...]:
    try:
        table: object = toml.loads(f"{dotted} = 0")
    except ValueError:
        return (dotted,)
    keys: tuple[str, ...] = ()
    while isinstance(table, dict):
        key, table = next(iter(table.items()))
        keys = (*keys, key)
    return keys
