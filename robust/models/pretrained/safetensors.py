"""`.safetensors` files: the length of a JSON header, the header, the raw numbers."""

import mmap
from itertools import pairwise
from math import prod

import numpy as np

from robust.core import files
from robust.core.errors import ModelError, suggest
from robust.core.types import Table
from robust.models.pretrained.tensor import BFLOAT16, Tensor, floats

DTYPES = {
    "F64": np.dtype("<f8"), "F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": BFLOAT16, "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"), "I16": np.dtype("<i2"), "I8": np.dtype("i1"), "U8": np.dtype("u1"), "BOOL": np.dtype("?"),
}  # fmt: skip

TENSORS = 20_000
"""So many tensors a file may hold: ten times those of the largest image classifiers."""


def read(data: mmap.mmap) -> dict[str, Tensor]:
    """The tensors of a file, by name; they must fill it without gaps or overlaps, as the format wants.

    Raises ModelError for a header that is not one, and for sizes that do not fit the file.
    """
    begin = 8 + int.from_bytes(data[:8], "little")
    if begin > len(data):
        raise ModelError(f"its header is said to have {begin - 8} bytes, but the whole file has {len(data)}")
    if begin - 8 > files.TEXT:
        raise ModelError(f"its header has {begin - 8:,} bytes; at most {files.TEXT:,}")
    header = files.parsed(data[8:begin])
    header.pop("__metadata__", None)
    if len(header) > TENSORS:
        raise ModelError(f"it says that it holds {len(header):,} tensors; at most {TENSORS:,}")
    places = {name: checked(name, entry) for name, entry in header.items()}
    ends = sorted([(0, 0), *((start, stop) for _, _, start, stop in places.values())])
    if any(stop != start for (_, stop), (start, _) in pairwise(ends)) or ends[-1][1] != len(data) - begin:
        raise ModelError(f"its tensors do not fill its {len(data) - begin} bytes one after the other; is it cut short?")
    return {name: _tensor(data, *place[:2], begin + place[2]) for name, place in places.items()}


def checked(name: str, entry: Table) -> tuple[np.dtype, tuple[int, ...], int, int]:
    """Type, shape, start and stop of a tensor."""
    kind, shape, (start, stop) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
    if kind not in DTYPES:
        raise ModelError(f"{name[:99]!r} has numbers of type {kind!r:.99}{suggest('', DTYPES)}")
    if any(type(number) is not int or number < 0 for number in (*shape, start, stop)) or len(shape) > 8:
        raise ModelError(f"{name[:99]!r} has the shape {shape[:9]} at {start!r:.99} to {stop!r:.99}")
    if prod(shape) * DTYPES[kind].itemsize != stop - start:
        raise ModelError(f"{name[:99]!r} has {stop - start} bytes, which {kind} numbers of shape {shape} do not fill")
    return DTYPES[kind], shape, start, stop


def _tensor(data: mmap.mmap, dtype: np.dtype, shape: tuple[int, ...], start: int) -> Tensor:
    return Tensor(shape, lambda: floats(np.frombuffer(data, dtype, prod(shape), start).reshape(shape)))
