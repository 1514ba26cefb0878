"""Files that are either complete or absent."""

import codecs
import errno
import fcntl
import functools
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from robust.core.errors import StoreError

_OURS = ".robust-"  # how temporary files begin

TEXT = 2**26
"""The maximum size of a text file, in bytes: suites, tables of classes, the metadata of reports."""
VALUES = 2_000_000
"""The maximum number of values in untrusted JSON: an empty list is 3 bytes of text, and 64 of memory."""


_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as that of UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

_SAVE = "save it as UTF-8 (of Excel: CSV UTF-8), or convert it, as with"


def regular(path: Path) -> Path:
    """The same path, if it is a regular file or a folder.

    Raises OSError where it cannot be read, and where it is a pipe or a device, whose reader would block forever.

    >>> regular(Path("/dev/zero"))
    Traceback (most recent call last):
    OSError: is not a file, but a pipe or a device; copy its content to a file
    """
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # for a folder, open raises
        raise OSError("is not a file, but a pipe or a device; copy its content to a file")
    return path


def text(path: Path) -> str:
    """A text in UTF-8, or in UTF-16 or UTF-32 with a byte order mark; line ends are converted to \n.

    Raises OSError where it cannot be read, and ValueError where it is no text or is larger than `TEXT`.
    """
    with regular(path).open("rb") as file:
        content = file.read(TEXT + 1)
    if len(content) > TEXT:
        raise ValueError(f"it has more than {TEXT:,} bytes")
    return decoded(content).replace("\r\n", "\n").replace("\r", "\n")


def parsed(content: str | bytes, **options: Any) -> Any:
    """The value of a JSON text; options: of `json.loads`.

    Raises ValueError for invalid JSON, and for more than `VALUES` values: they are counted before memory is allocated.

    >>> parsed('{"a": [1, 2]}')
    {'a': [1, 2]}
    """
    text = content if isinstance(content, str) else content.decode()
    if sum(text.count(sign) for sign in "[{,") > VALUES:
        raise ValueError(f"it holds more than {VALUES:,} values")
    return json.loads(text, **options)


def decoded(content: bytes) -> str:
    """The text of bytes; raises ValueError with the place that is not UTF-8, and a remedy."""
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    if encoding == "utf-8" and (zero := content.find(b"\0")) >= 0:
        if content.count(b"\0") < len(content) / 4:  # of UTF-16 every other byte is 0, where letters are plain
            raise ValueError(f"holds a byte of 0 at {zero:,}, which no text contains; is it a binary file?")
        source = "UTF-16LE" if zero % 2 else "UTF-16BE"
        raise ValueError(f"holds bytes of 0, as {source} does; {_SAVE} iconv -f {source} -t UTF-8 OLD > NEW")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        what = f"line {line} is not {encoding.upper()}, at a byte 0x{content[error.start]:02x}"
        raise ValueError(f"{what}; {_SAVE} iconv -f CP1252 -t UTF-8 OLD > NEW") from None


@functools.cache
def sha256(path: Path, changed: int) -> str:
    """A hash of a file's content, read once for each version of it: `changed` is its time, st_mtime_ns."""
    del changed  # it is part of the cache key
    with regular(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_folder(folder: Path, other: str) -> None:
    """Create a folder; StoreError where nothing can be written to it, with how to choose another one."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        what = f"{_short(folder)}: cannot be written ({error.strerror or error}); choose another folder, as in {other}"
        raise StoreError(what) from error


def write(path: Path, fill: Callable[[Path], object] | str | bytes) -> Path:
    """Write a file atomically: no reader, and no crash, ever leaves half of it.

    Args:
        path: of the file; its folder is created where it is missing.
        fill: its text or bytes, or a function that fills the temporary path it is given.

    Raises StoreError where the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent.resolve(), os.getpid())
        with _temporary(path) as temporary:
            return _fill(temporary, fill, path)
    except OSError as error:
        raise StoreError(f"{_short(path)}: cannot be written ({error.strerror or error})") from error


def _short(path: Path) -> str:
    return text if len(text := str(path)) <= 300 else f"{text[:100]}...{text[-100:]}"


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """A new file next to `path`, locked while this process uses it, so that others do not remove it."""
    while True:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=_OURS, suffix=path.suffix)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if os.fstat(handle).st_nlink:  # else a sweep removed it
                yield Path(name)
                return
        finally:
            os.close(handle)


@functools.cache
def sweep(folder: Path, process: int) -> None:
    """Remove temporary files left in a folder by killed processes; once per folder and process is enough."""
    for left in folder.glob(f"{_OURS}*"):
        with suppress(OSError), regular(left).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink(missing_ok=True)


def _fill(temporary: Path, fill: Callable[[Path], object] | str | bytes, path: Path) -> Path:
    try:
        if callable(fill):
            fill(temporary)
        else:
            temporary.write_bytes(fill.encode() if isinstance(fill, str) else fill)
        temporary.chmod(0o644)
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
        return path
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk: a power cut later does not lose them."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a network's folder may not be synchronised
            raise
    finally:
        os.close(handle)


def sync_all(folder: Path) -> None:
    """The same for a folder with all that it contains."""
    for path in folder.rglob("*"):
        sync(path)
    sync(folder)


def remove(path: Path) -> None:
    """Remove a file, if it is there; StoreError where its folder cannot be written."""
    try:
        path.unlink(missing_ok=True)
        sync(path.parent)
    except OSError as error:
        raise StoreError(f"{_short(path)}: cannot be removed ({error.strerror or error})") from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """For a `with` block: no other process is in such a block for this folder, which is created where it is missing.

    No file is left behind. Raises StoreError where the folder cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise StoreError(f"{_short(folder)}: cannot be written ({error.strerror or error})") from error
    try:
        with suppress(OSError):  # a network's folder that cannot be locked
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def placeholder(path: Path) -> str:
    """Why a file is a placeholder for the wanted one; "" for any other.

    >>> placeholder(Path("pyproject.toml"))
    ''

    Raises OSError where it cannot be read.
    """
    with regular(path).open("rb") as file:
        begin = file.read(200).lstrip().lower()
    if begin.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS, not the file itself: fetch that with git lfs pull"
    if begin.startswith((b"<!doctype html", b"<html", b"<?xml")):
        return "is a page (HTML or XML) that a server returned instead of the file; download the file itself"
    return ""
