"""Verdict, failures and top-1 of every model under every condition as Markdown: for a pull request or a CI log."""

import re
from collections.abc import Iterable
from pathlib import Path

from robust.core import files
from robust.report import accuracy_tables, bound_states
from robust.report.accuracy_tables import GridCell
from robust.report.folder import Folder

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#&~])")
_MARKS = {"passed": "✓", "missed": "✗", "unsupported": "⊘", "undecided": "?", bound_states.ABSENT: "∅"}


def write(folder: Folder, path: Path) -> Path:
    """Write `summary` to a file."""
    return files.write(path, summary(folder))


def summary(folder: Folder) -> str:
    """The Markdown text; characters of names that Markdown would read are escaped."""
    judged = bound_states.judgements(folder)
    grid = accuracy_tables.accuracy(folder, judged)
    parts = [f"## {_text(folder.environment['suite'])}: {bound_states.headline(judged)}"]
    if changed := str(folder.changes):
        parts.append(f"**{_text(changed)}**")
    parts.append(_list(f"✗ failed: {case} on {folder.name(run)}: {why}" for (run, case), why in folder.failed.items()))
    parts.append(
        _list(f"{_MARKS.get(one.state, '')} {one.state}: {one.place}: {one.words}{one.doubted}" for one in judged)
    )
    if grid.heads:
        heads = [" ".join(part for part in head if part) for head in grid.heads]
        rows = [[model, *map(_cell, cells)] for model, cells in grid.rows]
        parts.append(
            "\n".join([_row(["top-1", *heads]), "|".join(["", *["---"] * (len(heads) + 1), ""]), *map(_row, rows)])
        )
    return "\n\n".join(part for part in parts if part) + "\n"


def _cell(cell: GridCell) -> str:
    if cell.state == "failed":
        return "✗ failed"
    if cell.state != "measured":
        return cell.state
    marks = "".join(f" {_MARKS.get(one.state, '')}" for one in cell.judgements)
    doubt = f" ({cell.reliability})" if cell.reliability not in ("", "reliable") else ""
    return f"{cell.value} [{cell.interval}]{marks}{doubt}"


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {_text(line)}" for line in lines)


def _row(entries: Iterable[str]) -> str:
    return f"| {' | '.join(map(_text, entries))} |"


def _text(text: str) -> str:
    """On one line, with Markdown's own characters escaped.

    >>> print(_text("a|b*\\n# c"))
    a\\|b\\* \\# c
    """
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
