"""Summaries of several conditions and comparisons of models, from the outcomes: see `recount` for other numbers."""

from collections.abc import Iterator, Mapping

import pandas as pd

from robust.core.types import Table
from robust.report.conditions import Cells, TrainedModel, strength
from robust.report.recount import Key, Recounted
from robust.results.summaries import comparison
from robust.results.summaries.corruption_error import ON_THE_FLY, RELATIVE_METRICS, corruption_errors, own_errors
from robust.results.summaries.earlier import one_model
from robust.suite.bounds import NoWorse

_RIVAL = " vs "  # between a metric and what it is compared with


def summed(outcomes: Cells, results: pd.DataFrame, environment: Table, suite: Table) -> dict[Key, Recounted]:
    """The corruption errors of each case, also relative to a baseline, and the differences between models.

    Comparisons with an earlier report are not included.

    Args:
        outcomes: by model and condition. results, environment, suite: as they were read.
    """
    cases = dict(_cases(outcomes))
    found = {}
    for (run, case), rows in cases.items():
        if rows["severity"].notna().any():
            found |= {_key(run, case, row): _recounted(row) for row in own_errors(rows)}
    if (results["perturbation"] == ON_THE_FLY).any():
        whole = pd.concat([rows.assign(data=_data(results, run, case)) for (run, case), rows in cases.items()])
        for row in corruption_errors(results, whole, baselines(results, suite), _imagenet(environment)):
            found[_key(TrainedModel(row["model"], row["seed"]), row["case"], row)] = _recounted(row)
    return found | dict(_differences(cases, results, environment))


def _cases(outcomes: Cells) -> Iterator[tuple[tuple[TrainedModel, str], pd.DataFrame]]:
    parts: dict[tuple[TrainedModel, str], list[pd.DataFrame]] = {}
    for (run, condition), rows in outcomes.items():
        parts.setdefault((run, condition.case), []).append(rows)
    return ((key, pd.concat(rows)) for key, rows in parts.items())


def _key(run: TrainedModel, case: str, row: Table) -> Key:
    name = f"{row['metric']}[{row['subset']}]" if row["subset"] else row["metric"]
    return (*run, case, *strength({"norm": "", "eps": None, "severity": None, **row}), name)


def _recounted(row: Table) -> Recounted:
    return Recounted(row["value"], int(row["n"]), row.get("ci_low", float("nan")), row.get("ci_high", float("nan")))


def _data(results: pd.DataFrame, run: TrainedModel, case: str) -> str:
    return next(iter(_of(results, run, case)["data"]), "")


def identity(results: pd.DataFrame, run: TrainedModel, case: str, environment: Table) -> str:
    """The identity of a model, see `one_model`."""
    weights = next(iter(_of(results, run, case)["weights_sha"]), "")
    return one_model(weights, environment["models"].get(run.model, {}))


def _of(results: pd.DataFrame, run: TrainedModel, case: str) -> pd.DataFrame:
    return results[(results["model"] == run.model) & (results["seed"] == run.seed) & (results["case"] == case)]


def baselines(results: pd.DataFrame, suite: Table) -> dict[str, str]:
    """The suite's; of cases that it does not have, as the units of results.csv name them."""
    units = results[results["metric"].isin([*RELATIVE_METRICS])]
    named = dict(zip(units["case"], units["unit"].str.removeprefix("× "), strict=True))
    known = suite.get("case", {})
    given = {name: str(case["baseline"]) for name, case in known.items() if case.get("baseline")}
    return {name: model for name, model in named.items() if name not in known} | given


def _imagenet(environment: Table) -> str:
    data = environment["data"]
    is_imagenet = len(data["classes"]) == 1000 and data["image_shape"][:2] == [224, 224]
    return data["name"] if is_imagenet and data["name"].replace(":", "/").split("/")[0] == "imagenet2012" else ""


def _differences(
    cases: Mapping[tuple[TrainedModel, str], pd.DataFrame], results: pd.DataFrame, environment: Table
) -> Iterator[tuple[Key, Recounted]]:
    compared = results[results["metric"].isin(["difference", "mcnemar"])]
    keys = compared[["model", "seed", "case", "subset"]].drop_duplicates().itertuples(index=False, name=None)
    for model, seed, case, group in keys:
        run, (key, _, than) = TrainedModel(model, int(seed)), group.rpartition(_RIVAL)
        if "/" in than or (ours := cases.get((run, case))) is None:
            continue
        seeds = environment["models"].get(than, {}).get("seeds") or [run.seed]
        rival = TrainedModel(than, run.seed if run.seed in seeds else seeds[0])
        limit, theirs = NoWorse("no worse than", than, 0.0), cases.get((rival, case))
        if theirs is None:
            rows = comparison.not_judged(key, limit, ours)
        else:
            one, other = (identity(results, each, case, environment) for each in (run, rival))
            groups = environment.get("groups", {}).get(case) or environment["data"].get("superclasses", {})
            rows = comparison.judged(key, limit, ours, theirs, groups, same=one == other != "")
        yield from ((_key(run, case, row), _recounted(row)) for row in rows)
