"""Untrusted HDF5 files: their offset, their attributes, and how much data they truly hold; no weight is read."""

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING

from robust.core import archives, hdf5_heaps

if TYPE_CHECKING:
    import h5py  # imported where a file is read: most commands read none

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_BLOCK = 512
_PARTS = 20_000  # groups and arrays: several times those of the largest networks of Keras


def offset(path: Path) -> int | None:
    """The offset of an HDF5 file in this one: 0, or after a user block; None where there is none.

    As the HDF5 library searches it: at 0, 512, 1024, 2048 and so on. Raises OSError.
    """
    with path.open("rb") as file:
        for at in _places(path.stat().st_size):
            file.seek(at)
            if file.read(len(_SIGNATURE)) == _SIGNATURE:
                return at
    return None


def _places(size: int) -> Iterator[int]:
    at = 0
    while at < size:
        yield at
        at = 2 * at or _BLOCK


def attribute(path: Path, name: str) -> str:
    """A text attribute of the file; "" where there is none.

    Raises ValueError for one that is damaged or implausibly large; OSError or RuntimeError where the
    file cannot be opened.
    """
    import h5py

    with h5py.File(path, "r") as file, undamaged():
        if name not in file.attrs or (found := file.attrs.get_id(name)).shape != ():
            return ""
        if hdf5_heaps.of_any_length(found):
            spelled(path, "", path.stat().st_mtime_ns)
        text = file.attrs[name]
        text = text.decode() if isinstance(text, bytes) else text
    return text if isinstance(text, str) else ""


@contextmanager
def undamaged() -> Iterator[None]:
    """Raise ValueError for whatever h5py raises of a file that it has opened."""
    try:
        yield
    except Exception as error:  # h5py raises various exceptions on damaged files
        if isinstance(error, ValueError) and not isinstance(error, UnicodeError):  # ours
            raise
        raise ValueError(f"its HDF5 is damaged ({type(error).__name__}: {str(error)[:200]})") from error


@lru_cache(maxsize=64)
def spelled(path: Path, member: str, _: int) -> None:
    """The strings of one version of a file are checked once; a ValueError is raised again each time."""
    hdf5_heaps.check(path, member)


def numbers(path: Path, member: str = "") -> int:
    """The number of parameters in the weights of a file, or of a member of a zip archive.

    Raises ValueError where they claim data that was never written or is compressed too far, or are in other files, or
    are named more than once, and for a file that is damaged inside; OSError or RuntimeError where it cannot be opened.
    """
    if not member:
        with path.open("rb") as file:
            return _numbers(file, path, "", path.stat().st_size)
    with zipfile.ZipFile(path) as archive, archive.open(member) as inside:
        return _numbers(inside, path, member, min(archive.getinfo(member).compress_size, path.stat().st_size))


def _numbers(file: IO[bytes], path: Path, member: str, packed: int) -> int:
    import h5py

    with h5py.File(file, "r") as content, undamaged():
        return _counted(content, path, member, packed)


def _counted(content: "h5py.File", path: Path, member: str, packed: int) -> int:
    import h5py

    found = parts(content)
    if other := content.visititems_links(_leads_out):
        raise ValueError(f"its weights are in another file, {other}, which is not opened")
    if any(hdf5_heaps.of_any_length(attribute) for each in found for attribute in hdf5_heaps.attributes(each)):
        spelled(path, member, path.stat().st_mtime_ns)
    weights = [each for each in found if isinstance(each, h5py.Dataset)]
    _here(weights)
    written(weights, packed)
    once([each for each in found if isinstance(each, h5py.Group)], sum(each.nbytes for each in weights))
    return sum(each.size or 0 for each in weights)


def parts(content: "h5py.Group") -> list["h5py.Group | h5py.Dataset"]:
    """Groups and arrays of a file; raises ValueError for more than any model has."""
    found: list[h5py.Group | h5py.Dataset] = [content]

    def keep(_: str | bytes, each: "h5py.Group | h5py.Dataset") -> bool | None:
        found.append(each)
        return len(found) > _PARTS or None  # any value but None ends the walk

    if content.visititems(keep):
        raise ValueError(f"it has more than {_PARTS:,} groups and arrays")
    return found


def _leads_out(_: str | bytes, link: object) -> str | None:
    import h5py

    return link.filename if isinstance(link, h5py.ExternalLink) else None


def _here(weights: list["h5py.Dataset"]) -> None:
    if others := [each.name for each in weights if each.external or each.is_virtual]:
        raise ValueError(f"its weights {others[0]} are in another file, which is not opened")
    if others := [each.name for each in weights if each.dtype.hasobject]:
        raise ValueError(f"its weights {others[0]} are not numbers")


def written(weights: list["h5py.Dataset"], packed: int) -> None:
    """Check the claimed sizes: whole chunks are read, and several may be at one place, so the file size limits them."""
    claimed = sum(max(each.nbytes, math.prod(each.chunks or (0,)) * each.dtype.itemsize) for each in weights)
    stored = sum(each.id.get_storage_size() for each in weights)
    archives.sizes(claimed, min(stored, packed), archives.WEIGHTS)


def once(groups: list["h5py.Group"], there: int) -> None:
    """Check the named weights: Keras reads all that a layer's weight names list before it checks their number."""
    import h5py

    keys = [(group, key) for group in groups for key in group.attrs if of_names(key)]
    meant = [group.get(name) for group, key in keys for name in names(group, key)]
    if (named := sum(each.nbytes for each in meant if isinstance(each, h5py.Dataset))) > there:
        raise ValueError(f"its {there:,} bytes of weights are named more than once, as {named:,}")


def of_names(key: str | bytes) -> bool:
    """Does an attribute name layers or weights? h5py returns bytes for keys that are not UTF-8."""
    return isinstance(key, str) and key.startswith(("layer_names", "weight_names"))


def names(group: "h5py.Group", key: str) -> list[str]:
    """The names in an attribute; raises ValueError where they are invalid."""
    if len(group.attrs.get_id(key).shape or ()) != 1:
        raise ValueError(f"{key} of {group.name} is not a list")
    found = [name.decode(errors="surrogateescape") if isinstance(name, bytes) else name for name in group.attrs[key]]
    if others := [name for name in found if not isinstance(name, str) or not name.isprintable() or not name]:
        raise ValueError(f"{key} of {group.name} names {others[0]!r:.99}, which is not a valid name in the file")
    return found
