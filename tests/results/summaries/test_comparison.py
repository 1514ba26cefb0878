import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import robust
from robust.core import toml
from robust.core.errors import ReportError
from robust.core.statistics import mcnemar, paired_difference, paired_proportions
from robust.report import terminal
from robust.results import manifest, tables
from robust.results.summaries.comparison import judged, not_judged
from robust.results.summaries.pairing import difference
from robust.suite import bounds, read_case
from robust.suite.bounds import parse

CLASSES = ["cat", "dog", "ship"]
ABOVE = {"animal": ["cat", "dog"], "vehicle": ["ship"]}
SUITE = """
[model.net]
architecture = "lenet5"
[case.clean]
[case.pgd]
attack = { name = "pgd", eps = ["2/255", "8/255"], steps = 10 }
"""
CLEAN = {"case": "clean", "perturbation": "clean", "norm": "", "eps": None, "severity": None}
PGD = [{"case": "pgd", "perturbation": "pgd", "norm": "linf", "eps": e / 255, "severity": None} for e in (2, 8)]


def answers(said, where=CLEAN, **same):
    """Outcomes of images 0, 1, ... whose labels are cat, dog, ship, cat ...; `said` are the classes answered."""
    labels = [CLASSES[i % 3] for i in range(len(said))]
    rows = {"example": [str(i) for i in range(len(said))], "label": labels, "predicted": list(said), "target": ""}
    frame = pd.DataFrame(rows).assign(model="net", seed=0, in_top5=True, n_forward=0, n_backward=0, **where)
    frame["margin"] = np.where(frame["label"] == frame["predicted"], 1.0, -1.0)
    nll = np.where(frame["label"] == frame["predicted"], 0.25, 2.0)
    return tables.table(frame.assign(nll=nll).assign(**same), tables.OUTCOMES)


def skilled(n, skill, seed=0, where=CLEAN, **same):
    random = np.random.default_rng(seed)
    said = [CLASSES[i % 3] if random.random() < skill else CLASSES[(i + 1) % 3] for i in range(n)]
    return answers(said, where, **same)


def report(folder, outcomes, *, suite=SUITE, name="quick", data="fake", fingerprint="f00", weights="w", **more):
    """As much of a report folder as a comparison reads."""
    about = {"suite": name, "data": {"name": data, "fingerprint": fingerprint, "superclasses": ABOVE}}
    cases = {name: read_case(name, table).definition for name, table in toml.loads(suite)["case"].items()}
    about |= {
        "cases": cases,
        "contents": dict.fromkeys(cases, "f00"),
        "sources": {},
        "models": {"net": {"form": "f"}},
        "groups": {},
    }
    with manifest.rewritten(folder):
        (folder / "environment.json").write_text(json.dumps(about | more))
        tables.write_outcomes(outcomes, folder / "outcomes.parquet")
        cells = ["model", "seed", "case", "perturbation", "norm", "eps", "severity"]
        rows = outcomes[cells].drop_duplicates().to_dict("records")
        said = [("top1", ""), ("nll", ""), ("recall", "dog"), ("superclass_accuracy", "")]
        rows = [{**row, "metric": m, "subset": g, "weights_sha": weights, "n": 1} for row in rows for m, g in said]
        tables.write_results(tables.table(rows, tables.RESULTS), folder / "results.csv")
    return folder


@pytest.mark.slow
def test_a_hand_made_pair_of_reports(tmp_path):
    a = report(tmp_path / "a", answers(["cat", "dog", "ship", "dog", "dog", "cat"]), weights="old")  # 4 right of 6
    b = report(tmp_path / "b", answers(["cat", "dog", "cat", "cat", "dog", "ship"]), weights="new")  # 5 right of 6
    (row,) = robust.compare(a, b).to_dict("records")
    ours, theirs = np.array([1, 1, 0, 1, 1, 1], bool), np.array([1, 1, 1, 0, 1, 0], bool)
    assert (row["a"], row["b"], row["n"]) == (4 / 6, 5 / 6, 6)
    assert (row["difference"], row["ci_low"], row["ci_high"]) == pytest.approx(paired_proportions(ours, theirs))
    assert row["mcnemar"] == mcnemar(ours, theirs) == 1.0
    assert (row["model"], row["case"], row["metric"], row["unit"]) == ("net", "clean", "top1", "proportion")
    (row,) = robust.compare(a, b, metric="recall[dog]").to_dict("records")
    assert (row["a"], row["b"], row["n"]) == (1, 1, 2)
    (row,) = robust.compare(a, b, metric="superclass_accuracy").to_dict("records")
    assert (row["a"], row["b"]) == (5 / 6, 5 / 6)  # a dog for a cat is an animal still
    (row,) = robust.compare(a, b, metric="nll").to_dict("records")
    expected = paired_difference(np.where(ours, 0.25, 2.0), np.where(theirs, 0.25, 2.0))
    assert (row["difference"], row["ci_low"], row["ci_high"]) == pytest.approx(expected)
    assert np.isnan(row["mcnemar"]) and row["unit"] == "nats"


def test_superclasses_are_those_by_which_the_case_judges_and_the_same_on_both_sides(tmp_path):
    """Of a tree of its own, that is: the data of the suite may have others, or none."""
    tree = {"clean": {"pets": ["cat", "ship"], "dogs": ["dog"]}}
    said = {"a": ["cat", "dog", "ship", "dog", "dog", "cat"], "b": ["cat", "dog", "cat", "cat", "dog", "ship"]}
    a, b = (report(tmp_path / name, answers(each), weights=name, groups=tree) for name, each in said.items())
    (row,) = robust.compare(a, b, metric="superclass_accuracy").to_dict("records")
    above = {"cat": "pets", "ship": "pets", "dog": "dogs"}
    labels = tables.read_outcomes(a / "outcomes.parquet")["label"]
    right = [np.mean([above[x] == above[y] for x, y in zip(labels, said[name], strict=True)]) for name in "ab"]
    assert [row["a"], row["b"]] == right and right != [5 / 6, 5 / 6]
    other = report(tmp_path / "other", answers(said["a"]))  # by those of the data
    for one, two in ((other, b), (b, other)):
        with pytest.raises(ReportError, match=f"{one.name}: the case clean has other superclasses there"):
            robust.compare(one, two, metric="superclass_accuracy")
    assert len(robust.compare(other, b)) == 1


@pytest.mark.parametrize("wrong", ["a", "b"])
def test_results_that_contradict_the_outcomes_of_either_side_are_refused(tmp_path, wrong):
    said = {"a": ["cat", "dog", "ship", "dog", "dog", "cat"], "b": ["cat", "dog", "cat", "cat", "dog", "ship"]}
    a, b = (report(tmp_path / name, answers(each), weights=name) for name, each in said.items())
    path = tmp_path / wrong / "results.csv"
    results = tables.read_results(path)
    results.loc[results["metric"] == "top1", "value"] = 0.9
    tables.write_results(results, path)
    with pytest.raises(ReportError, match=rf"{wrong}: its outcomes give top1 = 0.\d+, its results.csv 0.9"):
        robust.compare(a, b)


def test_images_are_paired_by_name_not_by_place_and_each_strength_by_itself(tmp_path):
    before = [skilled(30, 0.9 - 0.3 * i, i, where) for i, where in enumerate([CLEAN, *PGD])]
    after = [skilled(30, 0.7 - 0.3 * i, 9 + i, where) for i, where in enumerate([CLEAN, *PGD])]
    a = report(tmp_path / "a", pd.concat(before).sample(frac=1, random_state=0), weights="old")
    b = report(tmp_path / "b", pd.concat(after), weights="new")
    table = robust.compare(a, b)
    assert table["case"].tolist() == ["clean", "pgd", "pgd"] and table["eps"].tolist()[1:] == [2 / 255, 8 / 255]
    for row, one, other in zip(table.to_dict("records"), before, after, strict=True):
        theirs, ours = (o["label"].to_numpy() == o["predicted"].to_numpy() for o in (one, other))
        assert row["mcnemar"] == mcnemar(ours, theirs) and row["difference"] == pytest.approx(
            ours.mean() - theirs.mean()
        )
    assert set(robust.compare(a, b, case="pgd")["case"]) == {"pgd"}


def test_several_seeds_are_each_compared_with_their_own(tmp_path):
    outcomes = pd.concat([skilled(12, 0.5, s).assign(seed=s) for s in (0, 1)])
    table = robust.compare(report(tmp_path / "a", outcomes), report(tmp_path / "b", outcomes))
    assert table["seed"].tolist() == [0, 1] and (table["difference"] == 0).all()


@pytest.mark.slow
@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from(CLASSES), min_size=1, max_size=30), st.floats(0, 1))
def test_the_same_model_is_no_worse_than_itself_by_any_margin(said, margin):
    outcomes = answers(said)
    for key in ("top1", "nll", "top1_error", "superclass_accuracy"):
        rows = list(
            judged(key, parse(f"no worse than reports/base by {margin!r}"), outcomes, outcomes, ABOVE, same=True)
        )
        first = rows[0]
        assert (first["metric"], first["value"], first["passed"]) == ("difference", 0, True)
        assert {first["ci_low"], first["ci_high"]} >= {0} or len(said) == 1


def test_one_model_that_answers_otherwise_at_random_differs_within_an_interval():
    """The same weights, of which a randomised network makes other answers: that hangs on the sample."""
    ours, theirs = skilled(60, 0.8, 1), skilled(60, 0.8, 2)
    found = next(judged("top1", parse("no worse than other by 0.5"), ours, theirs, ABOVE, same=True))
    assert found["ci_low"] < found["value"]


def test_targets_reached_are_compared_as_they_were_aimed_at():
    ours, theirs = (answers(said).assign(target="ship") for said in (["ship"] * 3 + ["dog"], ["ship"] + ["dog"] * 3))
    found = difference(ours, theirs, "targeted_success_rate", ABOVE, name="base", tail=0.05)
    assert (found.ours, found.theirs, found.value) == (0.75, 0.25, 0.5)


def test_a_report_beside_itself_differs_by_nothing(tmp_path):
    folder = report(tmp_path / "a", skilled(40, 0.8))
    (row,) = robust.compare(folder, folder).to_dict("records")
    assert (row["difference"], row["ci_low"], row["ci_high"], row["mcnemar"]) == (0, 0, 0, 1)


def test_another_model_that_answers_alike_is_not_surely_the_same(tmp_path):
    a, b = (report(tmp_path / w, skilled(40, 0.8), weights=w) for w in "ab")
    (row,) = robust.compare(a, b).to_dict("records")
    assert row["difference"] == 0 and row["ci_low"] < 0 < row["ci_high"]


def test_the_same_weights_under_another_activation_are_another_model(tmp_path):
    said = skilled(40, 0.8)
    a = report(tmp_path / "a", said)
    b = report(tmp_path / "b", said.assign(margin=np.float32(1.001) * said["margin"]))
    (row,) = robust.compare(a, b).to_dict("records")
    assert row["difference"] == 0 and row["ci_low"] < 0 < row["ci_high"]
    limit = parse("no worse than base by 0.01")
    [first, _] = judged("top1", limit, said, said.assign(margin=2 * said["margin"]), ABOVE, same=True)
    assert first["value"] == 0 and not first["passed"]


def test_a_label_of_probability_0_leaves_no_difference_of_likelihoods(tmp_path):
    said = skilled(40, 0.8)
    endless = said.assign(nll=np.where(said.index == 3, np.inf, said["nll"]))
    a, b = report(tmp_path / "a", said, weights="v"), report(tmp_path / "b", endless)
    results = tables.read_results(b / "results.csv")
    (row,) = robust.compare(a, b, metric="nll").to_dict("records")
    assert row["b"] == row["difference"] == np.inf and np.isnan(row["ci_low"]) and len(results)


def test_the_same_weights_in_other_layers_are_another_model(tmp_path):
    said = skilled(40, 0.8)
    a, b = (report(tmp_path / f, said, models={"net": {"form": f}} if f else {}) for f in ("f", "g"))
    c, d = (report(tmp_path / f, said, models={"net": {}}) for f in ("c", "d"))  # of which Keras cannot say it
    for one, other in ((a, b), (a, c), (c, d)):
        (row,) = robust.compare(one, other).to_dict("records")
        assert row["difference"] == 0 and row["ci_low"] < 0 < row["ci_high"]


@pytest.mark.parametrize(
    ("ours", "theirs", "state"),
    [((), (3,), "undecided"), ((3,), (), "missed"), ((3,), (3,), "undecided"), ((), (), "passed")],
)
def test_infinite_likelihoods_pass_no_bound(ours, theirs, state):
    said = skilled(40, 0.8)
    one, other = (said.assign(nll=np.where(said.index.isin(rows), np.inf, said["nll"])) for rows in (ours, theirs))
    [row] = judged("nll", parse("no worse than base by 0.5"), one, other, ABOVE, same=True)
    assert bounds.state({**row, "reliability": ""}) == state
    nothing = next(not_judged("nll", parse("no worse than base by 0.5"), one))
    assert bounds.state({**nothing, "reliability": ""}) == "not judged"


def test_doubts_about_either_number_are_told_and_files_that_were_changed(tmp_path, capsys):
    a, b = (report(tmp_path / w, skilled(40, 0.8), weights=w) for w in "ab")
    results = tables.read_results(b / "results.csv")
    tables.write_results(results.assign(reliability="invalid"), b / "results.csv")
    with pytest.warns(UserWarning, match=r"b: changed since it was written: results\.csv$"):
        table = robust.compare(a, b)
    assert (table["reliability_a"].tolist(), table["reliability_b"].tolist()) == ([""], ["invalid"])
    terminal.differences(table)
    assert "(invalid)" in capsys.readouterr().out


def test_black_boxes_that_answer_alike_are_not_surely_the_same(tmp_path):
    a, b = (report(tmp_path / w, skilled(40, 0.8), weights="") for w in "ab")
    (row,) = robust.compare(a, b).to_dict("records")
    assert row["difference"] == 0 and row["ci_low"] < 0 < row["ci_high"]


def test_targets_that_hang_on_the_model_do_not_part_the_images():
    ours, theirs = (skilled(6, 0.5, s).assign(target=t) for s, t in ((1, "cat"), (2, "dog")))
    assert difference(ours, theirs, "top1", ABOVE, name="base", tail=0.05).n == 6
    every = [pd.concat([one.assign(target=t) for t in CLASSES]) for one in (ours, theirs)]
    assert difference(*every, "top1", ABOVE, name="base", tail=0.05).n == 6  # its targets hang together


def test_superclasses_of_a_thousand_classes_are_looked_up_and_classes_in_none_stay():
    ours = skilled(6, 1)
    many = {f"group {i}": [f"class {i}"] for i in range(1000)}
    for above in (many, {}, {"animal": ["cat", "dog"]}):
        assert difference(ours, ours, "superclass_accuracy", above, name="base", tail=0.05).ours == 1


@pytest.mark.parametrize(("key", "end"), [("top1", "ci_low"), ("top1_error", "ci_high"), ("nll", "ci_high")])
def test_worse_is_lower_or_higher_as_the_metric_has_it(key, end):
    good, bad = skilled(300, 0.95, 1), skilled(300, 0.6, 2)
    bound = parse("no worse than other by 0.05")
    better, test = [*judged(key, bound, good, bad, ABOVE, same=False), None][:2]
    worse = next(judged(key, bound, bad, good, ABOVE, same=False))
    assert better["passed"] is True and worse["passed"] is False
    assert [np.isnan(better[e]) for e in ("ci_low", "ci_high")] == [e != end for e in ("ci_low", "ci_high")]
    assert better["subset"] == f"{key} vs other" and better["ci_method"] == "paired, one-sided 95 %"
    assert better["bound"] == bound and better["n"] == 300
    if key == "nll":
        assert test is None  # McNemar counts; it does not weigh
    else:
        assert test["metric"] == "mcnemar" and test["value"] < 1e-6 and test["passed"] is None
        assert np.isnan(test["ci_low"]) and np.isnan(test["ci_high"])  # a p-value has no interval


def test_a_mistake_that_did_not_come_may_cost_as_much_as_the_surest_answer():
    """Of 1000 images one would be 60 nats worse: more than a third of the samples lack it, and none may pass."""
    theirs = skilled(1000, 1.0).assign(nll=0.0, margin=60.0)
    found = next(judged("nll", parse("no worse than other by 0.06"), theirs, theirs, ABOVE, same=False))
    assert found["passed"] is False and found["ci_high"] == pytest.approx(60 * (1 - 0.05**0.001), rel=0.1)
    unsure = theirs.assign(margin=3.0)
    found = next(judged("nll", parse("no worse than other by 0.06"), unsure, unsure, ABOVE, same=False))
    assert found["passed"] is True and found["ci_high"] == pytest.approx(16 * (1 - 0.05**0.001), rel=0.1)


def test_the_one_sided_bound_decides_not_the_difference():
    ours, theirs = skilled(90, 0.80, 1), skilled(90, 0.80, 2)
    (found, _) = judged("top1", parse("no worse than other by 0.05"), ours, theirs, ABOVE, same=False)
    right = [(o["label"] == o["predicted"]).to_numpy() for o in (ours, theirs)]
    assert found["ci_low"] == paired_proportions(*right, 0.05)[1]
    margin = -found["ci_low"]
    for by, passed in ((margin + 1e-9, True), (margin - 1e-9, False)):
        bound = parse(f"no worse than other by {by!r}")
        assert next(judged("top1", bound, ours, theirs, ABOVE, same=False))["passed"] is passed


def test_what_is_not_there_is_not_judged_at_any_strength():
    outcomes = pd.concat([skilled(6, 0.5, 0, where) for where in PGD])
    rows = list(not_judged("top1", parse("no worse than other by 0.05"), outcomes))
    assert [row["eps"] for row in rows] == [2 / 255, 8 / 255]
    assert all(row["passed"] is None and np.isnan(row["value"]) for row in rows)


def test_images_that_the_other_has_not_are_counted_in_the_error_and_further_ones_do_not_matter():
    many, few = skilled(30, 0.8), skilled(20, 0.8)
    assert difference(few, many, "top1", ABOVE, name="base", tail=0.05).n == 20
    with pytest.raises(ReportError) as error:
        difference(many, few, "top1", ABOVE, name="base", tail=0.05)
    parts = ("base has 20 of the 30 images", "same seed and number of images")
    assert all(part in str(error.value) for part in parts)


def test_other_labels_and_images_that_come_twice_are_refused():
    ours = skilled(6, 1)
    with pytest.raises(ReportError, match="image 0 is 'cat' here and 'dog' in base: the data differ"):
        difference(ours, ours.replace({"label": {"cat": "dog"}}), "top1", ABOVE, name="base", tail=0.05)
    with pytest.raises(ReportError, match="an image occurs twice"):
        difference(pd.concat([ours, ours]), ours, "top1", ABOVE, name="base", tail=0.05)
    with pytest.raises(ReportError, match="there is no image to compare"):
        difference(ours, ours, "recall[horse]", ABOVE, name="base", tail=0.05)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "slow"}, "a: is a report of the suite 'slow', this one is 'quick'"),
        ({"fingerprint": "f01"}, "a: its images ... another version of fake"),
        ({"data": "cifar10", "fingerprint": "c"}, "a: its images are of cifar10, here they are of fake;"),
        (
            {"suite": SUITE.replace("steps = 10", "steps = 20")},
            "a: the case pgd has other settings: steps is 20 there and 10 here",
        ),
        ({"contents": {"pgd": "f01"}}, "a: the images of the case pgd are different"),
        (
            {"sources": {'["net", 0, "pgd"]': "v"}},
            "a: the case pgd has images made on another model",
        ),
        (
            {"suite": SUITE + "max_images = 100"},
            "a: the case pgd has other settings: max_images is 100 there and nothing here",
        ),
    ],
)
def test_reports_of_other_suites_data_and_cases_are_refused_with_the_reason(tmp_path, change, message):
    outcomes = pd.concat([skilled(6, 0.5, 0, where) for where in PGD])
    a, b = report(tmp_path / "a", outcomes, **change), report(tmp_path / "b", outcomes)
    with pytest.raises(ReportError) as error:
        robust.compare(a, b)
    assert all(part in str(error.value) for part in message.split(" ... "))


def test_bounds_models_and_measures_may_have_changed_since(tmp_path):
    outcomes = skilled(6, 0.5)
    changed = SUITE.replace(
        "[case.clean]", '[case.clean]\nexpect = { top1 = ">= 0.9" }\nmetrics = ["accuracy", "calibration"]'
    )
    found = robust.compare(report(tmp_path / "a", outcomes), report(tmp_path / "b", outcomes, suite=changed))
    assert len(found) and (found["difference"] == 0).all()


def test_only_models_that_both_have_are_compared(tmp_path):
    both, new = skilled(6, 0.5), skilled(6, 0.5).assign(model="new")
    a, b = report(tmp_path / "a", both), report(tmp_path / "b", pd.concat([both, new]))
    assert robust.compare(a, b)["model"].tolist() == ["net"]
    c = report(tmp_path / "c", new)
    with pytest.raises(ReportError, match=r"a and .*c: have no model and case in common"):
        robust.compare(a, c)


def test_a_single_row_of_results_tells_the_weights(tmp_path):
    from robust.results.summaries import earlier

    folder = report(tmp_path / "a", skilled(6, 0.5))
    tables.write_results(tables.read_results(folder / "results.csv").head(1), folder / "results.csv")
    found = earlier.read(folder)
    assert (found.model("net", 0), found.model("net", 1), found.model("other", 0)) == ("w/f", "", "")


def test_what_is_no_report_and_words_that_are_nearly_right(tmp_path):
    a = report(tmp_path / "a", skilled(6, 0.5))
    for options, message in [
        ({"case": "claen"}, "'claen': is not a case of both; did you mean 'clean'?"),
        ({"metric": "top2"}, "'top2' cannot be compared image by image; did you mean 'top1'?"),
        ({"metric": "ece"}, "'ece' cannot be compared image by image; allowed: top1, top5"),
        ({"metric": "top5"}, "no case has top5 in both"),
    ]:
        with pytest.raises(ReportError) as error:
            robust.compare(a, a, **options)
        assert message in str(error.value)
    with pytest.raises(ReportError, match=r"none: there is no such folder in .* `robust run SUITE --out .*none`"):
        robust.compare(a, tmp_path / "none")
    about = json.loads((a / "environment.json").read_text())
    del about["data"]["fingerprint"]
    (a / "environment.json").write_text(json.dumps(about))
    with pytest.raises(ReportError, match="does not record its images and cases; run its suite again"):
        robust.compare(a, a)
    (a / "environment.json").write_text("{}")
    with pytest.raises(ReportError, match=r"is not a report that can be compared \(KeyError"):
        robust.compare(a, a)


@pytest.mark.parametrize("change", [{"cases": {}}, {"contents": {}}, {"cases": {"clean": 7}}, {"cases": [1]}])
def test_a_report_that_does_not_say_what_a_case_did_is_refused(tmp_path, change):
    a, b = report(tmp_path / "a", skilled(6, 0.5), **change), report(tmp_path / "b", skilled(6, 0.5))
    for pair in ((a, b), (b, a)):
        with pytest.raises(ReportError, match="a: does not record the settings of the case clean"):
            robust.compare(*pair)


def test_damaged_outcomes_are_named(tmp_path):
    a = report(tmp_path / "a", skilled(6, 0.5))
    pd.DataFrame({"model": ["net"]}).to_parquet(a / "outcomes.parquet")
    with pytest.raises(ReportError, match=r"outcomes.parquet: lacks the column seed; was it written by `robust run`"):
        robust.compare(a, a)
    (a / "outcomes.parquet").write_text("nothing")
    with pytest.raises(ReportError, match=r"outcomes.parquet: cannot be read"):
        robust.compare(a, a)


@pytest.mark.slow
def test_the_command_prints_a_table_and_writes_a_csv_without_tensorflow(tmp_path):
    a = report(tmp_path / "a", pd.concat([skilled(60, 0.9), *(skilled(60, 0.6, 1, w) for w in PGD)]), weights="old")
    b = report(tmp_path / "b", pd.concat([skilled(60, 0.8, 2), *(skilled(60, 0.9, 3, w) for w in PGD)]), weights="new")
    block = "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None; import robust.api.cli as c; c.main()"
    command = [
        sys.executable,
        "-W",
        "error",
        "-c",
        block,
        "compare",
        a,
        b,
        "--case",
        "pgd",
        "--out",
        tmp_path / "d.csv",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    table = robust.compare(a, b, case="pgd")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "d.csv")["ci_low"].to_frame(), table[["ci_low"]], rtol=1e-12)
    head, first, second, out = done.stdout.splitlines()
    assert head.split() == [
        "model",
        "case",
        "A",
        "B",
        "B",
        "-",
        "A",
        "95",
        "%",
        "interval",
        "McNemar's",
        "p",
        "images",
    ]
    assert "pgd (L∞, ε = 2/255)" in first and f"+{100 * table['difference'][0]:.1f} pp" in first
    assert "pgd (L∞, ε = 8/255)" in second and out == str(tmp_path / "d.csv")


def test_an_image_that_is_sent_to_several_targets_is_paired_once():
    """Its rows hang together: nine of them are not nine images."""
    ours, theirs = skilled(40, 0.9, 1), skilled(40, 0.6, 2)
    several = [pd.concat([each.assign(target=f"t{i}") for i in range(9)]) for each in (ours, theirs)]
    for key in ("top1", "nll", "recall[dog]"):
        one, other = (difference(*pair, key, ABOVE, name="b", tail=0.05) for pair in ((ours, theirs), several))
        assert other[:5] == pytest.approx(one[:5]) and (other.n, other.alike) == (one.n, one.alike)
        assert np.isnan(other.mcnemar)


def test_a_strength_that_the_other_has_not_is_named_by_what_is_known_of_it():
    here, there = ({"perturbation": "pgd", "norm": "linf", "eps": eps, "severity": None} for eps in (0.1, 0.2))
    ours, theirs = (skilled(6, 0.5, 0, where) for where in (here, there))
    with pytest.raises(ReportError, match=r"^other has no outcomes at perturbation pgd, norm linf, eps 0\.1$"):
        list(judged("top1", parse("no worse than other by 0.05"), ours, theirs, ABOVE, same=False))
