"""The wording of numbers, bounds and reliability levels, for the terminal, pytest and the page."""

from math import inf, isfinite, isnan

import pandas as pd

from robust.core.types import Row, radius
from robust.results.flags import doubted
from robust.results.summaries.corruption_error import ABSENT
from robust.suite import bounds
from robust.suite.bounds import Bound, NoWorse


def value_with_interval(row: Row) -> str:
    """A value with its interval: `0.251 [0.225, 0.279]`, or with the only end that it has.

    >>> value_with_interval({"value": 0.5, "ci_low": 0.4, "ci_high": 0.6})
    '0.500 [0.400, 0.600]'
    >>> value_with_interval({"value": -0.5, "ci_low": -0.6, "ci_high": float("nan")})
    '-0.500 [-0.600, ...]'
    >>> value_with_interval({"value": inf, "ci_low": 0.02, "ci_high": inf, "unit": "distance", "eps": 0.05})
    'not found up to 0.05 (low: 0.020)'
    >>> value_with_interval({"value": float("nan"), "ci_low": 0.02, "ci_high": inf, "unit": "distance", "eps": 0.05})
    'unknown, as exactly half of the images have one up to 0.05 (low: 0.020)'
    >>> missed = bounds.parse(">= 0.80")  # more digits, so that the value is visibly below the bound
    >>> value_with_interval({"value": 0.79951, "ci_low": 0.7, "ci_high": 0.9, "bound": missed})
    '0.7995 [0.7000, 0.9000]'
    """
    if row.get("unit") == "distance" and not isfinite(row["value"]):
        low = f" (low: {row['ci_low']:.3f})" if row["ci_low"] < inf else ""
        half = "unknown, as exactly half of the images have one" if isnan(row["value"]) else "not found"
        return f"{half} up to {radius(row['eps'], row.get('norm', ''))}{low}"
    if isnan(row["ci_low"]) and isnan(row["ci_high"]):
        return f"{row['value']:.6g}"
    limit = row.get("bound")
    n = limit.digits(row, 3) if limit else 3
    low, high = ("..." if isnan(end) else f"{end:.{n}f}" for end in (row["ci_low"], row["ci_high"]))
    return f"{row['value']:.{n}f} [{low}, {high}]"


def strength(row: Row) -> str:
    """The strength of the perturbation, with a leading space; "" where there is none.

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
    """The message of a missed bound; the row has it as an object, see `robust.suite.bounds.read`.

    >>> limit = bounds.parse(">= 0.80")
    >>> missed({"metric": "top1", "subset": "", "value": 0.78, "ci_low": 0.75, "ci_high": 0.81, "bound": limit})
    'top1 0.780 [0.750, 0.810] is not >= 0.80, but undecided: the interval contains the bound'
    >>> missed({"metric": "recall", "subset": "horse", "value": float("nan"), "bound": limit})
    'recall[horse] has no value (there is no image for it), so it is not >= 0.80'
    """
    limit = row["bound"]
    is_unknown = isinstance(limit, Bound) and limit.is_unknown(row)
    if isinstance(limit, Bound) and not is_unknown and isnan(row["value"]) and isnan(row[limit.of]):
        why = row.get("ci_method", "").removeprefix("none: ").removeprefix(ABSENT) or "there is no image for it"
        return f"{bounds.name(row)} has no value ({why}), so it is not {limit}"
    value = f"{bounds.name(row)} {value_with_interval(row)}"
    if is_unknown:
        return f"{value} leaves {limit} undecided; search farther, with a larger eps"
    if limit.judge(row):
        kind = "is an invalid number" if row["reliability"] == "invalid" else "has no reliability level on record"
        return f"{value} {kind}, so {limit} is unsupported"
    if isinstance(limit, NoWorse) and limit.open(row):
        return f"{value} leaves {limit} undecided: the sample is too small to decide; use more images"
    if isinstance(limit, Bound) and limit.lacks_interval_end(row):
        return f"{value} has no interval, and {limit} requires one; bound the value instead"
    verb = "is not" if str(limit)[0] in "<>i" else "misses"
    doubt = ", but undecided: the interval contains the bound" if undecided(row) else ""
    return f"{value} {verb} {limit}{doubt}"


def undecided(row: Row) -> bool:
    """Does the interval of a judged row contain its bound, so that another sample could change the verdict?"""
    return row["bound"] is not None and row["bound"].undecided(row["ci_low"], row["ci_high"])


def in_doubt(row: Row) -> str:
    """The reliability level of a number in doubt, in brackets; "" for others.

    >>> in_doubt({"reliability": "suspect"}), in_doubt({"reliability": "reliable"})
    (' (suspect)', '')
    """
    return f" ({row['reliability']})" if doubted(row["reliability"]) else ""


def unsettled(results: pd.DataFrame) -> list[str]:
    """The unsettled verdicts of a table, in a line each: undecided, passed in doubt, and not judged ones."""
    rows = [*map(bounds.read, results[results["bound"] != ""].to_dict("records"))]
    kinds = {
        "passed, on a number in doubt": [row for row in rows if row["passed"] is True and in_doubt(row)],
        "undecided, the interval contains the bound": [row for row in rows if undecided(row)],
        "not judged, compared with this report or with a model that has not run": [
            row for row in rows if pd.isna(row["passed"])
        ],
    }
    models = several(results)
    places = {what: [place(row, models) + in_doubt(row) for row in found] for what, found in kinds.items()}
    return [f"{what}: {', '.join(found)}" for what, found in places.items() if found] + absent(results)


def absent(results: pd.DataFrame) -> list[str]:
    """The requested numbers that have no value, with the reason, a line for each.

    >>> row = {"model": "net", "seed": 0, "case": "weather", "metric": "corruption_error_ratio", "subset": "fog"}
    >>> absent(pd.DataFrame([{**row, "ci_method": "not given: lenet5 makes no error under fog"}]))
    ['weather[net] corruption_error_ratio[fog] is not given: lenet5 makes no error under fog']
    """
    rows = results[results["ci_method"].str.startswith(ABSENT)].to_dict("records")
    models = several(results)
    return [f"{place(row, models)} is {row['ci_method']}" for row in rows]


def place(row: Row, several: set[str]) -> str:
    """Case, model and metric of a row, as in messages."""
    return f"{evaluation_id(row, several)} {bounds.name(row)}{strength(row)}"


def several(results: pd.DataFrame) -> set[str]:
    """The models of a table that were trained with several seeds.

    >>> several(pd.DataFrame({"model": ["a", "a", "b", "b"], "seed": [0, 1, 0, 0]}))
    {'a'}
    """
    seeds = results.groupby("model")["seed"].nunique()
    return {*seeds.index[seeds > 1]}


def evaluation_id(row: Row, several: set[str]) -> str:
    """The case and the model of a row, with the seed for a model that was trained with several.

    >>> evaluation_id({"case": "pgd", "model": "net", "seed": 3}, several={"net"})
    'pgd[net-3]'
    """
    seed = f"-{row['seed']}" if row["model"] in several else ""
    return f"{row['case']}[{row['model']}{seed}]"
