"""A table of images: a text file with the columns file and label and, optionally, split."""

import csv
import io
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from robust.core import files
from robust.core.errors import DataError, place, suggest
from robust.datasets.dataset import SPLITS
from robust.datasets.folder_walk import check_name, check_words, class_name
from robust.datasets.layout import Found, Row, split_of

_BETWEEN = (",", ";", "\t")
"""Column separators; a semicolon where the comma is decimal, a tab in Excel's "Unicode text"."""

_FLOAT = re.compile(r"[0-9]{1,9}\.0*")


def listed(root: Path, labels: str) -> Found:
    """The images that a table names, in its order.

    Args:
        root: where its files are.
        labels: the table, in this folder or elsewhere; in UTF-8, or UTF-16 with a byte order mark.

    Spaces around names are stripped. Raises DataError, with the line, for an invalid table.
    """
    table = next((place for place in (root / labels, Path(labels)) if place.is_file()), None)
    if table is None:
        raise DataError(f"labels = {labels!r}: there is no such file in {root} or {Path.cwd()}")
    rows, first = [], dict[str, int]()
    for number, line in lines(table):
        rows.append(_row(root, f"{table}:{number}", line))
        if (before := first.setdefault(os.path.normpath(line["file"]), number)) != number:
            raise DataError(f"{table}:{number}: names the file {line['file']!r} again, as line {before} does")
    if not rows:
        raise DataError(f"{table}: names no image")
    rows, notes = whole(rows)
    return Found(rows, {row.label for row in rows}, notes)


def whole(rows: list[Row]) -> tuple[list[Row], tuple[str, ...]]:
    """Labels such as 3.0 are whole numbers, written so by tables with missing values: read as such, so 10 follows 9."""
    if not all(_FLOAT.fullmatch(row.label) for row in rows):
        return rows, ()
    found = [row._replace(label=str(int(float(row.label)))) for row in rows]
    return found, ("labels are whole numbers written with a decimal point, as 1.0, and read as 1",)


def lines(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of the table, each with the line at which it ends."""
    try:
        text = files.text(table)
    except (OSError, ValueError) as error:
        raise DataError(f"{table}: cannot be read as text ({error})") from None
    head = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text), delimiter=max(_BETWEEN, key=head.count), strict=True)
    try:
        columns = _columns([column.strip().lower() for column in next(reader, [])], str(table))
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, named(columns, [*map(str.strip, cells)], place(table, reader.line_num))
    except csv.Error as error:
        raise DataError(f"{place(table, reader.line_num)}: cannot be read as a table ({error})") from None


def _columns(names: list[str], table: str) -> list[str]:
    """The names of the columns up to the last one with a name: a trailing separator begins no column."""
    if twice := [name for name, n in Counter(names).items() if name and n > 1]:
        raise DataError(f"{place(table, 1)}: names the column {twice[0]!r} twice; rename or remove one of the two")
    return names[: max((place for place, name in enumerate(names, 1) if name), default=0)]


def named(columns: list[str], cells: list[str], where: str) -> dict[str, str]:
    """A row by the names of its columns; raises DataError for a cell beyond the last column."""
    if more := [cell for cell in cells[len(columns) :] if cell]:
        what = f"has {len(cells)} cells, but the table {len(columns)} columns, {', '.join(columns)}; {more[0]!r}"
        raise DataError(f"{where}: {what} is in none of them; quote a label that contains the separator")
    return dict(zip(columns, cells, strict=False))  # in a short row the last cells are missing


def _row(root: Path, where: str, line: Mapping[str, str]) -> Row:
    for column in ("file", "label"):
        if not line.get(column):
            what = f"has no {column!r}; its columns are {', '.join(line)}"
            raise DataError(f"{where}: {what}; allowed: file, label and, optionally, split")
    if (split := split_of(given := line.get("split") or "test")) is None:
        raise DataError(f"{where}: a split {given!r}{suggest(given, SPLITS)}")
    check_words(line["file"], where)
    check_words(line["label"], where)
    if not (file := root / line["file"]).is_file():
        raise DataError(f"{where}: there is no file {line['file']!r} in {root}")
    check_name(file)
    return Row(split, file, class_name(line["label"]))
