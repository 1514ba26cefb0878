"""How much the values of one model vary between its trainings."""

import pandas as pd

SAME = ["model", "case", "perturbation", "norm", "eps", "severity", "metric", "subset"]


def spread(results: pd.DataFrame) -> pd.DataFrame:
    """For each value of a model that was trained from several seeds: mean and standard deviation over the trainings.

    Args:
        results: a table with the columns of `robust.results.tables.RESULTS`.

    Returns the columns model, case, perturbation, norm, eps, severity, metric, subset, unit; trainings:
    their number; mean, deviation (over n - 1), least, most: of the value over the trainings; sampling: half the mean
    width of their 95 % intervals, which account for the images only. `deviation` is the variation between trainings,
    `sampling` that between samples of images.

    >>> rows = {"seed": [0, 1], "value": [0.8, 0.9], "ci_low": [0.7, 0.8], "ci_high": [0.9, 1.0], "unit": "proportion"}
    >>> same = {"model": "m", "case": "clean", "perturbation": "clean", "norm": "", "eps": None, "severity": None}
    >>> found = spread(pd.DataFrame(rows).assign(**same, metric="top1", subset=""))
    >>> found[["trainings", "mean", "deviation", "sampling"]].round(3).values.tolist()
    [[2.0, 0.85, 0.071, 0.1]]
    """
    known = results[results["value"].notna()].assign(half=(results["ci_high"] - results["ci_low"]) / 2)
    grouped = known.groupby(SAME, dropna=False, sort=False)
    found = grouped.agg(
        unit=("unit", "first"), trainings=("seed", "nunique"), mean=("value", "mean"), deviation=("value", "std"),
        least=("value", "min"), most=("value", "max"), sampling=("half", "mean"),
    )  # fmt: skip
    return found[found["trainings"] > 1].reset_index()
