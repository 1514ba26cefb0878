"""What only several cases of a suite tell together."""

from collections.abc import Iterator

import pandas as pd

from robust.marks import Doubt
from robust.trust.evidence import Reason, clearly
from robust.trust.knowledge import black_box, is_noise

_SHARED = ["model", "seed", "data", "norm", "eps"]
_STRENGTH = ["case", "perturbation"]


def across(outcomes: pd.DataFrame) -> Iterator[Doubt]:
    """Where an attack without the model's gradients fells what one with them leaves standing.

    Args:
        outcomes: as `robust.record.OUTCOMES`, and the name of the data in the column `data`. Cases of the same
            model, data, norm and eps are compared on the images (and targets) that they share.

    Yields the columns that say whose number is in doubt, and the reason; of several the worst.
    """
    attacked = outcomes[outcomes["eps"].notna()]
    attacked = attacked.assign(fell=_fell(attacked))
    for shared, part in attacked.groupby(_SHARED):
        blind, noise = part["perturbation"].map(black_box), part["perturbation"].map(is_noise)
        black = part[blind & ~noise]
        for named, white in part[~blind].groupby(_STRENGTH):
            beaten = [r for _, other in black.groupby(_STRENGTH) if (r := _beaten(white, other))]
            if beaten:
                where = dict(zip([*_SHARED, *_STRENGTH], [*shared, *named], strict=True))
                yield where, max(beaten, key=lambda reason: reason.value)


def _fell(outcomes: pd.DataFrame) -> pd.Series:
    """Is the model fooled: does it answer with the target, or without one not with the label?"""
    aimed = outcomes["target"] != ""
    wrong = outcomes["predicted"] != outcomes["label"]
    return (aimed & (outcomes["predicted"] == outcomes["target"])) | (~aimed & wrong)


def _beaten(white: pd.DataFrame, black: pd.DataFrame) -> Reason | None:
    both = white.merge(black, on=["example", "target"], suffixes=("", "_black"))
    count, n = int((~both["fell"] & both["fell_black"]).sum()), len(both)
    return Reason("black_box_beats", count / n, n) if n and clearly(count, n) else None
