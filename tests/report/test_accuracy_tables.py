import json

import pandas as pd
import pytest

from robust.report import accuracy_tables, bound_states, page
from robust.report.folder import read


@pytest.fixture
def change(folder):
    """A function that changes results.csv and gives the table of accuracies and the judgements."""

    def apply(function):
        path = folder / "results.csv"
        function(pd.read_csv(path, keep_default_na=False)).to_csv(path, index=False)
        known = read(folder)
        judged = bound_states.judgements(known)
        return accuracy_tables.accuracy(known, judged), judged

    return apply


@pytest.mark.slow
def test_a_cell_has_its_value_interval_and_bound(change, folder):
    table, _ = change(lambda results: results)
    assert table.heads[0] == ("clean", "") and table.heads[2] == ("pgd", "L∞, ε = 2/255")
    assert table.heads[4:] == [("weather", "fog, severity 3"), ("survives", "pgd, L∞, ε = 8/255")]
    results = pd.read_csv(folder / "results.csv")
    row = results.query("model == 'lenet5' and case == 'clean' and metric == 'top1'").iloc[0]
    cell = table.rows[0][1][0]
    assert (cell.value, cell.n) == (f"{100 * row.value:.1f} %", "40")
    assert cell.interval == f"{100 * row.ci_low:.1f} – {100 * row.ci_high:.1f} %"
    assert [(one.bound, one.state) for one in cell.judgements] == [("≥ 80 %", "passed")]
    assert cell.track["ci_low"] < cell.track["value"] < cell.track["ci_high"]


@pytest.mark.slow
def test_an_interval_that_contains_the_bound_is_undecided(change, folder):
    (folder / "suite.toml").unlink()  # whose bound counts

    def near(results):
        clean = (results["case"] == "clean") & (results["metric"] == "top1")
        low, value = (pd.to_numeric(results[name], errors="coerce") for name in ("ci_low", "value"))
        inside = (low + value) / 2
        return results.assign(bound=results["bound"].where(~clean, inside.map(">= {:.4f}".format)))

    table, judged = change(near)
    assert [one.undecided for one in judged if one.condition.case == "clean"] == [True, True, True]
    assert table.rows[0][1][0].judgements[0].state == "passed"


@pytest.mark.slow
def test_the_column_passed_is_not_believed(change):
    _, judged = change(lambda results: results.assign(passed=""))
    assert {one.state for one in judged} == {"passed", "missed"}
    assert bound_states.headline(judged) == "1 of 4 bounds missed"


@pytest.mark.slow
def test_headlines(change):
    _, judged = change(lambda results: results)
    assert bound_states.headline(judged) == "1 of 4 bounds missed"
    assert bound_states.headline(judged[:3]) == "All 3 bounds passed"
    assert bound_states.headline(judged[:1]) == "The one bound passed"


def test_bounds_on_other_metrics_stand_in_their_cell(change, folder):
    (folder / "suite.toml").unlink()  # which asks for no such bound

    def bound(results):
        results.loc[results["metric"] == "nll", ["bound", "passed"]] = ["<= 0.1", "False"]
        return results[results["case"] == "clean"]

    _, judged = change(bound)
    said = next(one.words for one in judged if one.metric == "negative log-likelihood")
    row = next(row for row in read(folder).results.to_dict("records") if row["metric"] == "nll")
    interval = f"95 % interval {row['ci_low']:.4g} – {row['ci_high']:.4g}, 40 images"
    assert said == f"negative log-likelihood is {row['value']:.4g} nats ({interval}); the suite requires ≤ 0.1"


@pytest.mark.slow
def test_what_has_not_run_and_what_was_not_asked_for(change, folder):
    (folder / "suite.toml").write_text((folder / "suite.toml").read_text() + "\n[case.square]\n")
    table, _ = change(lambda results: results[(results["model"] != "resnet20") | (results["case"] != "pgd")])
    states = {name: [cell.state for cell in row] for name, row in table.rows}
    assert table.heads[-1] == ("square", "")
    assert states["resnet20"][2:] == ["not run", "not run", "measured", "not requested", "not run"]
    assert states["hardened"] == ["measured"] * 6 + ["not run"]
    assert table.missing == 5


@pytest.mark.slow
def test_a_model_that_was_not_run_at_all_has_its_row(change, folder):
    path = folder / "environment.json"
    environment = json.loads(path.read_text())
    environment["models"]["vgg"] = {"architecture": "vgg16", "seeds": [0]}
    path.write_text(json.dumps(environment))
    table, _ = change(lambda results: results)
    assert {cell.state for cell in table.rows[3][1]} == {"not run", "not requested"}


@pytest.mark.slow
def test_a_case_without_top1_has_no_column_and_a_cell_without_it_says_so(change):
    def drop(results):
        gone = (results["metric"] == "top1") & (
            (results["case"] == "fgsm") | ((results["case"] == "clean") & (results["model"] == "lenet5"))
        )
        return results[~gone]

    table, _ = change(drop)
    assert "fgsm" not in [case for case, _ in table.heads]
    assert table.rows[0][1][0].state == "no top-1"


@pytest.mark.slow
def test_how_many_targets_were_reached(change):
    def target(results):
        rows = results[(results["metric"] == "top1") & (results["case"] == "fgsm")]
        return pd.concat([results, rows.assign(metric="targeted_success_rate", value=0.431)])

    assert change(target)[0].rows[0][1][1].targeted_success_rate == "43.1 %"


def test_costs(folder):
    first = accuracy_tables.costs(read(folder))[1]
    assert first == {
        "model": "lenet5",
        "condition": "fgsm (L∞, ε = 8/255)",
        "n_forward": "20",
        "n_backward": "19",
        "seconds": "1.5",
        "occupancy": "92.5 %",
    }


@pytest.mark.slow
def test_sizes_are_those_that_inspections_found(folder):
    path = folder / "results.csv"
    results = pd.read_csv(path, keep_default_na=False)
    row = {**results.query("model == 'lenet5'").iloc[0].to_dict(), "ci_low": "", "ci_high": "", "ci_method": "",
           "bound": "", "passed": "", "subset": "", "n": 1}  # fmt: skip
    found = [
        {**row, "metric": "latency", "unit": "ms", "value": 1.25, "ci_low": 1, "ci_high": 2.5},
        {**row, "metric": "macs", "unit": "MACs", "value": 15_470_264_320},
        {**row, "metric": "forward_memory", "unit": "bytes", "value": 60_950_432},
        {**row, "metric": "macs", "unit": "MACs", "value": 7, "model": "hardened"},
    ]
    pd.concat([results, pd.DataFrame(found)]).to_csv(path, index=False)
    heads, rows = accuracy_tables.sizes(read(folder))
    assert heads == ["MACs", "memory, forward", "latency"]
    assert rows == [
        ("lenet5", [("15.5 G", ""), ("61.0 MB", ""), ("1.25 ms", "1 – 2.5")]),
        ("hardened", [("7", ""), ("", ""), ("", "")]),
    ]


@pytest.mark.slow
def test_without_an_inspection_there_are_no_sizes(folder):
    assert accuracy_tables.sizes(read(folder)) is None


@pytest.mark.slow
def test_a_suite_that_only_inspects_shows_no_table_of_accuracies(change, folder):
    table, _ = change(lambda results: results[results["metric"] == "nll"])
    assert table.heads == []
    text = page.render(read(folder))
    assert "Top-1 accuracy" not in text and 'class="grid"' not in text and "Cost of the queries" in text
