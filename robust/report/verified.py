"""What a report folder says of its bounds, computed anew: nothing is believed that the rest of the folder tells.

Whoever may write results.csv may write `trust`, `bound` and `passed` there. The verdict on a number follows from the
rows of the trust checks, the bound from suite.toml, the verdict on the bound from both and the value. What cannot be
known so, as whether an attack worked of which no check is recorded, is "unverified", and supports no bound.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pandas as pd

from robust import bound, marks
from robust.bound import BETTER, Bound, NoWorse
from robust.errors import ReportError
from robust.ills import ILLS, LEVELS, UNVERIFIED, verdict, worse
from robust.statistics import clopper_pearson

Table = Mapping[str, Any]
Counted = Mapping[tuple, Mapping[str, tuple[int, int]]]
"""How many images count, of how many, by outcomes.parquet: by model, seed, case and strength; by what bounds name."""
_WHOSE = ["model", "seed", "case"]
_SHARES = ({*BETTER} | {"corruption_error", "mean_corruption_error", "survives_8bit", "confused"}) - {"nll"}
_BESIDE = ("difference", "mcnemar")  # metrics of rows that compare two models
_ROUNDING = 1e-9


class Expected(NamedTuple):
    """A bound of suite.toml on one trained model; `name` is what its rows are called."""

    model: str
    seed: int
    case: str
    name: str
    limit: Bound | NoWorse


def expected(suite: Table) -> Iterator[Expected]:
    """Every bound that a suite, as it is parsed, asks for; raises SuiteError for one that cannot be read."""
    models, seed = suite.get("model", {}), suite.get("seed", 0)
    for case, table in suite.get("case", {}).items():
        limited = table.get("models", list(models))
        for key, limit in _limits(table):
            for model in (name for name in models if name in limited):
                name = f"difference[{key} vs {limit.than}]" if isinstance(limit, NoWorse) else key
                if not isinstance(limit, NoWorse) or limit.than != model:
                    for one in models[model].get("seeds", [seed]):
                        yield Expected(model, one, case, name, limit)


def _limits(case: Table) -> list[tuple[str, Bound | NoWorse]]:
    given = {key: text for key, text in (case.get("expect") or {}).items() if key != "allow_invalid"}
    return [(key, bound.parse(text)) for key, text in given.items()]


def verified(results: pd.DataFrame, suite: Table, measured: Counted) -> pd.DataFrame:
    """A results.csv whose `trust`, `bound` and `passed` follow from the rest of it, and from the suite.

    Args:
        results: as it was read; suite: suite.toml, parsed; empty where there is none.
        measured: what outcomes.parquet counts, see `counts`.

    Raises ReportError for a share that is none, or one that the outcomes contradict, or an interval that is not its.
    """
    for row in results.to_dict("records"):
        _check(row, measured)
    trusted = results.assign(trust=_trust(results, suite))
    levels = trusted["trust"].map(lambda word: LEVELS.get(word, 0.0))
    is_verdict = (trusted["metric"] == "trust") & (trusted["group"] == "")
    trusted = trusted.assign(value=trusted["value"].where(~is_verdict, levels), bound=_bounds(results, suite))
    return trusted.assign(passed=pd.Series(_passed(trusted, suite), index=results.index, dtype="boolean"))


def counts(labels: pd.Series, predicted: pd.Series) -> dict[str, tuple[int, int]]:
    """How many of how many images count for a share.

    >>> counts(pd.Series(["cat", "dog"]), pd.Series(["cat", "cat"]))
    {'top1': (1, 2), 'top1_error': (1, 2), 'recall[cat]': (1, 1), 'recall[dog]': (0, 1)}
    """
    right, n = (labels == predicted), len(labels)
    of_class = right.groupby(labels).agg(["sum", "size"]).itertuples()
    recalls = {f"recall[{name}]": (int(hits), int(of)) for name, hits, of in of_class}
    return {"top1": (int(right.sum()), n), "top1_error": (int(n - right.sum()), n), **recalls}


def _check(row: Mapping[Any, Any], measured: Counted) -> None:
    who = f"results.csv: {row['case']}[{row['model']}] {bound.name(row)}"
    least = -1 if row["metric"] == "difference" and row["unit"] == "proportion" else 0
    if row["metric"] in _SHARES or least < 0:
        for end in ("low", "value", "high"):
            if not (pd.isna(row[end]) or least - _ROUNDING <= row[end] <= 1 + _ROUNDING):
                raise ReportError(f"{who}: {end} is {row[end]:g}, and must lie in [{least}, 1]")
    if row["low"] > row["high"]:
        raise ReportError(f"{who}: its interval ends at {row['high']:g}, before it begins at {row['low']:g}")
    told = measured.get((*(row[name] for name in _WHOSE), *strength(row)), {})
    if bound.name(row) in told:
        _recount(who, row, *told[bound.name(row)])


def _recount(who: str, row: Mapping[Any, Any], count: int, n: int) -> None:
    """Raise ReportError where a share, its number of images or its interval is not what a count of images gives."""
    if not abs(row["value"] - count / n) <= 1e-6 or row["n"] != n:
        told = f"{count / n:g} of {n}"
        raise ReportError(f"{who} is {row['value']:g} of {row['n']} images, and {told} by outcomes.parquet")
    for name, end in zip(("low", "high"), clopper_pearson(count, n), strict=True):
        if abs(row[name] - end) > 1e-6:
            raise ReportError(f"{who}: {name} is {row[name]:g}, and {end:g} by the {count} of {n} images that count")


def strength(row: Mapping[Any, Any]) -> tuple:
    """The strength of a perturbation as it can be compared: without NaN, and radii with nine digits."""
    eps, severity = row["eps"], row["severity"]
    radius = None if pd.isna(eps) else float(f"{eps:.9g}")
    return row["perturbation"], row["norm"], radius, None if pd.isna(severity) else int(severity)


def _trust(results: pd.DataFrame, suite: Table) -> list[str]:
    words: dict[tuple, str] = {}
    for whose, part in results.groupby(_WHOSE, sort=False):
        attacked = "attack" in suite.get("case", {}).get(whose[2], {})
        words |= {(*whose, *where): word for where, word in _of_case(part, attacked=attacked).items()}
    firsts = results.drop_duplicates("model").set_index("model")["seed"]
    found = []
    for row in results.to_dict("records"):
        own = (*(row[name] for name in _WHOSE), *strength(row))
        told = worse(row["trust"] if row["trust"] in LEVELS else "", words[own])
        found.append(worse(told, _rivals(row, words, firsts)) if row["metric"] in _BESIDE else told)
    return found


def _of_case(rows: pd.DataFrame, *, attacked: bool) -> dict[tuple, str]:
    """The verdict at each strength of one case on one model, by the rows of the trust checks."""
    listed = rows.to_dict("records")
    whole = marks.of_model(listed)
    found: dict[tuple, str] = {where: verdict(whole) if whole else "" for where in map(strength, listed)}
    checks = [row for row in listed if row["metric"] == "trust"]
    for where in {strength(row) for row in checks}:
        names = [row["group"] for row in checks if row["group"] and strength(row) == where]
        unknown = "suspect" if any(name not in ILLS for name in names) else ""  # of a later version
        found[where] = worse(verdict(name for name in names if name in ILLS), unknown)
    there = {strength(row) for row in checks if not row["group"]}
    return {where: word if where in there or not attacked else worse(word, UNVERIFIED) for where, word in found.items()}


def _rivals(row: Mapping[Any, Any], words: Mapping[tuple, str], firsts: pd.Series) -> str:
    """The verdict on what a model is compared with: the same seed of the other, or its first; "" in another report."""
    than = row["group"].rpartition(" vs ")[2]
    if than not in firsts:
        return ""
    same = (than, row["seed"], row["case"], *strength(row))
    return words.get(same, words.get((than, firsts[than], row["case"], *strength(row)), ""))


def _bounds(results: pd.DataFrame, suite: Table) -> list[str]:
    asked = {tuple(each[:4]): each.limit.text for each in expected(suite)}
    known, names = set(suite.get("case", {})), zip(results["case"], results["bound"], strict=True)
    keys = [(*(row[n] for n in _WHOSE), bound.name(row)) for row in results.to_dict("records")]
    return [asked.get(key, "") if case in known else text for key, (case, text) in zip(keys, names, strict=True)]


def _passed(results: pd.DataFrame, suite: Table) -> list[bool | None]:
    allowed = allows(suite)
    states = [
        bound.state(row, allow_invalid=row["case"] in allowed) if row["bound"] else "not judged"
        for row in results.to_dict("records")
    ]
    return [None if state == "not judged" else state == "passed" for state in states]


def allows(suite: Table) -> set[str]:
    """The cases of a suite whose bounds may pass on invalid numbers."""
    return {name for name, case in suite.get("case", {}).items() if (case.get("expect") or {}).get("allow_invalid")}


def absent(results: pd.DataFrame, suite: Table, measured: Counted) -> list[Expected]:
    """The bounds of the suite that no row of the (verified) table answers, at all or at a measured strength."""
    rows = results[results["bound"] != ""].to_dict("records")
    there = {(*(row[n] for n in _WHOSE), bound.name(row), *strength(row)) for row in rows}
    some, missing = {key[:4] for key in there}, []
    for each in expected(suite):
        whose = (each.model, each.seed, each.case)
        places = [key[3:] for key in measured if key[:3] == whose] if _everywhere(each) else []
        if (*whose, each.name) not in some or any((*whose, each.name, *place) not in there for place in places):
            missing.append(each)
    return missing


def _everywhere(one: Expected) -> bool:
    """Is the value given at every strength?"""
    return isinstance(one.limit, NoWorse) or one.name in ("top1", "top1_error", "nll", "trust")
