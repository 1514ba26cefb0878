"""CSV tables safe from formula injection: a cell that begins like a formula is prefixed with a '."""

import re
from collections import Counter
from collections.abc import Callable
from csv import Error as CSVError
from csv import reader as csv_reader
from pathlib import Path
from typing import Any

import pandas as pd

from robust.core import files

ROWS = 10**6
"""The maximum number of rows of a table: a thousand classes under a thousand conditions."""

_HEAD = 2**14  # maximum bytes of the header
_BYTES = 2**27  # maximum bytes of a table
_SHORT = 2**24  # bytes up to which cells may have any length
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def escape(cell: object) -> object:
    """The text such that no spreadsheet takes it for a formula; numbers are unchanged.

    >>> escape("=1+1"), escape("'=1"), escape("cat"), escape(-0.5)
    ("'=1+1", "''=1", 'cat', -0.5)
    """
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def unescape(cell: object) -> object:
    """The inverse of `escape`.

    >>> [unescape(escape(word)) for word in ("=1", "'=1", "''-", "'", "'a", "")]
    ['=1', "'=1", "''-", "'", "'a", '']
    """
    return cell[1:] if isinstance(cell, str) and cell[:1] == "'" and _FORMULA.match(cell) else cell


def csv(table: pd.DataFrame) -> str:
    """A table as CSV, with every digit and without its index."""
    return _each(table, escape).to_csv(index=False)


def read(path: Path, **options: Any) -> pd.DataFrame:
    """Read what `csv` wrote; options as in `pandas.read_csv`.

    Raises ValueError for anything else, for a header line without end, for columns of the same name,
    for a row with more cells than there are columns, and for more than `ROWS`.
    """
    if (size := files.regular(path).stat().st_size) > _BYTES:
        raise ValueError(f"it has {size:,} bytes; at most {_BYTES:,}")
    with path.open("rb") as file:
        head = file.readline(_HEAD + 1)
    if len(head) > _HEAD:
        raise ValueError(f"its first line has more than {_HEAD:,} bytes")
    if size > _SHORT:
        walk(path)
    names = next(csv_reader([head.decode(errors="replace")]), [])
    if twice := [name for name, n in Counter(names).items() if n > 1]:
        raise ValueError(f"it has the column {twice[0]!r} twice")
    found = pd.read_csv(path, nrows=ROWS + 1, **options)
    if not isinstance(found.index, pd.RangeIndex):  # pandas uses a surplus first cell as the index
        raise ValueError("its rows have more cells than there are columns")
    if len(found) > ROWS:
        raise ValueError(f"it has more than {ROWS:,} rows")
    return _each(found, unescape)


def walk(path: Path) -> None:
    """Raise ValueError for a cell of implausible length, as when a quote is never closed."""
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            for _ in csv_reader(iter(lambda: file.readline(_SHORT), "")):
                pass
    except CSVError as error:
        raise ValueError(str(error)) from None


def _each(table: pd.DataFrame, change: Callable[[object], object]) -> pd.DataFrame:
    words = [name for name in table if not pd.api.types.is_numeric_dtype(table[name])]
    return table.assign(**{str(name): _changed(table[name], change) for name in words})


def _changed(words: pd.Series, change: Callable[[object], object]) -> pd.Series:
    """The column with `change` applied to its strings, each different one once: most occur many times."""
    different = [word for word in words.unique() if isinstance(word, str)]
    odd = {word: new for word in different if (new := change(word)) != word}
    return words.map(lambda word: odd.get(str(word), word)) if odd else words
