"""The reliability of the numbers, with the reasons in plain words and the remedies."""

from typing import NamedTuple

import pandas as pd

from robust.core.declared import section
from robust.core.remedies import Interface, formatted, revised
from robust.core.types import NewRow, Row, radius
from robust.report import wording
from robust.report.conditions import strength
from robust.report.folder import Folder
from robust.results.flags import EPS, FLAGS

_CASE = ("suite", "model", "seed", "case")


class Doubt(NamedTuple):
    """What was observed, and a remedy."""

    words: str
    remedy: str


class Judged(NamedTuple):
    """The reliability of one model under one condition; n: images that were checked."""

    model: str
    condition: str
    reliability: str
    doubts: list[Doubt]
    n: str


@section(title="Reliability")
def diagnostics(folder: Folder) -> list[Judged]:
    """Every reliability of the table, those that are not reliable first."""
    found = []
    for (run, condition), rows in folder.values.items():
        about = rows[rows["metric"] == "reliability"].to_dict("records")
        for row in (row for row in about if not row["subset"]):
            doubts = [_doubt(other, folder.interface) for other in about if other["subset"]]
            title, n = wording.title(condition), wording.number(row["n"])
            found.append(Judged(folder.name(run), title, row["reliability"], doubts, n))
    return sorted(found, key=lambda one: one.reliability == "reliable")


def reasons(row: Row, results: pd.DataFrame) -> list[Doubt]:
    """Why a number of a table is unreliable: what was observed at its strength, and on its model as a whole."""
    checks = results[(results["metric"] == "reliability") & (results["subset"] != "")]
    for name in _CASE:
        checks = checks[checks[name] == row[name]]
    return [
        _doubt(check, None)
        for check in checks.to_dict("records")
        if strength(check) == strength(row) or (check["subset"] in FLAGS and FLAGS[check["subset"]].of_model)
    ]


def _doubt(row: Row, read_in: Interface | None) -> Doubt:
    if (flag := FLAGS.get(row["subset"])) is None:  # a folder of a later version
        return Doubt(f"{row['subset'].replace('_', ' ')}: {wording.percent(row['value'])}", "")
    words = flag.message.format(value=wording.percent(row["value"]), n=wording.number(row["n"]))
    remedy = flag.remedy
    for key in ("attack", "minimal"):
        remedy = revised(remedy, key, lambda table: in_the_ball_of(row, table))
    return Doubt(words, formatted(remedy, read_in))


def in_the_ball_of(row: Row, table: NewRow) -> NewRow:
    """The recommended table, with the eps and the norm of the unreliable number: another ball is another number."""
    several = isinstance(table["eps"], list)
    if (table["eps"][-1] if several else table["eps"]) != EPS:  # its own eps is recommended
        return table
    norm = {"norm": row["norm"]} if str(row["norm"]) in ("l2", "l1") else {}
    if pd.isna(row["eps"]):
        return {**table, **norm}
    eps = [radius(row["eps"] * share, row["norm"]) for share in (1 / 4, 1 / 2, 1)]
    return {**table, **norm, "eps": eps if several else eps[-1]}
