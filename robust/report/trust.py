"""Can the numbers be believed? The verdicts, with their reasons in plain words and what to do."""

from typing import Any, NamedTuple

from robust.ills import ILLS
from robust.interface import Interface, worded
from robust.report import wording
from robust.report.folder import Folder


class Doubt(NamedTuple):
    """What was seen, and what helps."""

    words: str
    remedy: str


class Judged(NamedTuple):
    """The verdict on one model under one condition; n: images that were looked at."""

    model: str
    condition: str
    verdict: str
    doubts: list[Doubt]
    n: str


def judged(folder: Folder) -> list[Judged]:
    """Every verdict of the table, those in doubt first."""
    found = []
    for (run, condition), rows in folder.values.items():
        about = rows[rows["metric"] == "trust"].to_dict("records")
        for row in (row for row in about if not row["group"]):
            doubts = [_doubt(other, folder.interface) for other in about if other["group"]]
            title, n = wording.title(condition), wording.number(row["n"])
            found.append(Judged(folder.name(run), title, row["trust"], doubts, n))
    return sorted(found, key=lambda one: one.verdict == "reliable")


def _doubt(row: dict[Any, Any], read_in: Interface) -> Doubt:
    if (ill := ILLS.get(row["group"])) is None:  # a folder that a later version has filled
        return Doubt(f"{row['group'].replace('_', ' ')}: {wording.percent(row['value'])}", "")
    return Doubt(
        ill.words.format(value=wording.percent(row["value"]), n=wording.number(row["n"])), worded(ill.remedy, read_in)
    )
