"""Which bounds can compare with another model or an earlier report."""

from collections.abc import Sequence

from robust.core.catalogue import mapping
from robust.core.errors import SuiteError, suggest
from robust.suite.bounds import NoWorse
from robust.suite.schema import Case, Model


def check(case: Case, models: Sequence[Model]) -> None:
    """Raise SuiteError for "no worse than" of a metric that cannot be paired, or than a model not in the case.

    Args:
        case: of a suite. models: of the suite; empty where they are not known.
    """
    for key, limit in case.expect.items():
        if isinstance(limit, NoWorse) and (why := _unpaired(key, case) or _absent(limit, case, models)):
            raise SuiteError(f"expect.{key}: {limit.text!r}: {why}", f"expect.{key}")


def _unpaired(key: str, case: Case) -> str:
    metric = key.partition("[")[0]
    if metric not in (known := mapping("paired")):
        return f"{metric} is not a mean over images, so it cannot be paired; those that can are {', '.join(known)}"
    return ""


def _absent(limit: NoWorse, case: Case, models: Sequence[Model]) -> str:
    known = [model.name for model in models]
    running = [name for name in known if case.models is None or name in case.models]
    if limit.of_report or not models:
        return ""
    if limit.than not in known:
        return f"there is no model {limit.than!r}{suggest(limit.than, known)} (a report has a slash: ./{limit.than})"
    if limit.than not in running:
        return f"this case does not run on {limit.than}; add it to models"
    return "this case runs on no other model" if running == [limit.than] else ""
