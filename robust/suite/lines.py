"""In which line of a TOML file a key stands; `tomllib` does not say."""

import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from robust.errors import SuiteError

_HEADER = re.compile(r"\s*\[\[?([^\[\]]+)\]\]?\s*(#.*)?")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")


class Lines:
    """Finds the lines of keys, and puts `file:line: ` before the errors that are raised about them."""

    def __init__(self, path: Path, text: str):
        self.path, self._found, table = path, {}, ()
        for number, line in enumerate(text.splitlines(), 1):
            if header := _HEADER.fullmatch(line):
                table = _keys(header[1])
                self._found.setdefault(table, number)
            elif key := _KEY.match(line):
                self._found.setdefault(table + _keys(key[1]), number)

    def find(self, *keys: str) -> int:
        """The line of the key, or of the nearest table or key around it that has one."""
        while keys and keys not in self._found:
            keys = keys[:-1]
        return self._found.get(keys, 1)

    @contextmanager
    def at(self, *keys: str) -> Iterator[None]:
        """Errors raised inside are about something under these keys."""
        try:
            yield
        except SuiteError as error:
            line = self.find(*keys, *(error.key or "").split("."))
            error.where = error.where or f"{self.path}:{line}"
            raise


def _keys(dotted: str) -> tuple[str, ...]:
    try:
        table: Any = tomllib.loads(f"{dotted} = 0")
    except tomllib.TOMLDecodeError:
        return (dotted,)
    keys: tuple[str, ...] = ()
    while isinstance(table, dict):
        key, table = next(iter(table.items()))
        keys = (*keys, key)
    return keys
