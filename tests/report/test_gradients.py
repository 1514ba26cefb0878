import numpy as np
import pandas as pd
import pytest

from robust.core.catalogue import names
from robust.report import gradients, page, values
from robust.report.confusion import confusions
from robust.report.folder import read
from robust.results import tables

NORMS = {"healthy": [0.1, 0.2, 0.3], "vanishing": [0.0, 1e-9, 0.3], "exploding": [np.inf, 1e20, 1.0]}


def flow(model, said, norms):
    """What `gradient_flow` gives of a network with three layers."""
    same = {"model": model, "seed": 0, "case": "depth", "perturbation": "clean", "n": 64, "suite": "s", "split": "test"}
    of_all = {word: float(word == said) for word in NORMS} | {
        "output_gradient_ratio": norms[0] / norms[-1],
        "dead": 0.4,
    }
    rows = [{**same, "metric": metric, "value": value} for metric, value in of_all.items()]
    for number, norm in enumerate(norms, 1):
        of_layer = {"subset": f"fc{number}", "value": norm}
        measured = [metric for metric in gradients.OF_LAYERS if metric not in names("shares")]
        rows += [{**same, "metric": metric, **of_layer} for metric in measured]
        rows += [{**same, "metric": metric, **of_layer, "value": 0.4} for metric in ("dead", "saturated")]
    return rows


@pytest.fixture
def inspected(folder):
    """The folder of a suite with a case that also looks at the gradients of three models."""
    rows = [
        row
        for model, word in zip(["lenet5", "resnet20", "hardened"], NORMS, strict=True)
        for row in flow(model, word, NORMS[word])
    ]
    results = tables.read_results(folder / "results.csv")
    tables.write_results(tables.table(pd.concat([results, pd.DataFrame(rows)]), tables.RESULTS), folder / "results.csv")
    return read(folder)


def test_one_profile_for_each_case_that_looked(inspected):
    (profile,) = gradients.gradients(inspected)
    assert profile.chart.title == "depth"
    assert profile.chart.alt.endswith("lenet5: healthy; resnet20: vanishing; hardened: exploding.")


@pytest.mark.slow
def test_the_state_and_the_numbers_it_is_based_on(inspected):
    rows = {row["model"]: row for row in gradients.gradients(inspected)[0].rows}
    assert [row["state"] for row in rows.values()] == list(NORMS)
    assert rows["resnet20"]["smallest"] == "0" and rows["lenet5"]["smallest"] == "0.1"
    assert rows["hardened"]["output_gradient_ratio"] == "inf"
    assert rows["lenet5"]["dead"] == "40.0 %" and rows["lenet5"]["saturated"] == "–"


@pytest.mark.slow
def test_a_logarithmic_chart_gets_finite_positive_numbers_in_the_order_of_the_layers(inspected):
    spec = gradients.gradients(inspected)[0].chart.spec
    points = pd.DataFrame(next(iter(spec["datasets"].values())) if "datasets" in spec else spec["data"]["values"])
    of = points[points["gradient"] == gradients.NORMS["output_gradient"]].groupby("model")
    drawn = {model: list(zip(rows["place"], rows["layer"], rows["norm"], strict=True)) for model, rows in of}
    assert drawn["lenet5"] == [(1, "fc1", 0.1), (2, "fc2", 0.2), (3, "fc3", 0.3)]
    assert drawn["resnet20"] == [(1, "fc1", 1e-15), (2, "fc2", 1e-9), (3, "fc3", 0.3)]  # 0 at the edge
    assert drawn["hardened"] == [(2, "fc2", 1e15), (3, "fc3", 1.0)]  # infinity is not drawn
    assert points.loc[points["norm"] == 1e-15, "exactly"].eq("0").all()


@pytest.mark.slow
def test_single_layers_stay_out_of_the_table_of_all_values(inspected):
    listed = values.listed(inspected.results)
    assert not listed["subset"].str.startswith("fc").any()
    assert {"healthy", "vanishing", "exploding"} <= set(listed["metric"]) and "T-shirt/top" in set(listed["subset"])


@pytest.mark.slow
def test_a_case_that_only_looks_has_no_confusion(inspected):
    assert "depth" not in {one.condition.case for one in confusions(inspected)}


@pytest.mark.slow
def test_the_page_has_the_section_where_gradients_were_looked_at(inspected, folder):
    assert 'id="gradients"' in page.render(inspected)
    results = tables.read_results(folder / "results.csv")
    tables.write_results(results[results["case"] != "depth"], folder / "results.csv")
    assert 'id="gradients"' not in page.render(read(folder))
