"""Untrusted TOML: `tomllib`, with a limit on the parts of a key, for each of which it creates a table."""

import re
import tomllib

from robust.core.types import NewTable

PARTS = 50
"""The maximum number of parts of a key, such as the three of a.b.c."""

LONGEST = 2**20
"""The maximum number of characters: a table takes a hundred times the memory of its keys."""

_TEXT = re.compile(r""""{3}(?:\\.|[^\\])*?"{3}|'{3}.*?'{3}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|#[^\n]*""", re.DOTALL)
_LONG = re.compile(rf"(?<![\w.\-])(?:[\w-]++[ \t]*+\.[ \t]*+){{{PARTS}}}")


def loads(text: str) -> NewTable:
    """Parse TOML; raises ValueError where it is invalid, too long, nested too deeply, or has a key of too many parts.

    >>> loads("a.b = 1")
    {'a': {'b': 1}}
    >>> loads("a." * 100_000 + "a = 1")
    Traceback (most recent call last):
    ValueError: a key has more than 50 parts (at line 1)
    """
    if len(text) > LONGEST:
        raise ValueError(f"it has more than {LONGEST:,} characters")
    blank = _TEXT.sub(lambda found: "\n" * found[0].count("\n") if found[0][0] == "#" else _word(found[0]), text)
    if long := _LONG.search(blank):
        raise ValueError(f"a key has more than {PARTS} parts (at line {blank.count(chr(10), 0, long.start()) + 1})")
    try:
        table = tomllib.loads(text)
    except RecursionError:
        raise ValueError("lists or tables are nested too deeply") from None
    refuse_long_numbers(table)
    return table


def refuse_long_numbers(table: NewTable) -> None:
    """Integers in TOML have 64 bits; Python also reads longer ones, which other code cannot handle."""
    waiting: list[object] = [table]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict | list):
            waiting.extend(value.values() if isinstance(value, dict) else value)
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ValueError(f"the whole number {str(value)[:20]}... has more than 64 bits")


def _word(text: str) -> str:
    return "a" + "\n" * text.count("\n")
