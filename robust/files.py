"""Files that are either whole or not there."""

import fcntl
import functools
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from robust.errors import StoreError

_OURS = ".robust-"  # how temporary files begin

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


@functools.cache
def sha256(path: Path, changed: int) -> str:
    """A hash of a file's content, read once for each version of it: `changed` is its time, st_mtime_ns."""
    del changed  # it is part of what is remembered
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write(path: Path, fill: Callable[[Path], object] | str | bytes) -> Path:
    """Write a file so that a reader, or a crash, never meets half of it.

    Args:
        path: where it shall stand; its folder is made where it is missing.
        fill: its text or bytes, or a function that fills the temporary path it is given.

    Raises StoreError where the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent.resolve(), os.getpid())
        with _temporary(path) as temporary:
            return _fill(temporary, fill, path)
    except OSError as error:
        raise StoreError(f"{_short(path)}: cannot be written ({error.strerror or error})") from error


def _short(path: Path) -> str:
    return text if len(text := str(path)) <= 300 else f"{text[:100]}...{text[-100:]}"


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """A new file beside `path`, locked as long as this process is at it, so that others know that it is wanted."""
    while True:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=_OURS, suffix=path.suffix)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if os.fstat(handle).st_nlink:  # else a sweep came between
                yield Path(name)
                return
        finally:
            os.close(handle)


@functools.cache
def _sweep(folder: Path, process: int) -> None:
    """Remove what processes that were killed have left in a folder; once for each folder and process is enough."""
    for left in folder.glob(f"{_OURS}*"):
        with suppress(OSError), left.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink(missing_ok=True)


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


def stand_in(path: Path) -> str:
    """What a file is that stands in the place of the one that was wanted; "" for any other.

    >>> stand_in(Path("pyproject.toml"))
    ''

    Raises OSError where it cannot be read.
    """
    with path.open("rb") as file:
        begin = file.read(200).lstrip().lower()
    if begin.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS, not the file itself: fetch that with git lfs pull"
    if begin.startswith((b"<!doctype html", b"<html", b"<?xml")):
        return "is a page (HTML or XML) that a server gave in the place of the file; download the file itself"
    return ""
