"""Verdicts in the rows of results.csv: the column `reliability` and the rows of metric "reliability"."""

from collections.abc import Iterable

from robust.core.types import NewRow, Row
from robust.results.flags import FLAGS, LEVELS, Reason, Word, doubted, verdict

Doubt = tuple[Row, Reason]
_STRENGTH = ("perturbation", "norm", "eps", "severity")


def joined(values: Iterable[Row], doubts: Iterable[Doubt]) -> list[NewRow]:
    """The rows, and one for each reason that other cases gave, beside the verdict at its strength.

    doubts: columns that say whose number is in doubt, and the reason.
    """
    rows = [dict(row) for row in values]
    for where, (name, value, n) in doubts:
        of = [
            row for row in rows if _is_verdict(row) and all(row[k] == where[k] for k in ("perturbation", "norm", "eps"))
        ]
        rows += [{**row, "subset": name, "value": value, "n": n, "unit": "proportion"} for row in of]
    return rows


def marked(values: Iterable[Row]) -> list[NewRow]:
    """The rows with their column `reliability`, and the level of each verdict as all its reasons give it.

    An ill of the model itself marks all its rows, those without a strength of their own, too.
    """
    rows = [dict(row) for row in values]
    names: dict[tuple, list[str]] = {_strength(row): [] for row in rows if _is_verdict(row)}
    for row in rows:
        if row["metric"] == "reliability" and row["subset"]:
            names[_strength(row)].append(row["subset"])
    words: dict[tuple, Word] = {strength: verdict(found) for strength, found in names.items()}
    whole = of_model(rows)
    for row in rows:
        row["reliability"] = words.get(_strength(row), verdict(whole) if whole else "")
        if _is_verdict(row):
            row["value"] = LEVELS[words[_strength(row)]]
    return rows


def of_model(values: Iterable[Row]) -> list[str]:
    """The ills among the rows that put every number of the model in doubt."""
    names = {row["subset"] for row in values if row["metric"] == "reliability"}
    return [name for name, ill in FLAGS.items() if ill.of_model and name in names]


def doubt(row: Row, values: Iterable[Row]) -> str:
    """What stands behind a number that is in doubt: ` (suspect: too few steps)`; "" where it is not."""
    if not doubted(row["reliability"]):
        return ""
    rows = list(values)
    reasons = [
        r["subset"] for r in rows if r["metric"] == "reliability" and r["subset"] and _strength(r) == _strength(row)
    ]
    reasons = reasons or of_model(rows)
    return f" ({row['reliability']}: {', '.join(reasons).replace('_', ' ')})"


def _is_verdict(row: Row) -> bool:
    return row["metric"] == "reliability" and not row["subset"]


def _strength(row: Row) -> tuple:
    return tuple(row[key] for key in _STRENGTH)
