import numpy as np
import pandas as pd
import pytest

from robust.results.summaries.spread import spread


def _results(values, model="m", metric="top1", **where):
    same = {"case": "clean", "perturbation": "clean", "norm": "", "eps": np.nan, "severity": pd.NA, "subset": ""}
    rows = [{"seed": s, "value": v, "ci_low": v - 0.1, "ci_high": v + 0.3} for s, v in enumerate(values)]
    return pd.DataFrame(rows).assign(**{**same, **where}, model=model, metric=metric, unit="proportion")


def test_the_spread_is_that_of_the_trainings_and_not_of_the_intervals():
    row = spread(_results([0.7, 0.8, 0.9])).iloc[0]
    assert row["trainings"] == 3 and (row["least"], row["most"]) == (0.7, 0.9)
    assert (row["mean"], row["deviation"], row["sampling"]) == pytest.approx((0.8, 0.1, 0.2))


def test_one_training_has_no_spread():
    assert spread(_results([0.7])).empty


def test_models_metrics_and_strengths_are_kept_apart():
    table = pd.concat([_results([0.7, 0.9]), _results([0.1, 0.3], metric="ece"), _results([0.2, 0.4], eps=0.1)])
    assert spread(table)["mean"].round(3).tolist() == [0.8, 0.2, 0.3]


def test_a_value_that_only_one_training_has_is_left_out():
    table = _results([0.7, 0.9])
    table.loc[1, "value"] = np.nan
    assert spread(table).empty
