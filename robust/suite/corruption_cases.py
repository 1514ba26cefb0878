"""A case with several corruptions: which they are, and the model whose errors are the baseline."""

from collections.abc import Sequence

from robust.core import registry
from robust.core.errors import SuiteError, suggest
from robust.core.signature import convert
from robust.core.types import ALL, NewTable, Table
from robust.suite.schema import Model


def tables(kind: str, table: Table) -> list[NewTable]:
    """A table of corruptions as one for each: `name` may be a list, or "all"; any other table is unchanged.

    Raises SuiteError for a list that is empty or names one twice.

    >>> tables("corruptions", {"name": ["fog", "snow"], "severity": 1})
    [{'name': 'fog', 'severity': 1}, {'name': 'snow', 'severity': 1}]
    """
    given = table.get("name")
    if kind != "corruptions" or not (isinstance(given, list) or given == ALL):
        return [dict(table)]
    names = registry.names(kind) if given == ALL else convert(given, list[str], "corruption.name")
    if not names or len({*names}) < len(names):
        raise SuiteError(f"corruption.name = {given}: each corruption once, and at least one", "corruption.name")
    return [{**table, "name": name} for name in names]


def baseline(table: Table, models: Sequence[Model]) -> str | None:
    """The model of the suite whose errors are the baseline of a case, if its table names one.

    Raises SuiteError where it is not a model of the case, or the case does not corrupt its images.
    """
    if "baseline" not in table:
        return None
    if "corruption" not in table:
        raise SuiteError("baseline: only a case with corruption compares errors with those of a model", "baseline")
    name, limited = convert(table["baseline"], str, "baseline"), table.get("models")
    running = [model.name for model in models if limited is None or model.name in limited]
    if name not in running:
        raise SuiteError(f"baseline: {name!r} is not a model of this case{suggest(name, running)}", "baseline")
    return name
