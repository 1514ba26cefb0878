"""HDF5 files of others: where they begin, what is said in them, and how much is truly there; no weight is read."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from robust import archives

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_BLOCK = 512


def offset(path: Path) -> int | None:
    """Where an HDF5 file begins in this one: at 0, or behind a block of the user's own; None where none does.

    As the HDF5 library looks for it: at 0, 512, 1024, 2048 and so on. Raises OSError.
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
    """A text that stands beside the weights; "" where none does. Raises OSError or RuntimeError for a damaged file."""
    import h5py

    with h5py.File(path, "r") as file:
        if name not in file.attrs or file.attrs.get_id(name).shape:
            return ""
        found = file.attrs[name]
    text = found.decode() if isinstance(found, bytes) else found
    return text if isinstance(text, str) else ""


def numbers(file: IO[bytes], packed: int) -> int:
    """How many numbers stand in the weights of a file of so many bytes.

    Raises ValueError where they claim what was never written or is packed away, or stand in other files, or are named
    more than once; OSError or RuntimeError for a damaged file.
    """
    import h5py

    with h5py.File(file, "r") as content:
        if other := content.visititems_links(_leads_out):
            raise ValueError(f"its weights stand in another file, {other}; that is not opened")
        found: list[h5py.Dataset | h5py.Group] = [content]
        content.visititems(lambda _, each: found.append(each))
        weights = [each for each in found if isinstance(each, h5py.Dataset)]
        _here(weights)
        _written(weights, packed)
        _once([each for each in found if isinstance(each, h5py.Group)], sum(each.nbytes for each in weights))
        return sum(each.size or 0 for each in weights)


def _leads_out(_: str | bytes, link: Any) -> str | None:
    import h5py

    return link.filename if isinstance(link, h5py.ExternalLink) else None


def _here(weights: list[Any]) -> None:
    if others := [each.name for each in weights if each.external or each.is_virtual]:
        raise ValueError(f"its weights {others[0]} stand in another file; that is not opened")
    if others := [each.name for each in weights if each.dtype.hasobject]:
        raise ValueError(f"its weights {others[0]} are no numbers")


def _written(weights: list[Any], packed: int) -> None:
    """A chunk is read whole, however little of it is asked for; chunks may stand at one place, so the file counts."""
    claimed = sum(max(each.nbytes, math.prod(each.chunks or (0,)) * each.dtype.itemsize) for each in weights)
    stored = sum(each.id.get_storage_size() for each in weights)
    archives.sizes(claimed, min(stored, packed), archives.WEIGHTS)


def _once(groups: list[Any], there: int) -> None:
    """Keras reads all that the names of a layer's weights name before it looks how many the layer has."""
    named = 0
    for group in groups:
        for key in group.attrs:
            if key.startswith("weight_names"):
                named += sum(group[name].nbytes for name in group.attrs[key] if name in group)
    if named > there:
        raise ValueError(f"its {there:,} bytes of weights are named more than once, as {named:,}")
