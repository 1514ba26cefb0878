"""How a suite specifies training: a recipe and, for adversarial training, an adversary and an objective."""

from collections.abc import Callable

from robust.core import registry
from robust.core.errors import SuiteError, suggest
from robust.core.remedies import setting
from robust.core.signature import Call, convert
from robust.suite import schedules
from robust.suite.schema import Training

_AGAINST = {"adversary": "adversaries", "objective": "objectives"}


def training(value: object, call: Callable[[str, object, str], Call]) -> Training:
    """The training that `train = value` specifies.

    Args:
        value: the name of a recipe, or a table with it, with any of its fields, and with adversary and objective.
        call: binds a name or table to a member of a catalogue; given the key.

    Raises SuiteError where there is no recipe, for an objective without an adversary, and for a schedule that could
    not be followed.

    >>> from robust.core.signature import bind
    >>> training({"recipe": "short", "epochs": 3}, lambda kind, table, _: bind(kind, table)).recipe.name
    'short'
    """
    table = {"recipe": value} if isinstance(value, str) else convert(value, dict, "train")
    if "recipe" not in table:
        raise SuiteError(f"train needs a recipe{suggest('', registry.names('recipes'))}", "train")
    if "name" in table or not isinstance(table["recipe"], str):
        raise SuiteError(f'train = {value!r}: write train = {{ recipe = "short" }}', "train")
    if "objective" in table and "adversary" not in table:
        write = setting("adversary", {"name": "pgd", "eps": "8/255"})
        raise SuiteError(f"train.objective requires an adversary: also write {write}", "train.objective")
    options = {key: v for key, v in table.items() if key not in ("recipe", *_AGAINST)}
    schedules.check_milestones(options.get("milestones"))
    recipe = call("recipes", {"name": table["recipe"], **options}, "train")
    schedules.check(recipe.arguments)
    for each in recipe.arguments.get("augment") or []:
        call("augmentations", each, "train.augment")
    return Training(recipe, **{k: call(kind, table[k], f"train.{k}") for k, kind in _AGAINST.items() if k in table})
