"""Numbers from papers and released weights: the reference for our networks. Each row names its source."""

import re
from importlib import resources

import pandas as pd

from robust.core.types import Row
from robust.report import wording

COMPARED = {"depth": "depth", "parameters": "parameters", "macs": "MACs", "forward": "values, forward"}
"""The counts of a network that are compared with published ones, and their names."""


def counts() -> pd.DataFrame:
    """Published counts of each architecture in each form: as text, "" where none is known.

    Columns: architecture, options ("norm=batch"), input ("" for the canonical one), parameters (trainable),
    macs, weighted and forward (values, see `robust.models.layer_table`), depth, source, and a note that explains
    where ours differ.
    """
    return _table("counts.csv", dtype=str, keep_default_na=False)


def errors() -> pd.DataFrame:
    """Published ImageNet errors in percent, of one network and one crop, with protocol and source."""
    return _table("published.csv")


def winners() -> pd.DataFrame:
    """Top-5 errors in percent that won ILSVRC, 2010 to 2017, and that of a human (without a year)."""
    return _table("ilsvrc.csv").astype({"year": "Int64"})


def agrees(ours: int, published: str) -> bool:
    """Does a count equal the published one, to the published digits? True where none is published.

    >>> agrees(15_855_752, "15.86M"), agrees(15_865_752, "15.86M"), agrees(16, "16"), agrees(16, "")
    (True, False, True, True)
    """
    if not (rounded := re.fullmatch(r"\d+\.(\d+)M", published)):
        return not published or ours == int(published)
    return f"{ours / 1e6:.{len(rounded[1])}f}M" == published


def formatted(name: str, value: float) -> str:
    """A count of `COMPARED`, formatted: parameters and depth in full, others with three digits.

    >>> formatted("parameters", 61706), formatted("macs", 416520)
    ('61,706', '417 k')
    """
    return wording.number(value) if name in ("parameters", "depth") else wording.scaled(value)


def mark(row: Row, name: str) -> str:
    """How a count compares, in a row of `robust.api.describe.family`: "=", "≠ 264", or "" where none is published.

    >>> mark({"published_depth": "264", "differs": "depth"}, "depth")
    '≠ 264'
    """
    published = str(row[f"published_{name}"])
    if name in row["differs"].split():
        return f"≠ {published if published.endswith('M') else formatted(name, float(published))}"
    return "=" if published else ""


def _table(name: str, **options: object) -> pd.DataFrame:
    with (resources.files("robust.report") / "data" / name).open(encoding="utf-8") as file:
        return pd.read_csv(file, **options)  # type: ignore[call-overload]
