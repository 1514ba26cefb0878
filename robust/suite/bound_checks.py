"""The bounds of a case, each on a metric that it computes."""

import re
from collections.abc import Sequence

from robust.core.declared import yields
from robust.core.errors import SuiteError, suggest
from robust.core.signature import Call, convert
from robust.core.types import Table
from robust.suite import bounds as bound
from robust.suite.bounds import Bound, NoWorse

ALLOW = "allow_invalid"
_SUMMED = '; it aggregates several models, and takes no bound: use mean_corruption_error, or "corruption_error[fog]"'
_HINTS = {
    "targeted_success_rate": "; it needs an attack with a target",
    **dict.fromkeys(("corruption_error_ratio", "relative_error_increase", "mce", "relative_mce"), _SUMMED),
}


def allows_invalid(table: Table) -> bool:
    """May the bounds of a case pass on invalid numbers? Only with `expect = { ..., allow_invalid = true }`."""
    return convert(convert(table.get("expect", {}), dict, "expect").get(ALLOW, False), bool, f"expect.{ALLOW}")


def bounds(table: Table, calls: Sequence[Call], target: object) -> dict[str, Bound | NoWorse]:
    """The bounds in a case's `expect`, by "metric" or "metric[group]"; none without it.

    calls: the metrics and profiles of the case. target: that of its attack, which adds a metric.

    Raises SuiteError for a metric that the case does not compute, and for text that is no bound.
    """
    about = [yields(call.kind, call.name) for call in calls]
    known = [n for one in about for n in one.all_names if target is not None or one.only_if.get(n) != "target"]
    known += ["reliability"] if {"attack", "minimal"} & {*table} else []
    known += ["corruption_error", "mean_corruption_error"] if "corruption" in table else []
    found = {}
    for key, text in convert(table.get("expect", {}), dict, "expect").items():
        if key == ALLOW:
            continue
        if not (named := re.fullmatch(r"([^\[\]]+)(\[.+\])?", key)) or named[1] not in known:
            hint = _HINTS.get(named[1] if named else key) or suggest(key.partition("[")[0], known)
            raise SuiteError(f"expect: this case has no metric {key!r}{hint}", f"expect.{key}")
        try:
            found[key] = bound.parse(text)
        except SuiteError as error:
            raise SuiteError(f"expect.{key}: {error}", f"expect.{key}") from None
    return found
