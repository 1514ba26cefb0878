"""`.safetensors` files, read by the library of that name, within limits of ours."""

import mmap
from pathlib import Path

from safetensors import safe_open

from robust.core.errors import ModelError, suggest
from robust.models.pretrained.tensor import Tensor, floats

DTYPES = ("F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL")

TENSORS = 20_000
"""The most tensors that a file may hold: ten times those of the largest image classifiers."""

HEADER = 400 * TENSORS
"""The most bytes that its header may have: the library allows 100 MB, and needs twenty times as much memory."""


def read(path: Path, data: mmap.mmap) -> dict[str, Tensor]:
    """The tensors of a file, by name, each read when its values are used.

    The library checks that the header describes tensors which fill the file without gaps or overlaps.

    Args:
        path: of the file. data: its bytes.

    Raises ModelError for a header of more than `HEADER` bytes, for more than `TENSORS` tensors, and for numbers of
    other types than `DTYPES`; SafetensorError, of the library, for what does not add up.
    """
    if (length := int.from_bytes(data[:8], "little")) > HEADER:
        raise ModelError(f"its header has {length:,} bytes; at most {HEADER:,}")
    file = safe_open(path, framework="np")
    names = file.keys()
    if len(names) > TENSORS:
        raise ModelError(f"its header declares {len(names):,} tensors; at most {TENSORS:,}")
    return {name: tensor(file, name) for name in names}


def tensor(file: safe_open, name: str) -> Tensor:
    """One tensor of an open file; raises ModelError for its type, and for more dimensions than a weight has."""
    held = file.get_slice(name)
    kind, shape = held.get_dtype(), tuple(held.get_shape())
    if kind not in DTYPES:
        raise ModelError(f"{name[:99]!r} has numbers of type {kind!r:.99}{suggest('', DTYPES)}")
    if len(shape) > 8:
        raise ModelError(f"{name[:99]!r} has {len(shape)} dimensions; at most 8")
    return Tensor(shape, lambda: floats(file.get_tensor(name)))
