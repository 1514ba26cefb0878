"""Reliability levels in the rows of results.csv: the column `reliability` and the rows of metric "reliability"."""

from collections.abc import Iterable

from robust.core.types import NewRow, Row
from robust.results.flags import FLAGS, LEVELS, Level, Reason, doubted, level

Doubt = tuple[Row, Reason]
_STRENGTH = ("perturbation", "norm", "eps", "severity")


def joined(values: Iterable[Row], doubts: Iterable[Doubt]) -> list[NewRow]:
    """The rows, and one for each reason that follows from other cases, added to the level at its strength.

    doubts: the columns that identify the number in doubt, and the reason.
    """
    rows = [dict(row) for row in values]
    for where, (name, value, n) in doubts:
        of = [
            row for row in rows if _is_level(row) and all(row[k] == where[k] for k in ("perturbation", "norm", "eps"))
        ]
        rows += [{**row, "subset": name, "value": value, "n": n, "unit": "proportion"} for row in of]
    return rows


def marked(values: Iterable[Row]) -> list[NewRow]:
    """The rows with their column `reliability`, and each level as given by all its reasons.

    A flag of the model itself marks all its rows, also those without a strength.
    """
    rows = [dict(row) for row in values]
    names: dict[tuple, list[str]] = {_strength(row): [] for row in rows if _is_level(row)}
    for row in rows:
        if row["metric"] == "reliability" and row["subset"]:
            names[_strength(row)].append(row["subset"])
    levels: dict[tuple, Level] = {strength: level(found) for strength, found in names.items()}
    whole = of_model(rows)
    for row in rows:
        row["reliability"] = levels.get(_strength(row), level(whole) if whole else "")
        if _is_level(row):
            row["value"] = LEVELS[levels[_strength(row)]]
    return rows


def of_model(values: Iterable[Row]) -> list[str]:
    """The flags among the rows that put all numbers of the model in doubt."""
    names = {row["subset"] for row in values if row["metric"] == "reliability"}
    return [name for name, flag in FLAGS.items() if flag.of_model and name in names]


def doubt(row: Row, values: Iterable[Row]) -> str:
    """The level and the reasons of a number in doubt: ` (suspect: too few steps)`; "" where it is not in doubt."""
    if not doubted(row["reliability"]):
        return ""
    rows = list(values)
    reasons = [
        r["subset"] for r in rows if r["metric"] == "reliability" and r["subset"] and _strength(r) == _strength(row)
    ]
    reasons = reasons or of_model(rows)
    return f" ({row['reliability']}: {', '.join(reasons).replace('_', ' ')})"


def _is_level(row: Row) -> bool:
    return row["metric"] == "reliability" and not row["subset"]


def _strength(row: Row) -> tuple:
    return tuple(row[key] for key in _STRENGTH)
