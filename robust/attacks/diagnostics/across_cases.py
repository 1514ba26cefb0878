"""Checks that compare several cases of a suite."""

from collections.abc import Iterator

import pandas as pd

from robust.attacks.diagnostics.diagnosis import Reason, significantly_above
from robust.attacks.diagnostics.smaller_distance import SMALLER
from robust.core.declared import of_attack
from robust.results.reliability import Doubt

_SHARED = ["model", "seed", "data", "norm", "eps"]
_STRENGTH = ["case", "perturbation"]
_SIZES = ("linf", "l2")  # the norms of each change that the outcomes have


def black_box_stronger(outcomes: pd.DataFrame) -> Iterator[Doubt]:
    """Where an attack without the model's gradients succeeds on images on which one with them fails.

    Args:
        outcomes: as `robust.results.tables.OUTCOMES`, with the name of the data in the column `data`. Cases of the same
            model, data, norm and eps are compared on the images (and targets) that they share.

    Yields the columns that identify the affected number, and the reason; of several reasons the worst.
    """
    attacked = outcomes[outcomes["eps"].notna()]
    attacked = attacked.assign(is_adv=is_adv(attacked))
    for shared, part in attacked.groupby(_SHARED):
        access = part["perturbation"].map({name: of_attack(name).access for name in part["perturbation"].unique()})
        black_box = part[access.isin(["score", "decision", "transfer"])]
        for named, gradient in part[access == "gradient"].groupby(_STRENGTH):
            beaten = [r for _, other in black_box.groupby(_STRENGTH) if (r := _beaten(gradient, other))]
            if beaten:
                where = dict(zip([*_SHARED, *_STRENGTH], [*shared, *named], strict=True))
                yield where, max(beaten, key=lambda reason: reason.value)


def smaller_distance_elsewhere(outcomes: pd.DataFrame) -> Iterator[Doubt]:
    """Where another case fools the model by a clearly smaller change than a search for the smallest one has found.

    Args:
        outcomes: as for `black_box_stronger`, with the column `searched`: did the case search for the smallest change?
            All attacks on the same model and data are compared, at any norm and eps, by the size of each change.

    Yields as `black_box_stronger` does.
    """
    attacked = outcomes[outcomes["eps"].notna()]
    attacked = attacked.assign(is_adv=is_adv(attacked))
    for shared, part in attacked.groupby(["model", "seed", "data"]):
        for named, found in part[part["searched"]].groupby(["norm", "eps", *_STRENGTH]):
            where = dict(zip(["model", "seed", "data", "norm", "eps", *_STRENGTH], [*shared, *named], strict=True))
            others = part[part["is_adv"] & (part["case"] != where["case"])]
            if where["norm"] in _SIZES and (reason := _undercut(found, others, where["norm"], where["eps"])):
                yield where, reason


def _undercut(found: pd.DataFrame, others: pd.DataFrame, norm: str, eps: float) -> Reason | None:
    least = others.groupby(["example", "target"])[norm].min().rename("least")
    both = found.merge(least, how="left", on=["example", "target"])
    enough = (both[norm] * (1 - SMALLER)).where(both["is_adv"], eps)
    count, n = int((both["least"] < enough).sum()), len(both)
    return Reason("smaller_distance_elsewhere", count / n, n) if significantly_above(count, n) else None


def is_adv(outcomes: pd.DataFrame) -> pd.Series:
    """Is the model fooled: does it predict the target, or without a target another class than the label?"""
    targeted = outcomes["target"] != ""
    wrong = outcomes["predicted"] != outcomes["label"]
    return (targeted & (outcomes["predicted"] == outcomes["target"])) | (~targeted & wrong)


def _beaten(gradient: pd.DataFrame, black_box: pd.DataFrame) -> Reason | None:
    both = gradient.merge(black_box, on=["example", "target"], suffixes=("", "_black"))
    count, n = int((~both["is_adv"] & both["is_adv_black"]).sum()), len(both)
    return Reason("black_box_stronger", count / n, n) if n and significantly_above(count, n) else None
