"""The reliability of each number of results.csv, from the rows of the reliability checks."""

from collections.abc import Mapping

import pandas as pd

from robust.core import foolbox_classes, registry
from robust.core.types import Row, Table
from robust.report.conditions import Cells, strength
from robust.report.recount import Recounts
from robust.results import reliability as marks
from robust.results.flags import FLAGS, LEVELS, UNVERIFIED, level, worse
from robust.results.summaries.corruption_error import ON_THE_FLY, RELATIVE_METRICS
from robust.suite import bounds

_CASE = ["model", "seed", "case"]
_COMPARED = ("difference", "mcnemar")  # metrics of rows that compare two models


def reliability(results: pd.DataFrame, suite: Table, recounted: Recounts, outcomes: Cells) -> list[str]:
    """The column `reliability`, row by row: the worse of the recorded word and of the result of the recorded checks.

    A number is "unverified" under an attack of which no checks are on record, and where the outcomes have no image of
    its strength.
    """
    words: dict[tuple, str] = {}
    shown = {(*run, condition.case, *strength(condition._asdict())) for run, condition in outcomes}
    fooled = {(*run, of.case) for (run, of), rows in outcomes.items() if (rows["success_by"] != "").any()}
    for key, part in results.groupby(_CASE, sort=False):
        case = suite.get("case", {}).get(key[2], {})
        attacked = "attack" in case or "minimal" in case or key in fooled
        words |= {(*key, *where): word for where, word in of_case(part, attacked=attacked).items()}
    of_models: dict[tuple, str] = {}
    for (model, _, *where), word in words.items():  # on all trainings of a model
        of_models[(model, *where)] = worse(of_models.get((model, *where), ""), word)
    firsts = results.drop_duplicates("model").set_index("model")["seed"]
    found = []
    for row in results.to_dict("records"):
        own = (*(row[name] for name in _CASE), *strength(row))
        word = worse(row["reliability"] if row["reliability"] in LEVELS else "", words[own])
        if own not in shown and (*own, bounds.name(row)) not in recounted:
            word = worse(word, UNVERIFIED)
        if row["metric"] in RELATIVE_METRICS:
            base = str(row["unit"]).removeprefix("\N{MULTIPLICATION SIGN} ")
            word = worse(word, of_models.get((base, *own[2:]), ""))
        found.append(worse(word, rivals(row, words, firsts)) if row["metric"] in _COMPARED else word)
    return found


def of_case(rows: pd.DataFrame, *, attacked: bool) -> dict[tuple, str]:
    """The reliability at each strength of one case on one model, from the rows of the reliability checks.

    attacked: were the images attacked according to the suite? The rows themselves may show it, too.
    """
    listed = rows.to_dict("records")
    whole = marks.of_model(listed)
    found: dict[tuple, str] = {where: level(whole) if whole else "" for where in map(strength, listed)}
    checks = [row for row in listed if row["metric"] == "reliability"]
    groups: dict[tuple, list[str]] = {}
    for row in checks:
        groups.setdefault(strength(row), []).append(row["subset"])
    for where, all_names in groups.items():
        names = list(filter(None, all_names))
        unknown = "suspect" if any(name not in FLAGS for name in names) else ""  # of a later version
        found[where] = worse(level(name for name in names if name in FLAGS), unknown)
    checked = {strength(row) for row in checks if not row["subset"]}
    unknown = {
        where for where in found if where not in checked and where[0] != ON_THE_FLY and (attacked or attack(*where))
    }
    return {where: worse(word, UNVERIFIED) if where in unknown else word for where, word in found.items()}


def attack(perturbation: str, norm: str, radius: float | None, _: int | None) -> bool:
    """Does a strength itself show that images were attacked? Nothing else has a norm, a radius or such a name.

    >>> attack("pgd", "", None, None), attack("mine:attack", "l2", None, None), attack("fog", "", None, 3)
    (True, True, False)
    """
    named = perturbation.startswith(foolbox_classes.PREFIX) or perturbation in registry.names("attacks")
    return named or norm != "" or radius is not None


def rivals(row: Row, words: Mapping[tuple, str], firsts: pd.Series) -> str:
    """The reliability of the model compared with: of its same seed, or of its first; "" in another report."""
    than = row["subset"].rpartition(" vs ")[2]
    if than not in firsts:
        return ""
    same = (than, row["seed"], row["case"], *strength(row))
    return words.get(same, words.get((than, firsts[than], row["case"], *strength(row)), ""))
