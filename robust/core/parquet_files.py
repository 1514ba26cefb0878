"""Untrusted Parquet files: metadata and compression are checked before any value is decoded."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import compute, parquet

from robust.core import archives, files, text

_FOOTER = 2**20  # maximum bytes of the metadata of a table: a hundred times what `robust run` writes
_PARTS = 2**16  # longer lists in the metadata are damaged
_ROWS = 10**5
_PACKED = ("SNAPPY", "UNCOMPRESSED")
_KINDS = {
    "str": ("strings", (pa.types.is_string, pa.types.is_large_string, pa.types.is_null)),
    "bool": ("truth values", (pa.types.is_boolean,)),
    "int": ("whole numbers", (pa.types.is_integer,)),
    "float": ("floats", (pa.types.is_floating,)),
}


def read(path: Path, kinds: Mapping[str, str]) -> pd.DataFrame:
    """These columns of a table, with these types in pandas' names.

    Raises KeyError naming a column that is missing, ValueError for anything else, for columns of other types,
    unreadable strings, and implausible sizes; OSError where it cannot be read.
    """
    with parquet.ParquetFile(_described(files.regular(path)), thrift_container_size_limit=_PARTS) as file:
        if missing := [name for name in kinds if name not in file.schema_arrow.names]:
            raise KeyError(missing[0])
        _check_kinds(file.schema_arrow, kinds)
        check_packing(file.metadata, path.stat().st_size)
    shared = [name for name, kind in kinds.items() if kind == "str"]
    with parquet.ParquetFile(path, read_dictionary=shared, thrift_container_size_limit=_PARTS) as file:
        table = file.read(columns=list(kinds))
    check_words(table, path.stat().st_size)
    return pd.DataFrame({name: _column(table, name, kind) for name, kind in kinds.items()})


def _described(path: Path) -> Path:
    """The same path, if the length of the metadata in its last bytes is small."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 8, 0))
        length, end = int.from_bytes(file.read(4), "little"), file.read()
    if length > _FOOTER and end == b"PAR1":
        raise ValueError(f"its metadata has {length:,} bytes; at most {_FOOTER:,}")
    return path


def _check_kinds(schema: pa.Schema, kinds: Mapping[str, str]) -> None:
    for name, kind in kinds.items():
        found = schema.field(name).type
        inner = found.value_type if pa.types.is_dictionary(found) else found
        what, allowed = _KINDS[kind.lower().rstrip("0123456789")]
        if not any(fits(inner) for fits in allowed):
            raise ValueError(f"the column {name} must hold {what}, not {str(found)[:100]}")


def check_packing(described: parquet.FileMetaData, size: int) -> None:
    """Check that columns share no bytes and are compressed as by pandas; many rows need some bits each, for an id."""
    parts = [
        described.row_group(group).column(column)
        for group in range(described.num_row_groups)
        for column in range(described.num_columns)
    ]
    if strange := [part for part in parts if part.compression not in _PACKED]:
        raise ValueError(f"its columns are compressed as {strange[0].compression}; allowed: {' or '.join(_PACKED)}")
    if (claimed := sum(part.total_compressed_size for part in parts)) > size:
        raise ValueError(f"its columns claim {claimed:,} bytes, and it has {size:,}")
    if described.num_rows > max(_ROWS, 4 * size):
        raise ValueError(f"it declares {described.num_rows:,} rows, and has {size:,} bytes")


def check_words(table: pa.Table, size: int) -> None:
    """Check that no string is too long, and that all together, as often as each is used, are plausible for the file."""
    total = 0
    for name in table.column_names:
        for part in table.column(name).chunks:
            if isinstance(part, pa.DictionaryArray):
                lengths = compute.call_function("binary_length", [part.dictionary])
                longest = compute.call_function("max", [lengths]).as_py() or 0
                if longest > 4 * text.LONGEST:
                    raise ValueError(f"the column {name} holds a string of {longest:,} bytes; at most {text.LONGEST:,}")
                total += compute.call_function("sum", [lengths.take(part.indices)]).as_py() or 0
    archives.sizes(total, size, archives.TABLES)


def _column(table: pa.Table, name: str, kind: str) -> pd.Series:
    """Raises ValueError for a missing number, unless the type allows NaN or NA."""
    column = table.column(name)
    if kind == "str":
        return _words(column, name)
    if column.null_count and kind.startswith(("int", "bool")):
        raise ValueError(f"the column {name} lacks {column.null_count:,} of its values")
    mapper: dict[pa.DataType, pd.Int64Dtype] = {pa.int64(): pd.Int64Dtype()} if kind == "Int64" else {}
    return column.to_pandas(types_mapper=mapper.get).astype(kind)


def _words(column: pa.ChunkedArray, name: str) -> pd.Series:
    if column.null_count:
        raise ValueError(f"the column {name} must hold strings, not None")
    unique = column.unique().cast(pa.large_string())
    if why := text.fault(unique.to_pylist()):
        raise ValueError(f"the column {name} {why}")
    return column.cast(pa.large_string()).to_pandas().astype("str")
