"""Untrusted archives: their unpacked size is checked before anything is unpacked."""

import math
import os
import resource
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.lib import format as npy

from robust.core import files


class Packing(NamedTuple):
    """More than `free` bytes may only be unpacked at a ratio of at most `ratio`: zeros are compressed 1,000 to 1."""

    free: int
    ratio: int


PICTURES = Packing(2**28, 200)
TABLES = Packing(2**27, 50)
WEIGHTS = Packing(2**22, 16)
"""Trained or random weights hardly compress at all, those of which nine in ten are zero about 10 to 1."""


_MEMBERS = 20_000  # maximum number in an archive; each is checked


def memory() -> int:
    """The bytes of memory available to this process at most."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return there if limit == resource.RLIM_INFINITY else min(there, limit)


def check(path: str | Path, most: Packing = PICTURES) -> None:
    """Raise ValueError where a zip archive unpacks to an implausible size, or to more than there is memory.

    Raises zipfile.BadZipFile and OSError where it cannot be read.
    """
    with zipfile.ZipFile(files.regular(Path(path))) as archive:
        members = archive.infolist()
    if len(members) > _MEMBERS:
        raise ValueError(f"it has {len(members):,} members; at most {_MEMBERS:,}")
    sizes(sum(info.file_size for info in members), Path(path).stat().st_size, most)


def sizes(unpacked: int, packed: int, most: Packing = PICTURES) -> None:
    """Raise ValueError where the ratio of the sizes is implausible, or `unpacked` is more than there is memory.

    >>> sizes(10**12, 10**6)
    Traceback (most recent call last):
    ValueError: its 1,000,000 bytes unpack to 1,000,000,000,000; refused, write it without compression
    """
    if unpacked > max(most.free, most.ratio * packed):
        raise ValueError(f"its {packed:,} bytes unpack to {unpacked:,}; refused, write it without compression")
    if unpacked > memory():
        raise ValueError(f"it unpacks to {unpacked:,} bytes, and this process may have {memory():,}")


@contextmanager
def arrays(path: str | Path) -> Iterator[np.lib.npyio.NpzFile]:
    """The arrays of an .npz file, as in `numpy.load`; none of them is larger than its header declares.

    Raises ValueError, zipfile.BadZipFile or OSError for anything else; nothing is unpickled.
    """
    check(path)
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.filename.endswith(".npy"):
                with archive.open(info) as member:
                    _check_header(member, info)
    with np.load(path, allow_pickle=False) as file:
        yield file


def _check_header(member: IO[bytes], info: zipfile.ZipInfo) -> None:
    version = npy.read_magic(member)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"{info.filename} is of version {version} of the format; allowed: 1 and 2")
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, kind = read(member)
    declared, holds = math.prod(shape) * kind.itemsize, info.file_size - member.tell()
    if declared != holds and not kind.hasobject:
        raise ValueError(f"{info.filename} declares {list(shape)} of {kind}, {declared:,} bytes, and holds {holds:,}")
    if kind.itemsize == 0 and math.prod(shape):
        raise ValueError(f"{info.filename} declares {list(shape)} of an empty type")
