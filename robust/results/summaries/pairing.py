"""Two tables of outcomes, paired image by image."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from robust.core import statistics
from robust.core.errors import ReportError
from robust.core.types import NewRow, Row

STRENGTH = ("perturbation", "norm", "eps", "severity")
_ROUNDING = 1e-5  # of a logit in float32, from one batch or machine to another
_IMAGE = ["example", "target"]  # with all targets an image occurs once for each of them

Superclasses = Mapping[str, Sequence[str]]


class Difference(NamedTuple):
    """Two means over the same n images, ours minus theirs with its ends, and McNemar's p-value.

    mcnemar: NaN for what is not a proportion, and where an image has several targets. alike: does every image have the
    same value on both sides, and the same predicted class and margin?
    """

    ours: float
    theirs: float
    value: float
    low: float
    high: float
    mcnemar: float
    n: int
    alike: bool

    def certain(self) -> "Difference":
        """The same where both sides are one model: if all is alike, it does not depend on the sample of images."""
        return self._replace(low=0.0, high=0.0) if self.alike else self


def difference(
    ours: pd.DataFrame, theirs: pd.DataFrame, key: str, superclasses: Superclasses, *, name: str, tail: float
) -> Difference:
    """The paired difference of a metric over the images of `ours`; `theirs` may have more.

    Args:
        ours, theirs: rows of outcomes of one case, at one strength, on one model.
        key: one of `robust.core.catalogue.mapping("paired")`, with a class where it has one: "recall[Shirt]".
        superclasses: of the data, name -> its classes.
        name: the name of `theirs` in errors.
        tail: the probability that the true difference is beyond an end of the interval.

    Raises ReportError where images of `ours` are missing in `theirs`, have another label there, or occur twice.
    """
    both = _paired(values(ours, key, superclasses), values(theirs, key, superclasses), name)
    if group := key.removesuffix("]").partition("[")[2]:
        both = both[both["label"] == group]
    if both.empty:
        raise ReportError(f"{key}: there is no image to compare")
    alike = bool((both["value"] == both["value_theirs"]).all()) and one_function(both)
    share, several = both["value"].dtype == bool, both.duplicated("example").any()
    if several:  # an image has several targets: it counts once, with the mean of its rows
        both = both.groupby("example", sort=False)[["value", "value_theirs"]].mean()
    one, other = both["value"].to_numpy(), both["value_theirs"].to_numpy()
    if not (np.isfinite(one).all() and np.isfinite(other).all()):  # a label of probability 0
        nan, ours_, theirs_ = float("nan"), float(one.mean()), float(other.mean())
        value = nan if ours_ == theirs_ else ours_ - theirs_
        return Difference(ours_, theirs_, value, nan, value if value > 0 else nan, nan, len(one), alike=False)
    if share:
        p = float("nan") if several else statistics.mcnemar(one, other)
        ends = statistics.paired_proportions(one, other, tail)
    else:
        ends, p = statistics.paired_difference(one, other, tail, largest_margin(ours, theirs)), float("nan")
    return Difference(float(one.mean()), float(other.mean()), *ends, p, len(one), alike)


def values(outcomes: pd.DataFrame, key: str, superclasses: Superclasses) -> pd.DataFrame:
    """Each image, its label, the prediction, and one number of it in `value`: bool for a proportion."""
    right = outcomes["predicted"] == outcomes["label"]
    near = outcomes["in_top5"].astype(bool)
    above = {member: name for name, members in superclasses.items() for member in members}
    known = {
        "top1": right, "recall": right, "top1_error": ~right, "top5": near, "top5_error": ~near,
        "targeted_success_rate": outcomes["predicted"] == outcomes["target"],
        "superclass_accuracy": _above(outcomes["predicted"], above) == _above(outcomes["label"], above),
        "nll": outcomes["nll"].astype(float),
    }  # fmt: skip
    return outcomes[[*_IMAGE, "label", "predicted", "margin"]].assign(value=known[key.partition("[")[0]])


def one_function(both: pd.DataFrame) -> bool:
    """Are the predictions equal up to rounding? The same weights with another activation are another model."""
    near = np.isclose(both["margin"], both["margin_theirs"], rtol=_ROUNDING, atol=_ROUNDING)
    return bool((near & (both["predicted"] == both["predicted_theirs"])).all())


def largest_margin(*outcomes: pd.DataFrame) -> float:
    """The largest possible loss of a mistake, in nats: the largest margin of the outcomes, at least SURE."""
    margins = np.concatenate([each["margin"].abs() for each in outcomes])
    return float(margins[np.isfinite(margins)].max(initial=statistics.SURE))


def _above(names: pd.Series, above: Mapping[str, str]) -> pd.Series:
    return names.map(lambda name: above.get(str(name), str(name)))


def _paired(ours: pd.DataFrame, theirs: pd.DataFrame, name: str) -> pd.DataFrame:
    image = _IMAGE if ours.duplicated("example").any() else ["example"]  # its target may depend on the model
    if ours.duplicated(image).any() or theirs.duplicated(image).any():
        raise ReportError("an image occurs twice, so the images cannot be paired")
    both = ours.merge(theirs, on=image, suffixes=("", "_theirs"))
    if len(both) < len(ours):
        few = f"{name} has {len(both)} of the {len(ours)} images; a comparison needs all of them"
        raise ReportError(f"{few}: where a suite samples images, give both the same seed and number of images")
    if len(other := both[both["label"] != both["label_theirs"]]):
        image, here, there = other.iloc[0][["example", "label", "label_theirs"]]
        raise ReportError(f"image {image} is {here!r} here and {there!r} in {name}: the data differ")
    return both


def by_strength(outcomes: pd.DataFrame) -> Iterator[tuple[NewRow, pd.DataFrame]]:
    """The rows at each strength of the perturbation, and the columns that identify it."""
    for where, part in outcomes.groupby(list(STRENGTH), dropna=False, sort=False):
        yield {k: None if pd.isna(v) else v for k, v in zip(STRENGTH, where, strict=True)}, part


def rows_at(table: pd.DataFrame, where: Row) -> pd.DataFrame:
    """The rows at one strength; None is a missing value."""
    for key, wanted in where.items():
        column = table[key]
        if wanted is None:
            same = column.isna()
        elif key == "eps":  # a number read from text meets one read from binary
            same = pd.Series(np.isclose(column, wanted, rtol=1e-9, atol=0), column.index)
        else:
            same = (column == wanted).fillna(False).astype(bool)
        table = table[same]
    return table
