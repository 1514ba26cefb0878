import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import robust
from robust.api.cli.run import _verdict
from robust.core.errors import ReportError, SuiteError
from robust.core.statistics import mcnemar, paired_proportions
from robust.core.store import Store
from robust.results import messages, paired_bounds, tables
from robust.suite import load
from robust.suite.bounds import parse, read

pytestmark = pytest.mark.usefixtures("without_diagnostics")

SUITE = """
data = { name = "fashion_mini" }

[model.one]
architecture = { name = "lenet5", width = 0.2 }
seeds = [0, 1]

[model.two]
architecture = { name = "lenet5", width = 0.3 }

[case.clean]
max_images = 40
expect = { top1 = "no worse than two by 0.5", nll = "low >= 0" }

[case.fgsm]
attack = { name = "fgsm", eps = ["2/255", "8/255"] }
max_images = 20
expect = { top1 = "no worse than reports/base by 0" }
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture
def run(tmp_path, monkeypatch, store):
    """`run(out, **changes)`: the suite with its text changed, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def running(out=None, k="", **changes):
        text = SUITE
        for old, new in changes.values():
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "s.toml").write_text(text)
        return robust.run("s.toml", out, k=k, store=store)

    return running


def differences(results):
    return results[results["metric"] == "difference"]


@pytest.mark.slow
def test_the_rows_are_the_paired_differences_of_the_outcomes(run, tmp_path):
    run("reports/base")
    results = run()
    found = differences(results)
    against = found[found["subset"] == "top1 vs two"]
    assert against["model"].tolist() == ["one", "one"] and against["seed"].tolist() == [0, 1]
    outcomes = tables.read_outcomes(tmp_path / "reports/s/outcomes.parquet")
    right = outcomes[outcomes["case"] == "clean"].set_index(["model", "seed", "example"])
    right = right["label"] == right["predicted"]
    for row in against.to_dict("records"):
        ours, theirs = right["one", row["seed"]], right["two", 0]  # the rival has one seed only
        expected = paired_proportions(ours.to_numpy(), theirs[ours.index].to_numpy(), 0.05)
        assert (row["value"], row["ci_low"]) == pytest.approx(expected[:2]) and np.isnan(row["ci_high"])
        p = robust.value(results, "mcnemar", subset="top1 vs two", model="one", seed=row["seed"]).value
        assert p == pytest.approx(mcnemar(ours.to_numpy(), theirs[ours.index].to_numpy()))
        assert row["passed"] == (row["ci_low"] >= -0.5) and row["ci_method"] == "paired, one-sided 95 %"
    nll = results[(results["metric"] == "nll") & (results["case"] == "clean")]
    assert (nll["bound"] == "low >= 0").all() and nll["passed"].all()
    assert results.loc[(results["metric"] == "top1"), "bound"].eq("").all()  # it stands where it was judged


@pytest.mark.slow
def test_the_same_model_in_an_earlier_report_is_no_worse_by_nothing(run):
    base = differences(run("reports/base"))
    itself = base[base["subset"] == "top1 vs reports/base"]
    assert len(itself) == 6 and itself["passed"].isna().all()  # a report is not judged against itself
    assert messages.unsettled(base)[0].startswith("not judged, compared with this report")
    again = differences(run())
    again = again[again["subset"] == "top1 vs reports/base"]
    assert len(again) == 6 and again["passed"].all() and (again["value"] == 0).all() and (again["ci_low"] == 0).all()


def test_k_runs_the_rival_too(run, tmp_path):
    results = run("out", "one-0 and clean", no=("reports/base", "two"))
    assert differences(results)["passed"].notna().all()
    assert set(tables.read_results(tmp_path / "out/results.csv")["model"]) >= {"one", "two"}


@pytest.mark.slow_after_first
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (None, "s.toml:15: expect.top1: reports/base: there is no such folder in "),
        (
            ("max_images = 20", "max_images = 30"),
            "reports/base: the case fgsm ... max_images is 20 there and 30 here",
        ),
        (("[model.two]", "[model.three]"), "reports/base: has no fgsm[three] at seed 0 ... has clean[one] at seed 0,"),
        (('name = "fashion_mini"', 'name = "fashion_mini", test = 500'), "fashion_mini"),
    ],
)
def test_an_earlier_report_that_cannot_be_used_is_told_before_anything_runs(run, monkeypatch, change, message):
    if change is None:
        with pytest.raises(ReportError) as error:
            run()
    else:
        run("reports/base")
        monkeypatch.setattr("robust.engine.blocks.make", None)  # whoever runs something now fails
        changes = {"name": ("than two", "than three")} if "three" in change[1] else {}
        with pytest.raises((ReportError, SuiteError)) as error:
            run(change=change, **changes)
    assert all(part in str(error.value) for part in message.split(" ... "))


@pytest.mark.slow
def test_a_bound_on_the_end_of_no_interval_is_missed_and_the_report_is_written(run, tmp_path):
    inspect = ("max_images = 40", 'max_images = 40\nprofile = ["cost"]\nmetrics = ["accuracy"]')
    change = ('nll = "low >= 0"', 'parameters = "low >= 0"')
    results = run("out", "clean and two", add=inspect, change=change, no=("reports/base", "two"))
    found = robust.value(results, "parameters")
    assert not found.passed and (tmp_path / "out/index.html").exists()
    said = messages.missed(read(found._asdict()))
    wanted = "has no interval, and low >= 0 requires one; bound the value instead"
    assert said == f"parameters {found.value:.6g} {wanted}"


def test_margins_that_nothing_could_miss_are_told(run):
    with pytest.raises(SuiteError, match=r"top1 no worse than two by 1: a proportion is in \[0, 1\]"):
        run(change=("by 0.5", "by 1"))


def test_the_rivals_of_a_cell(tmp_path):
    (tmp_path / "s.toml").write_text(SUITE.replace("than two", "than one"))
    suite = load(tmp_path / "s.toml")
    found = {cell.id: [rival.id for rival in paired_bounds.rivals(suite, cell)] for cell in suite.evaluations()}
    assert found["clean[two]"] == ["clean[one-0]"] and found["clean[one-1]"] == []


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [("[0, 1]", {0: 0, 1: 1}), ("[3, 1]", {0: 3, 1: 1}), ("[1, 0]", {0: 0, 1: 1}), ("[5, 4, 3]", {0: 5, 1: 5})],
)
def test_a_rival_is_asked_at_the_same_seed_else_at_its_first(tmp_path, theirs, expected):
    with_seeds = SUITE.replace("width = 0.3 }", f"width = 0.3 }}\nseeds = {theirs}")
    (tmp_path / "s.toml").write_text(with_seeds)
    suite = load(tmp_path / "s.toml")
    cells = [cell for cell in suite.evaluations() if cell.case.name == "clean" and cell.model.name == "one"]
    found = {
        cell.seed: [(rival.model.name, rival.seed) for rival in paired_bounds.rivals(suite, cell)] for cell in cells
    }
    assert found == {seed: [("two", other)] for seed, other in expected.items()}

    def answers(cell):
        return paired_bounds.CaseOutcomes(None, f"{cell.model.name}-{cell.seed}")

    for cell in cells:
        (_, limit), *_ = paired_bounds.limits(cell)
        assert paired_bounds._theirs(cell, limit, answers, suite, tmp_path).model == f"two-{expected[cell.seed]}"


def test_missed_and_undecided_bounds_in_words():
    row = {
        "case": "clean",
        "model": "net",
        "seed": 0,
        "n": 9,
        "metric": "top1",
        "subset": "",
        "severity": None,
        "eps": None,
        "norm": "",
    }
    row |= {"value": 0.78, "ci_low": 0.75, "ci_high": 0.79, "bound": parse(">= 0.80"), "passed": False}
    assert messages.missed(row) == "top1 0.780 [0.750, 0.790] is not >= 0.80"
    row |= {"bound": parse("low >= 0.80")}
    assert messages.missed(row) == "top1 0.780 [0.750, 0.790] misses low >= 0.80"
    row |= {"bound": parse(">= 0.77"), "passed": True}
    line = "undecided, the interval contains the bound: clean[net] top1"
    assert messages.unsettled(tables.table([row], tables.RESULTS)) == [line]
    assert parse(">= 0.77").undecided(0.75, 0.79)


@pytest.mark.slow
def test_pytest_and_the_command_line_say_it(run, tmp_path, monkeypatch, store):
    monkeypatch.setenv("ROBUST_STORE", str(store.root))
    run(no=("reports/base", "two"), never=("by 0.5", "by 0"), unsure=('nll = "low >= 0"', 'top5 = "in [0.55, 0.56]"'))
    done = subprocess.run(
        [sys.executable, "-m", "robust", "run", "s.toml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "clean[one-0] difference[top1 vs two] " in done.stdout
    assert " misses no worse than two by 0\n" in done.stdout
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "s.toml", "-k", "clean and one-0"]
    tested = subprocess.run(command, capture_output=True, text=True, check=False)
    assert tested.returncode == 1, tested.stdout
    assert "difference[top1 vs two] " in tested.stdout and "misses no worse than two by 0 (40 images" in tested.stdout
    wanted = "undecided, the interval contains the bound: clean[one"
    assert f"robust: {wanted}" in tested.stdout and wanted in done.stdout


@pytest.mark.parametrize(("row", "words"), [
    ({"severity": None, "eps": None, "norm": ""}, ""),
    ({"severity": float("nan"), "eps": float("nan"), "norm": ""}, ""),  # as a table has it
    ({"severity": 3, "eps": float("nan"), "norm": ""}, " at severity 3"),
    ({"severity": None, "eps": 0.5, "norm": "l2"}, " at eps 0.5"),
    ({"severity": float("nan"), "eps": 8 / 255, "norm": "linf"}, " at eps 8/255"),
    ({"severity": float("nan"), "eps": 0.03, "norm": "linf"}, " at eps 0.03"),
    ({}, ""),
])  # fmt: skip
def test_the_strength_of_a_row_is_said_where_there_is_one(row, words):
    assert messages.strength(row) == words


def test_a_distance_not_found_says_up_to_where_and_what_to_do():
    row = {
        "metric": "median_distance",
        "subset": "",
        "value": np.inf,
        "ci_low": np.inf,
        "ci_high": np.inf,
        "unit": "distance",
    }
    said = messages.missed({**row, "eps": 0.05, "bound": parse(">= 1"), "reliability": "reliable"})
    assert said == "median_distance not found up to 0.05 leaves >= 1 undecided; search farther, with a larger eps"


def test_a_median_between_found_and_not_found_is_undecided_and_other_numbers_without_a_value_say_why():
    row = {
        "metric": "median_distance",
        "subset": "",
        "value": np.nan,
        "ci_low": 0.02,
        "ci_high": np.inf,
        "unit": "distance",
    }
    row |= {"n": 40, "eps": 0.05, "norm": "l2", "reliability": "reliable", "ci_method": "order statistics 95 %"}
    for limit, verdict in ((">= 0.03", "leaves >= 0.03 undecided"), ("low >= 0.03", "misses low >= 0.03")):
        said = messages.missed({**row, "bound": parse(limit)})
        parts = ("median_distance unknown", "exactly half of the images", "up to 0.05 (low: 0.020)", verdict)
        assert all(part in said for part in parts)
    energy = {
        "metric": "ood_auroc",
        "subset": "energy",
        "value": np.nan,
        "ci_low": np.nan,
        "ci_high": np.nan,
        "unit": "",
    }
    told = messages.missed({**energy, "ci_method": "none: of one logit", "reliability": "", "bound": parse(">= 0.5")})
    assert told == "ood_auroc[energy] has no value (of one logit), so it is not >= 0.5"


@pytest.mark.parametrize(("seeds", "told"), [((0, 1), "clean[net-1] top1"), ((1, 1), "clean[net] top1")])
def test_the_command_says_which_training_missed(seeds, told, capsys, tmp_path):
    same = {
        "model": "net",
        "case": "clean",
        "metric": "top1",
        "subset": "",
        "unit": "proportion",
        "reliability": "",
        "n": 10,
    }
    same |= {"ci_low": 0.2, "ci_high": 0.8, "ci_method": "exact 95 %", "eps": None, "severity": None, "norm": ""}
    rows = [{**same, "seed": seed, "value": 0.5, "bound": "", "passed": None} for seed in seeds]
    rows[1] |= {"bound": ">= 0.9", "passed": False}
    assert _verdict(pd.DataFrame(rows), tmp_path) == 1
    assert capsys.readouterr().out.startswith(f"missed: {told}")
