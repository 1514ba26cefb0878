"""`.pth` files as `torch.save` writes them, in its zip form (since 1.6) and in its older one, without Torch."""

import io
import mmap
import zipfile
import zlib
from collections.abc import Iterator
from itertools import count
from typing import IO

import numpy as np
from numpy.lib.stride_tricks import as_strided

from robust.core.errors import ModelError
from robust.core.types import NewTable
from robust.models.pretrained.pickled import Machine, View
from robust.models.pretrained.tensor import Tensor, floats

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
"""What the first two pickles of the older form are."""
_LOCAL_HEADER = 30  # bytes, before the name and the extra field of a zip's member

Places = dict[str, tuple[int, int]]


def read_zip(file: IO[bytes], data: mmap.mmap) -> NewTable:
    """What was saved in the zip form: data.pkl, and every storage in a separate member, data/<key>."""
    with zipfile.ZipFile(file) as archive:
        members = {info.filename.partition("/")[2]: info for info in archive.infolist()}
    if "data.pkl" not in members:
        raise ModelError("a zip without data.pkl: not what torch.save writes")
    if "byteorder" in members and (order := _member(data, members["byteorder"])) != b"little":
        raise ModelError(f"its numbers are in the byte order {order[:9]!r}; save it again on a little-endian machine")
    machine = Machine()
    tree = machine.read(io.BytesIO(_member(data, members["data.pkl"])))
    places = {key: place(data, members[f"data/{key}"]) for key in machine.storages if f"data/{key}" in members}
    return tensors(tree, data, places)


def place(data: mmap.mmap, info: zipfile.ZipInfo) -> tuple[int, int]:
    """Start and end of a member's bytes in the file. Torch never compresses, so nothing can expand."""
    if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
        raise ModelError(f"{info.filename[:99]!r} is compressed; torch.save writes zips that are not")
    head = data[info.header_offset : info.header_offset + _LOCAL_HEADER]
    start = info.header_offset + _LOCAL_HEADER + sum(np.frombuffer(head, "<u2", 2, 26).tolist())
    stop = start + info.file_size
    if stop > len(data):
        raise ModelError(f"{info.filename[:99]!r} ends after the file")
    if zlib.crc32(memoryview(data)[start:stop]) != info.CRC:
        raise ModelError(f"{info.filename[:99]!r} is damaged: its checksum does not fit")
    return start, stop


def _member(data: mmap.mmap, info: zipfile.ZipInfo) -> bytes:
    start, stop = place(data, info)
    return data[start:stop]


def read_legacy(data: mmap.mmap) -> NewTable:
    """What was saved in the older form: five pickles, then a count and the raw numbers of each storage."""
    data.seek(0)
    if (Machine().read(data), Machine().read(data)) != (MAGIC, PROTOCOL):
        raise ModelError("neither a file of torch.save nor a .safetensors file")
    system = Machine().read(data)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise ModelError("its numbers are big-endian; save it again on a little-endian machine")
    machine = Machine()
    tree, places = machine.read(data), {}
    for key in Machine().read(data):
        storage = machine.storages[key]
        if data.read(8) != storage.count.to_bytes(8, "little"):
            raise ModelError(f"the storage {key[:99]!r} is not as long as declared")
        start = data.tell()
        places[key] = start, start + storage.count * storage.dtype.itemsize
        data.seek(places[key][1])  # a ValueError beyond the end
    return tensors(tree, data, places)


_DEPTH = 4  # of tables within tables: no one keeps weights deeper
_ENTRIES = 100_000  # of all tables, each as often as it is named: three nested ones of a thousand each are a billion


def tensors(tree: object, data: mmap.mmap, places: Places) -> NewTable:
    """The tree with a `Tensor` for every `View` in its tables; anything else is left out."""
    if not isinstance(tree, dict):
        raise ModelError(f"it holds a {type(tree).__name__}, not a table of tensors")
    return _of_views(tree, data, places, _DEPTH, count(1))


def _of_views(table: dict, data: mmap.mmap, places: Places, depth: int, entries: Iterator[int]) -> NewTable:
    found: NewTable = {}
    for key, value in table.items():
        if next(entries) > _ENTRIES:
            raise ModelError(f"its tables have more than {_ENTRIES:,} entries")
        if isinstance(value, View) and isinstance(key, str):
            found[key] = _tensor(value, data, places)
        elif isinstance(value, dict) and isinstance(key, str) and depth > 1:
            found[key] = _of_views(value, data, places, depth - 1, entries)
    return found


def _tensor(view: View, data: mmap.mmap, places: Places) -> Tensor:
    storage = view.storage
    start, stop = places.get(storage.key, (0, 0))
    if stop - start != storage.count * storage.dtype.itemsize:
        raise ModelError(f"the storage {storage.key[:99]!r} has {stop - start} bytes, not {storage.count} numbers")

    def values() -> np.ndarray:
        numbers = np.frombuffer(data, storage.dtype, storage.count, start)[view.offset :]
        steps = zip(view.shape, view.strides, strict=True)  # of one number, or of none, a file may declare any
        strides = [stride * storage.dtype.itemsize if n > 1 and all(view.shape) else 0 for n, stride in steps]
        return floats(as_strided(numbers, view.shape, strides, writeable=False))

    return Tensor(view.shape, values)
