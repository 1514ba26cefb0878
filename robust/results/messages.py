"""The wording of numbers, bounds and reliability levels, for the terminal, pytest and the page."""

from math import inf, isfinite, isnan

import pandas as pd

from robust.core.types import Row, radius
from robust.results.flags import doubted
from robust.results.summaries.corruption_error import ABSENT
from robust.suite import bounds
from robust.suite.bounds import Bound, NoWorse


def value_with_interval(row: Row) -> str:
    """A value with its interval: `0.251 [0.225, 0.279]`, or with the one end that it has.

    >>> value_with_interval({"value": 0.5, "ci_low": 0.4, "ci_high": 0.6})
    '0.500 [0.400, 0.600]'
    >>> value_with_interval({"value": -0.5, "ci_low": -0.6, "ci_high": float("nan")})
    '-0.500 [-0.600, ...]'
    >>> value_with_interval({"value": inf, "ci_low": 0.02, "ci_high": inf, "unit": "distance", "eps": 0.05})
    'not found up to 0.05 (low: 0.020)'
    >>> value_with_interval({"value": float("nan"), "ci_low": 0.02, "ci_high": inf, "unit": "distance", "eps": 0.05})
    'not known, as just half of the images have one up to 0.05 (low: 0.020)'
    >>> value_with_interval({"value": 0.79951, "ci_low": 0.7, "ci_high": 0.9, "bound": bounds.parse(">= 0.80")})  # so it is missed
    '0.7995 [0.7000, 0.9000]'
    """
    if row.get("unit") == "distance" and not isfinite(row["value"]):
        low = f" (low: {row['ci_low']:.3f})" if row["ci_low"] < inf else ""
        half = "not known, as just half of the images have one" if isnan(row["value"]) else "not found"
        return f"{half} up to {radius(row['eps'], row.get('norm', ''))}{low}"
    if isnan(row["ci_low"]) and isnan(row["ci_high"]):
        return f"{row['value']:.6g}"
    limit = row.get("bound")
    n = limit.digits(row, 3) if limit else 3
    low, high = ("..." if isnan(end) else f"{end:.{n}f}" for end in (row["ci_low"], row["ci_high"]))
    return f"{row['value']:.{n}f} [{low}, {high}]"


def strength(row: Row) -> str:
    """How strong the perturbation was, with a space before it; "" where there is none.

    >>> strength({"severity": None, "eps": 8 / 255, "norm": "linf"})
    ' at eps 8/255'
    """
    severity, eps = row.get("severity"), row.get("eps")
    if severity is not None and not pd.isna(severity):
        return f" at severity {severity}"
    if eps is None or pd.isna(eps):
        return ""
    return f" at eps {radius(eps, row['norm'])}"


def missed(row: Row) -> str:
    """A missed bound in words; the row has it as an object, see `robust.suite.bounds.read`.

    >>> limit = bounds.parse(">= 0.80")
    >>> missed({"metric": "top1", "subset": "", "value": 0.78, "ci_low": 0.75, "ci_high": 0.81, "bound": limit})
    'top1 0.780 [0.750, 0.810] is not >= 0.80, but undecided: the interval holds the bound'
    >>> missed({"metric": "recall", "subset": "horse", "value": float("nan"), "bound": limit})
    'recall[horse] cannot be given (there is no image for it), so that it is not >= 0.80'
    """
    limit = row["bound"]
    if isinstance(limit, Bound) and limit.untold(row):
        return f"{bounds.name(row)} {value_with_interval(row)} leaves {row['bound']} undecided; search farther, with a larger eps"
    if isinstance(limit, Bound) and isnan(row["value"]) and isnan(row[limit.of]):
        why = row.get("ci_method", "").removeprefix("none: ").removeprefix(ABSENT) or "there is no image for it"
        return f"{bounds.name(row)} cannot be given ({why}), so that it is not {row['bound']}"
    if limit.judge(row):
        kind = (
            "is an invalid number"
            if row["reliability"] == "invalid"
            else "has no verdict of the reliability checks on record"
        )
        return f"{bounds.name(row)} {value_with_interval(row)} {kind}, so that {row['bound']} is unsupported"
    if isinstance(limit, NoWorse) and limit.open(row):
        return f"{bounds.name(row)} {value_with_interval(row)} leaves {row['bound']} undecided: the sample cannot tell; more images can"
    if isinstance(limit, Bound) and limit.lacks_its_end(row):
        return f"{bounds.name(row)} {value_with_interval(row)} has no interval, and {row['bound']} asks for one; hold the value against it"
    verb = "is not" if str(limit)[0] in "<>i" else "misses"
    doubt = ", but undecided: the interval holds the bound" if undecided(row) else ""
    return f"{bounds.name(row)} {value_with_interval(row)} {verb} {row['bound']}{doubt}"


def undecided(row: Row) -> bool:
    """Does the interval of a judged row straddle its bound, so that another sample could turn the verdict?"""
    return row["bound"] is not None and row["bound"].undecided(row["ci_low"], row["ci_high"])


def in_doubt(row: Row) -> str:
    """What the reliability checks say against a number, in brackets; "" for nothing.

    >>> in_doubt({"reliability": "suspect"}), in_doubt({"reliability": "reliable"})
    (' (suspect)', '')
    """
    return f" ({row['reliability']})" if doubted(row["reliability"]) else ""


def unsettled(results: pd.DataFrame) -> list[str]:
    """The verdicts of a table that are not settled, in a line each: undecided, passed in doubt, and not judged ones."""
    rows = [*map(bounds.read, results[results["bound"] != ""].to_dict("records"))]
    kinds = {
        "passed, on a number in doubt": [row for row in rows if row["passed"] is True and in_doubt(row)],
        "undecided, the interval holds the bound": [row for row in rows if undecided(row)],
        "not judged, what it is compared with is this report or has not run": [r for r in rows if pd.isna(r["passed"])],
    }
    models = several(results)
    places = {what: [place(row, models) + in_doubt(row) for row in found] for what, found in kinds.items()}
    return [f"{what}: {', '.join(found)}" for what, found in places.items() if found] + absent(results)


def absent(results: pd.DataFrame) -> list[str]:
    """The numbers that were asked for and could not be given, with the reason, a line for each.

    >>> row = {"model": "net", "seed": 0, "case": "weather", "metric": "corruption_error_ratio", "subset": "fog"}
    >>> absent(pd.DataFrame([{**row, "ci_method": "not given: lenet5 makes no error under fog"}]))
    ['weather[net] corruption_error_ratio[fog] is not given: lenet5 makes no error under fog']
    """
    rows = results[results["ci_method"].str.startswith(ABSENT)].to_dict("records")
    models = several(results)
    return [f"{place(row, models)} is {row['ci_method']}" for row in rows]


def place(row: Row, several: set[str]) -> str:
    """Case, model and metric of a row, as messages name them."""
    return f"{cell(row, several)} {bounds.name(row)}{strength(row)}"


def several(results: pd.DataFrame) -> set[str]:
    """The models of a table that were trained with several seeds.

    >>> several(pd.DataFrame({"model": ["a", "a", "b", "b"], "seed": [0, 1, 0, 0]}))
    {'a'}
    """
    seeds = results.groupby("model")["seed"].nunique()
    return {*seeds.index[seeds > 1]}


def cell(row: Row, several: set[str]) -> str:
    """The case and the model of a row, with the seed of a model that was trained with several.

    >>> cell({"case": "pgd", "model": "net", "seed": 3}, several={"net"})
    'pgd[net-3]'
    """
    seed = f"-{row['seed']}" if row["model"] in several else ""
    return f"{row['case']}[{row['model']}{seed}]"
