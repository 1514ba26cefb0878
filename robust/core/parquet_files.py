"""Parquet files of others: what they say and how they are packed is looked at before a word of them is spelt out."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import compute, parquet

from robust.core import archives, files, text

_FOOTER = 2**20  # bytes that the description of a table may have: a hundred times what `robust run` writes
_PARTS = 2**16  # lists of the description that are longer are damaged
_ROWS = 10**5
_PACKED = ("SNAPPY", "UNCOMPRESSED")
_KINDS = {
    "str": ("words", (pa.types.is_string, pa.types.is_large_string, pa.types.is_null)),
    "bool": ("truth values", (pa.types.is_boolean,)),
    "int": ("whole numbers", (pa.types.is_integer,)),
    "float": ("floats", (pa.types.is_floating,)),
}


def read(path: Path, kinds: Mapping[str, str]) -> pd.DataFrame:
    """These columns of a table, of these types as pandas names them.

    Raises KeyError naming a column that is missing, ValueError for what is no such table, for columns of other types,
    words that nobody can read, and for what its bytes cannot mean; OSError where it cannot be read.
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
    """The same path, whose last bytes say that the description before them is short."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 8, 0))
        length, end = int.from_bytes(file.read(4), "little"), file.read()
    if length > _FOOTER and end == b"PAR1":
        raise ValueError(f"the description of its columns has {length:,} bytes; at most {_FOOTER:,}")
    return path


def _check_kinds(schema: pa.Schema, kinds: Mapping[str, str]) -> None:
    for name, kind in kinds.items():
        found = schema.field(name).type
        inner = found.value_type if pa.types.is_dictionary(found) else found
        what, allowed = _KINDS[kind.lower().rstrip("0123456789")]
        if not any(fits(inner) for fits in allowed):
            raise ValueError(f"the column {name} must hold {what}, not {str(found)[:100]}")


def check_packing(described: parquet.FileMetaData, size: int) -> None:
    """Each column has bytes of its own, packed as pandas does; of many rows each has some bits of its own: an id."""
    parts = [
        described.row_group(group).column(column)
        for group in range(described.num_row_groups)
        for column in range(described.num_columns)
    ]
    if strange := [part for part in parts if part.compression not in _PACKED]:
        raise ValueError(f"its columns are packed as {strange[0].compression}; allowed: {' or '.join(_PACKED)}")
    if (claimed := sum(part.total_compressed_size for part in parts)) > size:
        raise ValueError(f"its columns claim {claimed:,} bytes, and it has {size:,}")
    if described.num_rows > max(_ROWS, 4 * size):
        raise ValueError(f"says that it has {described.num_rows:,} rows, and has {size:,} bytes")


def check_words(table: pa.Table, size: int) -> None:
    """No word is too long to be one, and all of them together, each as often as it is used, fit the file."""
    total = 0
    for name in table.column_names:
        for part in table.column(name).chunks:
            if isinstance(part, pa.DictionaryArray):
                lengths = compute.call_function("binary_length", [part.dictionary])
                longest = compute.call_function("max", [lengths]).as_py() or 0
                if longest > 4 * text.LONGEST:
                    raise ValueError(f"the column {name} holds a word of {longest:,} bytes; at most {text.LONGEST:,}")
                total += compute.call_function("sum", [lengths.take(part.indices)]).as_py() or 0
    archives.sizes(total, size, archives.TABLES)


def _column(table: pa.Table, name: str, kind: str) -> pd.Series:
    """Raises ValueError for a number that is missing, unless it may be, as NaN or NA."""
    column = table.column(name)
    if kind == "str":
        return _words(column, name)
    if column.null_count and kind.startswith(("int", "bool")):
        raise ValueError(f"the column {name} lacks {column.null_count:,} of its values")
    mapper: dict[pa.DataType, pd.Int64Dtype] = {pa.int64(): pd.Int64Dtype()} if kind == "Int64" else {}
    return column.to_pandas(types_mapper=mapper.get).astype(kind)


def _words(column: pa.ChunkedArray, name: str) -> pd.Series:
    if column.null_count:
        raise ValueError(f"the column {name} must hold words, not None")
    unique = column.unique().cast(pa.large_string())
    if why := text.fault(unique.to_pylist()):
        raise ValueError(f"the column {name} {why}")
    return column.cast(pa.large_string()).to_pandas().astype("str")
