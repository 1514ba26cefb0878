"""How a suite specifies a transfer attack: the attack inside, and the source model it runs on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robust.core.errors import SuiteError, suggest
from robust.core.types import NewTable, Table

if TYPE_CHECKING:
    from robust.suite.schema import Case, Model

NAME = "transfer"


def inner(arguments: Table) -> NewTable:
    """The table of the attack that runs on the source, with the eps and the norm of the transfer.

    Raises SuiteError where it has its own, or would be a transfer of a transfer.

    >>> inner({"attack": "pgd", "eps": 0.1, "norm": "l2"})
    {'name': 'pgd', 'eps': 0.1, 'norm': 'l2'}
    """
    given = arguments["attack"]
    table = {"name": given} if isinstance(given, str) else dict(given)
    for key in ("eps", "norm", "target"):
        if key in table:
            hint = f"write {key} next to source, where it applies to the whole transfer"
            raise SuiteError(f"attack: {hint}", f"attack.{key}")
    if table.get("name") == NAME:
        raise SuiteError("attack: the attack of a transfer cannot be a transfer itself", "attack")
    return {**table, "eps": arguments["eps"], "norm": arguments["norm"]}


def source(case: Case, models: tuple[Model, ...]) -> Model | None:
    """The source model of a case; None for a case that is no transfer.

    Raises SuiteError for a name that no model of the suite has, and where a model would be evaluated on its own images.
    """
    if (name := case.source) is None:
        return None
    found = {model.name: model for model in models}
    if not isinstance(name, str) or name not in found:
        free = [known for known in found if case.models is None or known not in case.models]
        raise SuiteError(f"source = {name!r}: there is no such model{suggest(name, free)}", "attack.source")
    others = [known for known in found if known != name]
    if case.models is None or name in case.models:
        write = f"models = {others}".replace("'", '"') if others else "another model"
        raise SuiteError(f"source = {name!r}: it would be evaluated on its own images; write {write}", "attack.source")
    return found[name]
