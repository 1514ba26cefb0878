"""Can the schedule of a recipe be followed? Checked before any data is read."""

import itertools
from collections.abc import Sequence

from robust.core.errors import SuiteError
from robust.core.remedies import setting
from robust.core.types import Table


def check_milestones(given: object) -> None:
    """Raise SuiteError for milestones that are epochs: they are fractions of all steps.

    >>> check_milestones(["1/2", 0.75])
    >>> check_milestones([30, 60])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    robust.core.errors.SuiteError: milestones = [30, 60]: are fractions of all steps; for 90 epochs write ...
    """
    if not isinstance(given, list):
        return
    if late := [each for each in given if type(each) in (int, float) and each > 1]:
        total = max(90, *(int(each) + 1 for each in late))
        shares = ", ".join(f'"{each}/{total}"' for each in given)
        where = f"are fractions of all steps; for {total} epochs write [{shares}]"
        raise SuiteError(f"milestones = {given}: {where}", "train.milestones")


def check(recipe: Table) -> None:
    """Raise SuiteError for a recipe's arguments that contradict each other, or that never take effect.

    >>> check({"schedule": "steps", "milestones": [0.5, 0.75], "factor": 0.1, "epochs": 3})
    """
    factor, milestones = recipe.get("factor"), recipe.get("milestones")
    if recipe.get("schedule") == "steps":
        _check_steps(milestones, factor)
    elif recipe.get("schedule") == "exponential" and isinstance(factor, list) and len(factor) != 1:
        raise SuiteError(
            f"factor = {factor}: an exponential schedule has one factor; write {setting('factor', 0.97)}",
            "train.factor",
        )
    if recipe.get("clip_norm") and recipe.get("clip_value"):
        both = f"clip_norm = {recipe['clip_norm']:g} and clip_value = {recipe['clip_value']:g}"
        raise SuiteError(f"{both}: set one of them", "train.clip_value")
    if recipe.get("class_weights") is not None and recipe.get("sampling") == "balanced":
        both = 'class_weights and sampling = "balanced"'
        raise SuiteError(f"{both}: small classes would be compensated twice; set one of them", "train.sampling")
    _check_unfreezing(recipe.get("unfreeze_after"), recipe.get("epochs"))


def _check_steps(milestones: Sequence[float] | None, factor: object) -> None:
    if not milestones:
        raise SuiteError('schedule = "steps" needs milestones, as in milestones = ["1/2", "3/4"]', "train.schedule")
    wrong = [b for a, b in itertools.pairwise(milestones) if b <= a]
    if wrong or milestones[-1] >= 1:
        why = f"{wrong[0]:g} follows one that is not smaller" if wrong else "at 1 all steps are done"
        raise SuiteError(f"milestones = {milestones}: must increase, below 1; {why}", "train.milestones")
    if isinstance(factor, list) and len(factor) != len(milestones):
        counts = f"{len(factor)} of them for {len(milestones)} milestones"
        raise SuiteError(f"factor = {factor}: {counts}; write one for all, or one for each", "train.factor")


def _check_unfreezing(after: float | None, epochs: int | None) -> None:
    if after is None or epochs is None:
        return
    if after != int(after):
        raise SuiteError(f"unfreeze_after = {after:g}: must be a whole number of epochs", "train.unfreeze_after")
    if after >= epochs:
        what = f"the training has {epochs} epochs, so nothing is ever unfrozen"
        raise SuiteError(f"unfreeze_after = {after:g}: {what}; lower it, or leave it out", "train.unfreeze_after")
