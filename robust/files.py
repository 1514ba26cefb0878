"""Files that are either whole or not there."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from robust.errors import StoreError

TEXT = 2**26
"""So many bytes a text that is read may have: suites, tables of classes, what a report says of itself."""


def text(path: Path) -> str:
    """A text in UTF-8, with or without a byte order mark.

    Raises OSError where it cannot be read, and ValueError where it is none or is larger than `TEXT`.
    """
    with path.open("rb") as file:
        content = file.read(TEXT + 1)
    if len(content) > TEXT:
        raise ValueError(f"it has more than {TEXT:,} bytes")
    return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")


def write(path: Path, fill: Callable[[Path], object] | str | bytes) -> Path:
    """Write a file so that a reader, or a crash, never meets half of it.

    Args:
        path: where it shall stand; its folder is made where it is missing.
        fill: its text or bytes, or a function that fills the temporary path it is given.

    Raises StoreError where the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
        os.close(handle)
        return _fill(Path(name), fill, path)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror or error})") from error


def _fill(temporary: Path, fill: Callable[[Path], object] | str | bytes, path: Path) -> Path:
    try:
        if callable(fill):
            fill(temporary)
        else:
            temporary.write_bytes(fill.encode() if isinstance(fill, str) else fill)
        temporary.chmod(0o644)
        return temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
