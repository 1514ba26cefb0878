"""Untrusted strings: characters that a displayed string must not contain."""

import re
from collections.abc import Iterable

LONGEST = 10_000
"""The maximum number of characters of a string: a name, an id, a sentence about a model."""

_ODD = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
NOT_IN_A_LINE = re.compile(f"{_ODD.pattern}|[\t\n\r]")
"""What `odd` finds, line breaks and tabs."""


def odd(text: str) -> str:
    """The first control character, bidirectional override, or lone surrogate; "" where there is none.

    Line ends and tabs are allowed.

    >>> odd("cat"), odd("ca\\x1bt"), odd("cat\\n"), odd("cat\\u202egnp") == chr(0x202E)
    ('', '\\x1b', '', True)
    """
    return found[0] if (found := _ODD.search(text)) else ""


def printable(text: str, most: int = 1000) -> str:
    """A text in one line, without control characters and of limited length, as a table can hold it.

    >>> printable("no\\nsuch\\x1b[2J file")
    'no such\\\\x1b[2J file'
    """
    line = NOT_IN_A_LINE.sub(lambda found: " " if found[0].isspace() else repr(found[0])[1:-1], text)
    return line if len(line) <= most else f"{line[: most // 2]}...{line[-most // 2 :]}"


def fault(words: Iterable[str]) -> str:
    """What is wrong with the first of these strings that cannot be displayed as it is; "" where all can.

    >>> fault(["cat", "a" * 10_001])
    "must be strings of 10,000 characters at most, not of 10,001: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'..."
    """
    for word in words:
        if len(word) > LONGEST:
            return f"must be strings of {LONGEST:,} characters at most, not of {len(word):,}: {word[:30]!a}..."
        if found := odd(word):
            return f"holds the control character {found!a}, in {word[:100]!a}"
    return ""


def inside(value: object) -> Iterable[str]:
    """All strings in a JSON value, including keys.

    >>> list(inside({"a": ["b", 1, {"c": None}]}))
    ['a', 'b', 'c']
    """
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value:
            yield from inside(each)
        if isinstance(value, dict):
            yield from inside(list(value.values()))
