"""Mean corruption error: the error of a model on corrupted images, also relative to another model."""

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import NamedTuple

import pandas as pd

from robust.core import statistics
from robust.core.catalogue import common_corruptions
from robust.core.types import NewRow

_ALEXNET_CLEAN = Fraction("0.4348")  # its error on ImageNet: Hendrycks & Dietterich, ICLR 2019

_SHARED = ("suite", "data", "split", "model", "seed", "case", "weights_sha", "n", "choice")

ON_THE_FLY = "corruptions on the fly"
"""The perturbation of these rows. Unlike these, the stored images of ImageNet-C were compressed as JPEG again."""

ABSENT = "not given: "
"""The prefix of the reason, in the column `ci_method`, where a requested ratio has no value."""
RELATIVE_METRICS = ("corruption_error_ratio", "relative_error_increase")
"""The metrics in units of a baseline's errors."""

_RARE = "the case has none of the common corruptions"
_NAN = float("nan")
Exact = Fraction | None
"""A number, or None where there is none. In floats two equal means can differ by rounding, which must not be a unit."""


class Errors(NamedTuple):
    """The errors of one model in one case: for each corruption the mean over its severities, and on clean images."""

    corrupted: Mapping[str, Fraction]
    clean: Exact


def own_errors(outcomes: pd.DataFrame) -> list[NewRow]:
    """The rows that summarise one case with corruptions on one model.

    - corruption_error: the top-1 error of each corruption (the subset), the mean over the severities.
    - mean_corruption_error: the mean over those of the 15 common corruptions that the case has.

    Both are means over the images, each evaluated at every strength: the interval is that of a mean of shares.

    Args:
        outcomes: of the case, with the columns of `robust.results.tables.OUTCOMES`.
    """
    corrupted = outcomes[outcomes["severity"].notna()]
    wrong = corrupted["predicted"] != corrupted["label"]
    shares = wrong.groupby([corrupted["example"], corrupted["perturbation"]]).mean().unstack()  # [images, corruptions]
    whole = {name: _share(of) for name, of in wrong.groupby(corrupted["perturbation"], sort=False)}
    found = [_row("corruption_error", str(name), value, shares[name]) for name, value in whole.items()]
    if common := [name for name in common_corruptions() if name in whole]:
        mean = mean_of(whole[name] for name in common)
        row = _row("mean_corruption_error", "", mean, shares[common].mean(axis=1))
        found.append({**row, "ci_method": f"{row['ci_method']}{_partial(len(common))}"})
    return found


def _partial(n: int) -> str:
    whole = len(common_corruptions())
    return "" if n == whole else f", mean over {n} of the {whole} common corruptions"


def _share(wrong: pd.Series) -> Fraction:
    return Fraction(int(wrong.sum()), len(wrong))


def mean_of(values: Iterable[Fraction]) -> Fraction:
    """The mean, as an exact fraction."""
    listed = list(values)
    return sum(listed, Fraction()) / len(listed)


def _row(metric: str, group: str, value: Fraction, shares: pd.Series) -> NewRow:
    low, high = statistics.bounded_mean(shares.to_numpy(), 0, 1)
    where = {"perturbation": ON_THE_FLY, "norm": "", "eps": None, "severity": None}
    what = {"metric": metric, "subset": group, "value": float(value), "unit": "proportion", "n": len(shares)}
    return {**where, **what, "ci_low": low, "ci_high": high, "ci_method": statistics.BOUNDED}


def corruption_errors(
    results: pd.DataFrame, outcomes: pd.DataFrame, baselines: Mapping[str, str], imagenet: str = ""
) -> list[NewRow]:
    """The rows that summarise every case with corruptions relative to another model; see `own_errors`.

    - corruption_error_ratio: each over the baseline's, sum_s E / sum_s E_base, and the mean of the common ones.
    - relative_error_increase: the increase by the corruption, sum_s (E - E_clean) / sum_s (E_base - E_base,clean); and
      the same for the sums over all common corruptions, not the mean of these, which a corruption that hardly harms
      the baseline would dominate. It needs a case with the same images, or more, unperturbed.
    Where one of them has no value it is NaN, and the column `ci_method` gives the reason: "not given: ...".

    - mce and relative_mce: the two means over AlexNet's errors, for ImageNet at 224 pixels, all 15 corruptions and
      all severities. AlexNet's are of the stored JPEG images, ours of images made on the fly: compare with care.

    Args:
        results: a table with the columns of `robust.results.tables.RESULTS`.
        outcomes: of the same cases, with the columns of `robust.results.tables.OUTCOMES`, and `data`.
        baselines: for each case, the model whose errors are the unit; for several trainings, their mean.
        imagenet: the name of ImageNet's validation images at 224 pixels; "" where they are not the data.

    Source: Hendrycks & Dietterich, Benchmarking neural network robustness to common corruptions and
    perturbations, ICLR 2019.
    """
    found = []
    for case, rows in _errors(results).groupby("case", sort=False):
        errors_of = {run: _of_one(outcomes, one) for run, one in rows.groupby(["model", "seed"], sort=False)}
        base = _mean([errors for (model, _), errors in errors_of.items() if model == baselines.get(str(case))])
        for (model, seed), errors in errors_of.items():
            first = rows[(rows["model"] == model) & (rows["seed"] == seed)].iloc[0]
            same = {key: first[key] for key in _SHARED}
            values = list(relative_to(errors, base, baselines[str(case)])) if str(case) in baselines else []
            if imagenet and first["data"] == imagenet and complete(rows):
                values += _mce(errors)
            found += [{**same, "perturbation": ON_THE_FLY, **value} for value in values]
    return found


def _errors(results: pd.DataFrame) -> pd.DataFrame:
    whole = (results["metric"] == "top1_error") & (results["subset"] == "")
    return results[whole & results["severity"].notna()]


def _of_one(outcomes: pd.DataFrame, rows: pd.DataFrame) -> Errors:
    shares = [Fraction(round(value * n), n) for value, n in zip(rows["value"], map(int, rows["n"]), strict=True)]
    parts = pd.Series(shares, rows["perturbation"].astype(str), dtype=object).groupby(level=0, sort=False)
    return Errors({str(name): mean_of(of) for name, of in parts}, clean_error(outcomes, rows.iloc[0]))


def clean_error(outcomes: pd.DataFrame, row: pd.Series) -> Exact:
    """The error on the unperturbed images of the row; None where no case has all of these unperturbed."""
    for key in ("model", "seed", "data"):
        outcomes = outcomes[outcomes[key] == row[key]]
    shown = outcomes.loc[outcomes["case"] == row["case"], "example"].unique()
    for _, clean in outcomes[outcomes["perturbation"] == "clean"].groupby("case", sort=False):
        same = clean[clean["example"].isin(shown)]
        if len(same) == len(shown):
            return _share(same["predicted"] != same["label"])
    return None


def _mean(several: list[Errors]) -> Errors | None:
    if not several:
        return None
    clean = None if any(one.clean is None for one in several) else mean_of(one.clean or Fraction() for one in several)
    return Errors({name: mean_of(one.corrupted[name] for one in several) for name in several[0].corrupted}, clean)


def relative_to(errors: Errors, base: Errors | None, name: str) -> Iterator[NewRow]:
    """The ratios of one model to its baseline, called `name`; None: it has not run."""
    unit = f"× {name}"
    if base is None:
        for metric in RELATIVE_METRICS:
            yield _ratio(metric, "", None, unit, f"{name} has not run in this case")
        return
    ratios, increases = _ratios(errors, base)
    for group, value in ratios.items():
        yield _ratio("corruption_error_ratio", group, value, unit, f"{name} makes no error under {group}")
    yield mean_ratio(ratios, unit, name)
    unknown = "no case has the same images clean" if None in (errors.clean, base.clean) else ""
    for group, value in increases.items():
        yield _ratio(
            "relative_error_increase", group, value, unit, unknown or f"{group} does not increase the error of {name}"
        )
    common = [each for each in common_corruptions() if each in errors.corrupted]
    whole = _over(_sum(added(errors), common), _sum(added(base), common))
    yield _ratio(
        "relative_error_increase",
        "",
        whole,
        unit,
        unknown or f"they do not increase the error of {name}" if common else _RARE,
    )


def mean_ratio(ratios: Mapping[str, Exact], unit: str, name: str) -> NewRow:
    """The mean over the common corruptions; there is none if one of them has no value."""
    counted = [each for each in common_corruptions() if each in ratios]
    total, lost = _sum(ratios, counted), ", ".join(each for each in counted if ratios[each] is None)
    why = f"{name} makes no error under {lost}" if lost else _RARE
    return _ratio("corruption_error_ratio", "", None if total is None else total / len(counted), unit, why)


def _ratio(metric: str, group: str, value: Exact, unit: str, why: str) -> NewRow:
    row = {"metric": metric, "subset": group, "value": _NAN if value is None else float(value), "unit": unit}
    return {**row, "ci_method": f"{ABSENT}{why}"} if value is None else row


def _ratios(errors: Errors, base: Errors) -> tuple[dict[str, Exact], dict[str, Exact]]:
    """The errors, and their increase over the clean one, over the baseline's; None where the latter is not above 0."""
    above, over = added(errors), added(base)
    ratios = {name: _over(error, base.corrupted.get(name)) for name, error in errors.corrupted.items()}
    return ratios, {name: _over(error, over.get(name)) for name, error in above.items()}


def added(errors: Errors) -> dict[str, Exact]:
    """The increase of the error by each corruption over the clean one."""
    return {name: None if errors.clean is None else error - errors.clean for name, error in errors.corrupted.items()}


def _over(own: Exact, theirs: Exact) -> Exact:
    return own / theirs if own is not None and theirs is not None and theirs > 0 else None


def _sum(values: Mapping[str, Exact], names: list[str]) -> Exact:
    parts = [values.get(name) for name in names]
    return None if not parts or None in parts else sum(filter(None, parts), Fraction())


def complete(rows: pd.DataFrame) -> bool:
    """Are all 15 corruptions there, each at all five severities?"""
    severities = rows.groupby("perturbation")["severity"].agg(lambda of: {*of} == {1, 2, 3, 4, 5})
    return {*common_corruptions()} <= {*severities[severities].index}


def _mce(errors: Errors) -> Iterator[NewRow]:
    alexnet = {name: Fraction(str(error)) for name, error in common_corruptions().items()}
    ratios, increases = _ratios(errors, Errors(alexnet, _ALEXNET_CLEAN))
    for metric, values in (("mce", ratios), ("relative_mce", increases)):
        if (total := _sum(values, [*alexnet])) is not None:
            yield {"metric": metric, "subset": "", "value": float(total / len(alexnet)), "unit": "× AlexNet"}
