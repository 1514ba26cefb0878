"""The parts of the page about classes: clusters with pictures, flows, reliability, trainings."""

import json

import numpy as np
import pandas as pd
import pytest

from robust import report
from robust.core.errors import ReportError
from robust.report import clusters, flows, reliability_diagrams, structure, trainings
from robust.report.folder import read
from robust.results import tables

pytestmark = pytest.mark.usefixtures("made_up")
STRENGTH = {"perturbation": "clean", "norm": "", "eps": np.nan, "severity": pd.NA}


def add(folder, rows, model="lenet5", seed=0, case="clean", **where):
    """Further rows of results.csv, of one cell."""
    results = tables.read_results(folder / "results.csv")
    same = {"suite": "quick", "model": model, "seed": seed, "case": case, **STRENGTH, **where}
    more = tables.table(
        [{"unit": "proportion", "n": 20, "ci_low": 0.1, "ci_high": 0.9, **same, **row} for row in rows], tables.RESULTS
    )
    tables.write_results(pd.concat([results, more]), folder / "results.csv")


def show(folder, file="shown-0000.npz", group="Coat #1", case="clean", perturbation="clean", **where):
    """Two pictures of a cluster; of the examples 0 and 1."""
    images = np.random.default_rng(0).random((2, 12, 10, 1), np.float32)
    np.savez(folder / "samples" / "shown-0000.npz", ids=np.array(["0", "1"]), perturbed=images)
    same = {"file": file, "model": "lenet5", "seed": 0, "case": case, **STRENGTH, "perturbation": perturbation, **where}
    rows = [{**same, "metric": "cluster_recall", "subset": group, "example": each} for each in ("0", "1")]
    pd.DataFrame(rows).to_csv(folder / "samples/shown.csv", index=False)


CLUSTERS = [
    {"metric": "cluster_recall", "subset": "Coat #1", "value": 0.8},
    {"metric": "cluster_recall", "subset": "Coat #2", "value": 0.3},
    {"metric": "worst_cluster", "value": 0.3},
    {"metric": "worst_class", "value": 0.5},
]


@pytest.mark.slow
def test_the_worst_cluster_comes_first_and_pictures_say_what_they_were_taken_for(folder, document):
    add(folder, CLUSTERS)
    show(folder)
    (card,) = clusters.clusters(read(folder))
    assert [(c.name, c.value, len(c.pictures)) for c in card.clusters] == [
        ("Coat #2", "30.0 %", 0), ("Coat #1", "80.0 %", 2),
    ]  # fmt: skip
    outcomes = pd.read_parquet(folder / "outcomes.parquet")
    own = outcomes[(outcomes["model"] == "lenet5") & (outcomes["case"] == "clean")].set_index("example")
    for name, picture in zip(("0", "1"), card.clusters[1].pictures, strict=True):
        assert picture.predicted == own.loc[name, "predicted"]
        assert picture.right == (own.loc[name, "predicted"] == own.loc[name, "label"])
    page = document(report.write(folder))
    assert "structure" in page.attributes("section", "id") and "Coat #2" in page.text
    table = structure.structure(read(folder))
    assert table.rows[0][2][table.heads.index("worst cluster")].subset == "Coat #2"


@pytest.mark.slow
def test_pictures_of_a_strength_are_its_own(folder):
    add(folder, CLUSTERS, case="pgd", perturbation="pgd", norm="linf", eps=8 / 255)
    show(folder, case="pgd", perturbation="pgd", norm="linf", eps=2 / 255)
    assert [len(c.pictures) for c in clusters.clusters(read(folder))[0].clusters] == [0, 0]
    show(folder, case="pgd", perturbation="pgd", norm="linf", eps=8 / 255)
    assert [len(c.pictures) for c in clusters.clusters(read(folder))[0].clusters] == [0, 2]


@pytest.mark.slow
def test_an_index_that_leads_out_of_the_folder_is_refused(folder):
    add(folder, CLUSTERS)
    show(folder, file="../../secret.npz")
    with pytest.raises(ReportError, match=r"file '../../secret.npz' must be the name of a file"):
        report.write(folder)


@pytest.mark.slow
def test_a_damaged_archive_is_named(folder):
    add(folder, CLUSTERS)
    show(folder)
    (folder / "samples/shown-0000.npz").write_bytes(b"no archive")
    with pytest.raises(ReportError, match=r"shown-0000.npz: is damaged .*`robust run` makes it"):
        report.write(folder)


@pytest.mark.slow
def test_a_flow_counts_what_the_outcomes_say(folder):
    assert not flows.flows(read(folder)), "no metric of the classes was computed"
    add(folder, CLUSTERS)
    found = {flow.title: flow for flow in flows.flows(read(folder))}
    outcomes = pd.read_parquet(folder / "outcomes.parquet")
    own = outcomes[outcomes["model"] == "lenet5"].assign(right=lambda t: t["label"] == t["predicted"])
    before = own[own["case"] == "clean"].set_index("example")["right"]
    after = own[own["case"] == "fgsm"].set_index("example")["right"]
    lost = int((before & ~after).sum())
    assert (
        found["fgsm (L∞, ε = 8/255)"].summary
        == f"{lost} of {int(before.sum())} images that were correct are misclassified"
    )


@pytest.mark.slow
def test_a_reliability_diagram_has_a_point_a_bin(folder, document):
    rows = [
        {"metric": metric, "subset": group, "value": value, "n": 20}
        for group, right, sure in (("(0.4, 0.467]", 0.2, 0.45), ("(0.933, 1]", 0.9, 0.97))
        for metric, value in (("bin_accuracy", right), ("bin_confidence", sure))
    ]
    add(folder, [*rows, {"metric": "ece", "value": 0.123456, "unit": ""}])
    (chart,) = reliability_diagrams.reliability(read(folder))
    assert "20.0 % correct at a confidence of 45.0 %" in chart.alt
    page = document(report.write(folder))
    assert "0.123" in page.text and "calibration" in page.attributes("section", "id")


@pytest.mark.slow
def test_the_spread_between_trainings_stands_beside_that_of_the_images(folder, document):
    assert trainings.trainings(read(folder)) == []
    add(folder, [{"metric": "top1", "value": 0.5}], model="again", seed=0)
    add(folder, [{"metric": "top1", "value": 0.7}], model="again", seed=1)
    (row,) = trainings.trainings(read(folder))
    assert row == ("again", "clean", "top-1 accuracy", "2", "60.0 %", "14.1 pp", "50.0 – 70.0 %", "40.0 pp")
    assert "Spread between trainings" in document(report.write(folder)).text


@pytest.mark.slow
def test_the_flow_between_superclasses_is_counted(folder, document):
    add(folder, CLUSTERS)
    path = folder / "environment.json"
    environment = json.loads(path.read_text())
    environment["data"]["superclasses"] = {"upper": ["T-shirt/top", "Coat", "Shirt"], "lower": ["Trouser"]}
    path.write_text(json.dumps(environment))
    flow = next(flow for flow in flows.flows(read(folder)) if flow.title.startswith("fgsm"))
    outcomes = pd.read_parquet(folder / "outcomes.parquet")
    own = outcomes[outcomes["model"] == "lenet5"].set_index("example")
    before, after = own[own["case"] == "clean"], own[own["case"] == "fgsm"]
    lost = after[(before["label"] == before["predicted"]) & (after["label"] != after["predicted"])]
    up = int(((lost["label"] == "Trouser") & (lost["predicted"] != "Trouser")).sum())
    down = int(((lost["label"] != "Trouser") & (lost["predicted"] == "Trouser")).sum())
    inside = len(lost) - up - down
    assert up and down and inside
    assert {f"lower → upper {up}", f"upper → lower {down}"} == set(flow.leaving.split(", "))
    assert f"{inside} of them (" in flow.summary and "Between superclasses: " in document(report.write(folder)).text


def test_why_a_value_has_no_interval_stands_where_the_interval_would():
    row = {
        "metric": "temperature",
        "subset": "",
        "value": 0.02,
        "ci_low": np.nan,
        "ci_high": np.nan,
        "unit": "",
        "n": 60,
    }
    rows = pd.DataFrame([{**row, "ci_method": "none: no T is best"}, {**row, "metric": "ece", "ci_method": "x 95 %"}])
    assert structure._cell(rows, "temperature").interval == "none: no T is best"
    assert structure._cell(rows, "ece").interval == ""


@pytest.mark.slow_after_first
@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.zeros((2, 12, 10)), r"perturbed has shape \[2, 12, 10\], not \[images"),
        (np.zeros((2, 0, 10, 1)), r"perturbed has shape \[2, 0, 10, 1\], not \[images"),
        (np.full((2, 12, 10, 1), "a"), r"perturbed must hold floats"),
        (np.full((2, 12, 10, 1), np.nan), r"perturbed must hold floats"),
    ],
    ids=range(4),
)
def test_pictures_of_clusters_that_are_none_are_refused(folder, images, words):
    add(folder, CLUSTERS)
    show(folder)
    np.savez(folder / "samples" / "shown-0000.npz", ids=np.array(["0", "1"]), perturbed=images)
    with pytest.raises(ReportError, match=rf"shown-0000\.npz: is damaged \({words}"):
        clusters.clusters(read(folder))
