"""The manifest of a report folder: size and SHA-256 of every file that numbers are read from.

It is removed before a folder is written again and is the last of the tables to be written: a folder with a manifest
was written completely, and what was changed in it since can be named. It guards against accidents and against
edits that were forgotten, not against someone who writes a new manifest.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from robust.core import files, text
from robust.core.types import NewTable

NAME = "manifest.json"
_FILES = ("environment.json", "results.csv", "per_class.parquet", "outcomes.parquet", "suite.toml")
_FOLDERS = ("outcomes", "samples")
_NAMED = 5  # files of one kind that a message names


@dataclass(frozen=True)
class Changes:
    """How a report folder differs from its manifest; `unknown` is why it cannot be compared, "" where it can."""

    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    unknown: str = ""

    def __bool__(self) -> bool:
        return bool(self.changed or self.missing or self.added)

    def __str__(self) -> str:
        """In words; "" where the folder is as it was written.

        >>> str(Changes(changed=("results.csv",), added=("samples/9.npz",)))
        'changed since it was written: results.csv; added: samples/9.npz'
        >>> str(Changes(missing=("suite.toml",)))
        'missing since it was written: suite.toml'
        """
        if self.unknown:
            return f"cannot be checked for changes: {self.unknown}"
        kinds = {"changed": self.changed, "missing": self.missing, "added": self.added}
        first, *more = [*((kind, _listed(names)) for kind, names in kinds.items() if names), ("", "")]
        if not more:
            return ""
        return "; ".join(
            [f"{first[0]} since it was written: {first[1]}", *(f"{kind}: {names}" for kind, names in more[:-1])]
        )


def _listed(names: tuple[str, ...]) -> str:
    shown = [name if not text.fault([name]) and len(name) < 100 else ascii(name[:100]) for name in names[:_NAMED]]
    more = len(names) - _NAMED
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


@contextmanager
def rewritten(folder: Path) -> Iterator[None]:
    """For a `with` block that writes the tables of a folder: one process at a time, and the manifest last.

    A run that is killed in between leaves a folder without a manifest.
    """
    with files.locked(folder):
        files.remove(folder / NAME)
        yield
        written = {name: _sum(folder / name) for name in _there(folder)}
        files.write(folder / NAME, json.dumps({"files": written}, indent=2))


def changes(folder: Path) -> Changes:
    """What was changed in a folder since it was written."""
    if not (folder / NAME).is_file():
        return Changes(unknown=f"it has no {NAME}, as the run that wrote it was stopped, or is older; run it again")
    try:
        written = files.parsed(files.text(folder / NAME))["files"]
        if not all(isinstance(name, str) and {"bytes", "sha256"} <= {*of} for name, of in written.items()):
            raise ValueError("it does not list files")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Changes(unknown=f"{NAME} is damaged; run it again")
    there = _there(folder)
    return Changes(
        tuple(sorted(name for name in there if name in written and not _same(folder / name, written[name]))),
        tuple(sorted({*written} - {*there})),
        tuple(sorted({*there} - {*written})),
    )


def _there(folder: Path) -> list[str]:
    """The files of a folder that numbers are, or would be, read from."""
    inside = [path for name in _FOLDERS for path in (folder / name).rglob("*") if not path.name.startswith(".")]
    paths = [*(folder / name for name in _FILES if (folder / name).exists()), *inside]
    return sorted(path.relative_to(folder).as_posix() for path in paths if not path.is_dir())


def _sum(path: Path) -> NewTable:
    """Size and hash; the file is read anew, as its time may have been kept."""
    with files.regular(path).open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _same(path: Path, written: NewTable) -> bool:
    try:
        return path.stat().st_size == written["bytes"] and _sum(path) == {k: written[k] for k in ("bytes", "sha256")}
    except OSError:
        return False
