"""What happens to a file."""

import os
from collections.abc import Callable
from pathlib import Path


def flip(path: Path) -> None:
    """One bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def cut(path: Path) -> None:
    """The second half is lost."""
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    """All of it."""
    path.write_bytes(b"")


def zero(path: Path) -> None:
    """As after a power cut: the size is right, the content is not."""
    path.write_bytes(bytes(path.stat().st_size))


KINDS: dict[str, Callable[[Path], None]] = {
    "flip": flip, "cut": cut, "empty": empty, "zero": zero, "delete": Path.unlink,
}  # fmt: skip
