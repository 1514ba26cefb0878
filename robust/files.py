"""Files that are either whole or not there."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from robust.errors import StoreError


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
