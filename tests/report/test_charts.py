from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import vl_convert

from robust.core import statistics
from robust.report import charts, confusion
from robust.report.folder import read


def points(chart) -> pd.DataFrame:
    return pd.DataFrame(next(iter(chart.spec["datasets"].values())))


@pytest.mark.slow
def test_a_curve_for_each_case_from_the_clean_accuracy_on(folder):
    drawn = {chart.title: points(chart) for chart in charts.curves(read(folder))}
    assert list(drawn) == ["fgsm (L∞)", "pgd (L∞)", "weather (fog)", "survives (pgd, L∞)"]
    lenet5 = drawn["pgd (L∞)"].query("model == 'lenet5'")
    assert list(lenet5["level"]) == [0, 2, 8] and list(lenet5["at"]) == [
        "clean",
        "L∞, ε = 2/255",
        "L∞, ε = 8/255",
    ]
    assert set(drawn["survives (pgd, L∞)"]["model"]) == {"hardened"}
    assert (drawn["pgd (L∞)"]["ci_low"] <= drawn["pgd (L∞)"]["value"]).all()


@pytest.mark.slow
def test_the_clean_point_is_of_the_same_images(folder):
    whole = read(folder)
    few = {cell: rows[rows["example"].astype(int) < 10] for cell, rows in whole.outcomes.items()}
    known = replace(whole, outcomes={cell: (few if cell[1].case == "pgd" else whole.outcomes)[cell] for cell in few})
    chart = next(chart for chart in charts.curves(known) if chart.title == "pgd (L∞)")
    first = points(chart).query("model == 'lenet5' and level == 0").iloc[0]
    clean = next(rows for (run, condition), rows in few.items() if run.model == "lenet5" and condition.clean)
    right = int((clean["label"] == clean["predicted"]).sum())
    assert (first["n"], first["value"]) == (10, right / 10)
    assert (first["ci_low"], first["ci_high"]) == pytest.approx(statistics.clopper_pearson(right, 10))


def test_the_clean_point_is_of_the_same_data(folder):
    """Two sets may call their images alike."""
    whole = read(folder)
    results = whole.results.assign(data=whole.results["data"].where(whole.results["case"] != "clean", "other"))
    drawn = charts.curves(replace(whole, results=results))
    assert [chart.title for chart in drawn] == ["pgd (L∞)"]  # one level alone is no curve
    assert points(drawn[0])["level"].min() == pytest.approx(2)


def test_no_clean_point_without_the_same_images(folder):
    path = folder / "outcomes.parquet"
    outcomes = pd.read_parquet(path)
    clean = outcomes["case"] == "clean"
    outcomes.assign(example=outcomes["example"].where(~clean, "other " + outcomes["example"])).to_parquet(path)
    drawn = charts.curves(read(folder))
    assert [chart.title for chart in drawn] == ["pgd (L∞)"]  # one level alone is no curve
    assert points(drawn[0])["level"].min() == pytest.approx(2)


@pytest.mark.slow
def test_a_model_has_one_colour_on_the_whole_page(folder):
    domains = [chart.spec["layer"][1]["encoding"]["color"]["scale"]["domain"] for chart in charts.curves(read(folder))]
    assert domains == [["lenet5", "resnet20", "hardened"]] * 4


@pytest.mark.slow
def test_a_curve_says_its_numbers(folder):
    said = charts.curves(read(folder))[1].alt
    assert said.startswith("Top-1 accuracy under pgd (L∞). lenet5, seed 0: ") and "(L∞, ε = 2/255)" in said


@pytest.mark.slow
def test_a_value_that_is_no_number_is_left_out(folder):
    whole = read(folder)
    results = whole.results.copy()
    lost = (results["model"] == "lenet5") & (results["case"] == "pgd") & (results["metric"] == "top1")
    results.loc[lost, ["value", "ci_low", "ci_high"]] = np.nan
    assert len(points(charts.curves(replace(whole, results=results))[1]).query("model == 'lenet5'")) == 1


@pytest.mark.slow
def test_a_confusion_matrix_counts_the_outcomes(folder):
    known = read(folder)
    found = confusion.confusions(known)
    assert len(found) == 16
    outcomes = pd.read_parquet(folder / "outcomes.parquet").query("model == 'lenet5' and case == 'clean'")
    counts = found[0].counts.pivot(index="label", columns="predicted", values="times").fillna(0)
    expected = pd.crosstab(outcomes["label"], outcomes["predicted"])
    assert (counts.to_numpy() == expected.to_numpy()).all()
    assert found[0].images == 40 and found[0].right == int(np.trace(expected.to_numpy()))
    assert (found[0].counts.groupby("label")["share"].sum().round(9) == 1).all()


@pytest.mark.slow
def test_worst_pairs_are_wrong_and_come_most_often_first(folder):
    worst = confusion.confusions(read(folder))[3].worst(3)
    assert (worst["label"] != worst["predicted"]).all() and worst["times"].is_monotonic_decreasing


@pytest.mark.slow
def test_seeds_are_pooled(folder):
    for name, reader, save in [
        (
            "results.csv",
            lambda p: pd.read_csv(p, keep_default_na=False),
            lambda t, p: t.to_csv(p, index=False),
        ),
        ("outcomes.parquet", pd.read_parquet, lambda t, p: t.to_parquet(p)),
    ]:
        table = reader(folder / name)
        save(pd.concat([table, table.assign(seed=1)], ignore_index=True), folder / name)
    found = confusion.confusions(read(folder))
    assert len(found) == 16 and found[0].images == 80


@pytest.mark.slow
def test_a_matrix_keeps_the_order_of_the_classes(folder):
    known = read(folder)
    chart = charts.matrix(confusion.confusions(known)[0], known.classes)
    for axis in "xy":
        assert chart.spec["layer"][0]["encoding"][axis]["scale"]["domain"] == known.classes
    assert [layer["mark"]["type"] for layer in chart.spec["layer"]] == ["rect", "text"]
    assert "of 40 correct; most often" in chart.alt


def drawn(chart) -> str:
    return vl_convert.vegalite_to_svg({**chart.spec, "width": 400})


@pytest.mark.slow
def test_a_matrix_is_drawn_with_its_counts(folder):
    known = read(folder)
    found = confusion.confusions(known)[0]
    svg = drawn(charts.matrix(found, known.classes))
    assert all(f">{times}</text>" in svg for times in found.counts["times"])
    assert svg.count('aria-roledescription="rect mark"') == len(found.counts)
    assert all(f">{name}</text>" in svg for name in known.classes)


@pytest.mark.slow
def test_a_curve_is_drawn_with_its_levels(folder):
    svg = drawn(charts.curves(read(folder))[1])
    assert all(f">{words}</text>" in svg for words in ["0", "2/255", "8/255", "ε (L∞)", "lenet5"])
    assert svg.count('aria-roledescription="point"') == 9


@pytest.mark.slow
def test_many_classes_have_no_numbers_in_the_cells(make):
    known = read(make([f"class {i}" for i in range(21)], n=210))
    chart = charts.matrix(confusion.confusions(known)[0], known.classes)
    assert [layer["mark"]["type"] for layer in chart.spec["layer"]] == ["rect"]


@pytest.mark.slow
def test_a_class_the_data_set_does_not_know_still_has_its_place(folder):
    known = read(folder)
    cell, rows = next(iter(known.outcomes.items()))
    first = rows["example"] == rows["example"].iloc[0]
    known.outcomes[cell] = rows.assign(predicted=rows["predicted"].astype(str).mask(first, "stranger"))
    chart = charts.matrix(confusion.confusions(known)[0], known.classes)
    assert chart.spec["layer"][0]["encoding"]["x"]["scale"]["domain"] == [*known.classes, "stranger"]
