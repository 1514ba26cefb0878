"""The size of the strings of an HDF5 file: a separate process with limited memory and time reads them.

Variable-length strings are stored in heaps. Each reference declares a length, many may refer to the same string, and
the HDF5 library allocates each before it checks the data; it has no call that returns the lengths beforehand.
"""

import resource
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

_BYTES = 2**26  # for all strings of a file; the configuration of a model has at most an eighth of that
_SECONDS = 20  # of CPU time


def check(path: Path, member: str = "") -> None:
    """Raise ValueError where the strings of an HDF5 file take an implausible amount of memory, or cannot be read.

    member: where the file is a zip archive, the HDF5 file in it.
    """
    command = [sys.executable, "-P", __file__, str(path.resolve()), member]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2][:200]
        why = f" ({last})" if last else ""
        raise ValueError(f"its attributes are damaged, or take more than {_BYTES:,} bytes{why}; save the model again")


def attributes(each: Any) -> Iterator[Any]:
    """The attributes of a group or an array, as `h5py.h5a.AttrID`; none of them is read."""
    import h5py

    for place in range(h5py.h5a.get_num_attrs(each.id)):
        yield h5py.h5a.open(each.id, index=place)


def of_any_length(attribute: Any) -> bool:
    """Does an attribute, a `h5py.h5a.AttrID`, hold variable-length strings, which are stored in a heap?"""
    return attribute.dtype.hasobject


def read_all(file: IO[bytes]) -> None:
    """Read and keep all variable-length strings."""
    import h5py
    import numpy as np

    kept = []
    _limit()
    with h5py.File(file, "r") as content:
        found: list[Any] = [content]
        content.visititems(lambda _, each: found.append(each))
        for each in found:
            for attribute in attributes(each):
                if of_any_length(attribute) and attribute.shape is not None:
                    kept.append(words := np.empty(attribute.shape, attribute.dtype))
                    attribute.read(words)


def _limit() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + _BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))


if __name__ == "__main__":
    if sys.argv[2]:
        with zipfile.ZipFile(sys.argv[1]) as archive, archive.open(sys.argv[2]) as inside:
            read_all(inside)
    else:
        with Path(sys.argv[1]).open("rb") as whole:
            read_all(whole)
