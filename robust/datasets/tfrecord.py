"""The offset of each record in TFRecord files, so that records can be read individually, in any order."""

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from robust.core.errors import DataError

_HEAD, _FOOT = 12, 4
"""Bytes around the data of a record: its length, uint64, and a checksum of that, uint32; a checksum of the data."""


def places(path: str | Path) -> np.ndarray:
    """The offset of the data of each record, and its length, int64 [N, 2]; only the lengths are read.

    Raises DataError where the file ends within a record.
    """
    found, at, end = [], 0, Path(path).stat().st_size
    with Path(path).open("rb") as file:
        while at + _HEAD + _FOOT <= end:
            file.seek(at)
            (length,) = struct.unpack("<Q", file.read(8))
            found.append((at + _HEAD, length))
            at += _HEAD + length + _FOOT
    if at != end:
        raise DataError(f"{path}: is truncated, it ends within its record {len(found) - (at > end)}")
    return np.array(found, np.int64).reshape(-1, 2)


def located(paths: Sequence[str], ids: Sequence[bytes]) -> np.ndarray:
    """The places of records named by file and index in it, b"name__7": file number, offset, length, int64 [N, 3]."""
    numbers = {Path(path).name: number for number, path in enumerate(paths)}
    parts = [id.decode().rpartition("__") for id in ids]
    index = {name: places(paths[numbers[name]]) for name in {name for name, _, _ in parts}}
    found = [(numbers[name], *index[name][int(place)].tolist()) for name, _, place in parts]
    return np.array(found, np.int64).reshape(-1, 3)


def record(paths: Sequence[str], place: tf.Tensor) -> tf.Tensor:
    """The data of one record, a string; `place`: file number, offset and length, int64 [3]."""

    def read(place: np.ndarray) -> bytes:
        number, begin, length = place.tolist()
        with Path(paths[number]).open("rb", buffering=0) as file:
            file.seek(begin)
            if len(data := file.read(length)) != length:
                raise DataError(f"{paths[number]}: is shorter than it was")
            return data

    data = tf.numpy_function(read, [place], tf.string)
    data.set_shape([])
    return data
