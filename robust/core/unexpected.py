"""Internal errors, and those of the machine: one line for the user, and the traceback in a file."""

import errno
import tempfile
import traceback
from importlib.metadata import version
from pathlib import Path

ISSUES = "the project's list of issues"

_MACHINE = {
    getattr(errno, name)
    for name in (
        "EACCES", "EDQUOT", "EFBIG", "EIO", "EISDIR", "ELOOP", "EMFILE", "ENAMETOOLONG", "ENFILE", "ENODEV", "ENOENT",
        "ENOMEM", "ENOSPC", "ENOTDIR", "ENXIO", "EPERM", "EROFS", "ESTALE", "ETXTBSY",
    )
}  # fmt: skip


def environment(error: BaseException) -> str:
    """A description of an error of the machine; "" for other errors.

    >>> environment(OSError(errno.EFBIG, "File too large", "reports/page"))
    'reports/page: File too large'
    >>> environment(MemoryError())
    'it needs more memory than there is; use fewer or smaller images'
    >>> environment(ValueError("no"))
    ''
    """
    if _is_memory(error):
        return "it needs more memory than there is; use fewer or smaller images"
    if isinstance(error, OSError) and error.errno in _MACHINE:
        named = "" if error.filename is None else f"{_short(str(error.filename))}: "
        return f"{named}{error.strerror or error}"
    return ""


def _is_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return True
    return any(words in str(error) for words in ("annot allocate memory", "failed to map segment", "std::bad_alloc"))


def report_line(error: BaseException) -> str:
    """A line about an internal error, with the file of its traceback and how to report it."""
    what = _short(" ".join(f"{type(error).__name__}: {error}".split()))
    line = f"this is an error of robust {version('robust')}, not of yours ({what})"
    try:
        with tempfile.NamedTemporaryFile("w", prefix="robust-", suffix=".txt", delete=False, encoding="utf-8") as file:
            file.write("".join(traceback.format_exception(error)).encode("utf-8", "replace").decode("utf-8"))
    except OSError:
        return f"{line}; to report it, run it again where temporary files can be written"
    return f"{line}; to report it, add this file to {ISSUES}: {Path(file.name)}"


def _short(text: str, most: int = 200) -> str:
    return text if len(text) <= most else f"{text[: most // 2]}...{text[-most // 2 :]}"
