"""Every number of a results.csv is the outcomes' own, or its bound says that it is taken as recorded."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from robust import metrics as measures
from robust.core.errors import ReportError
from robust.report import bound_states
from robust.report.folder import read
from robust.report.recomputed_bounds import recorded
from robust.results import reliability, tables
from robust.results.attack_result import fooled
from robust.results.evaluation import EvaluationResult, Predictions, Value
from robust.results.summaries import comparison
from robust.results.summaries.corruption_error import corruption_errors, own_errors
from robust.suite import bounds as bound
from robust.suite.bounds import NoWorse

CLASSES = ("cat", "dog", "deer", "car", "ship", "plane")
GROUPS = {"animal": ("cat", "dog", "deer"), "vehicle": ("car", "ship", "plane")}
N, EPS = 60, 8 / 255
AS_RECORDED = {
    "ece_classwise", "ace", "brier", "success_after_8bit", "temperature", "nll_scaled", "brier_scaled",
    "ece_scaled", "ece_adaptive_scaled", "parameters", "reliability", "nc1", "nc2_angle", "nc2_norm", "nc3", "nc4",
}  # fmt: skip
"""What hangs on all probabilities, on features, on other images or on the model itself."""
SUITE = """[model.one]
architecture = "lenet5"
[model.other]
architecture = "lenet5"
[case.clean]
metrics = ["accuracy", { name = "calibration", bins = 5 }, "confusion", "hierarchy", "temperature"]
[case.weather]
baseline = "other"
[case.near]
minimal = { name = "pgd", eps = "8/255" }
[case.sent]
attack = { name = "pgd", eps = "8/255" }
target = "all"
[case.pgd]
attack = { name = "pgd", eps = "8/255" }
"""


def clean(model):
    random = np.random.default_rng([5, len(model)])
    labels = np.arange(N) % len(CLASSES)
    logits = random.normal(0, 3, (N, len(CLASSES)))
    logits[np.arange(N), labels] += 3
    held = Predictions(labels, logits, logits)
    return EvaluationResult(CLASSES, np.arange(N).astype(str), labels, logits, GROUPS, get_predictions=lambda _: held)


def perturbed(result, seed, scale=1.5):
    """The result after something that moved its images; what it felled is said."""
    random = np.random.default_rng(seed)
    logits = result.logits + random.normal(0, scale, result.logits.shape)
    fell = fooled(logits.argmax(axis=1), result.labels, result.targets)
    by = np.where(fooled(result.predicted, result.labels, result.targets), "clean", np.where(fell, "pgd", ""))
    sizes = np.where(by == "clean", 0, random.uniform(0, EPS, len(by))).astype(np.float32)
    return replace(result, logits=logits, clean=result, by=by, linf=sizes, l2=2 * sizes, rounded=fell & (sizes > 0.01))


def sent(result):
    rows, aims = np.nonzero(result.labels[:, None] != np.arange(len(CLASSES)))
    aimed = replace(result, ids=result.ids[rows], labels=result.labels[rows], logits=result.logits[rows], targets=aims)
    return perturbed(aimed, 3, 3)


def near(result):
    found = perturbed(result, 4)
    sizes = np.where(fooled(found.predicted, found.labels, None), found.linf, np.inf).astype(np.float32)
    return replace(found, distance=sizes, limit=EPS, norm="linf")


def cases(model):
    """The case, its strength, its result, and what is measured of it."""
    plain, attack = {"perturbation": "clean"}, {"perturbation": "pgd", "norm": "linf", "eps": EPS}
    result = clean(model)
    yield "clean", plain, result, ["accuracy", ("calibration", {"bins": 5}), "confusion", "hierarchy", "temperature"]
    for i, name in enumerate(("fog", "snow", "spatter")):
        for severity in (1, 3):
            corrupted = perturbed(result, 10 * i + severity, severity)
            yield "weather", {"perturbation": name, "severity": severity}, corrupted, ["accuracy"]
    yield "near", attack, near(result), ["accuracy", "distance"]
    yield "sent", attack, sent(result), ["targetability"]
    yield "pgd", attack, perturbed(result, 2), ["accuracy"]


def block(model):
    """The rows of both tables that a model gives."""
    same, rows, asked = {"model": model, "seed": 0}, [], []
    for case, where, result, wanted in cases(model):
        where = {"norm": "", "eps": None, "severity": None, **where}
        for name, given in ((each, {}) if isinstance(each, str) else each for each in wanted):
            rows += [{**same, "case": case, **where, **v._asdict()} for v in getattr(measures, name)(result, **given)]
        if case in ("near", "sent", "pgd"):
            rows.append({**same, "case": case, **where, **Value("reliability", 1.0, N, unit="")._asdict()})
        outcomes = result.outcomes(**same, case=case, **where)
        asked.append(outcomes.assign(linf=0.0 if result.linf is None else result.linf))
    weather = pd.concat(asked[1:7])
    rows += [{**same, "case": "weather", **row} for row in own_errors(weather)]
    inspected = {**same, "case": "clean", "perturbation": "clean", "norm": "", "eps": None, "severity": None}
    rows.append({**inspected, **Value("parameters", 61706, 1, unit="parameters")._asdict()})
    return rows, pd.concat(asked)


def beside(asked):
    """The differences of one model from the other."""
    ours, theirs = (asked[(asked["model"] == model) & (asked["case"] == "clean")] for model in ("one", "other"))
    for key in ("top1", "nll", "recall[cat]", "superclass_accuracy"):
        limit = bound.parse("no worse than other by 0.5")
        for row in comparison.judged(key, limit, ours, theirs, GROUPS, same=False):
            yield {"model": "one", "seed": 0, "case": "clean", **row}


@pytest.fixture(scope="module")
def rich(tmp_path_factory):
    """A folder with a value of every kind that a run writes, and the rows of its results.csv."""
    path = tmp_path_factory.mktemp("rich")
    found = [block(model) for model in ("one", "other")]
    asked = tables.table(pd.concat([outcomes for _, outcomes in found]), tables.OUTCOMES)
    rows = [*found[0][0], *found[1][0], *beside(asked)]
    same = {"suite": "rich", "data": "fake", "split": "test", "reliability": ""}
    rows = [{**same, **row, "weights_sha": row["model"]} for row in rows]
    results = tables.table(reliability.marked(json.loads(json.dumps(rows, default=str))), tables.RESULTS)
    summed = corruption_errors(results, asked.assign(data="fake"), {"weather": "other"})
    results = pd.concat([results, tables.table(summed, tables.RESULTS)], ignore_index=True)
    tables.write_results(results, path / "results.csv")
    tables.write_outcomes(asked, path / "outcomes.parquet")
    (path / "suite.toml").write_text(SUITE)
    (path / "samples").mkdir()
    (path / "samples" / "index.csv").write_text("file,model,seed,case,perturbation,norm,eps,severity\n")
    about = {"suite": "rich", "summary": "", "seed": 0, "made": "2026-01-02", "robust": "0", "python": "3"}
    data = {"name": "fake", "split": "test", "classes": CLASSES, "superclasses": GROUPS, "images": N}
    about |= {"packages": {}, "machine": {}, "data": {**data, "image_shape": [2, 2, 1]}}
    about |= {"models": {"one": {"seeds": [0]}, "other": {"seeds": [0]}}}
    (path / "environment.json").write_text(json.dumps(about))
    return path


def forged(row):
    """A value that is visibly another one, and may stand in its column."""
    value = row["value"]
    if not np.isfinite(value):
        return 0.01
    return value - 0.05 if value > 0.5 and row["unit"] != "distance" else value + 0.05 * max(1, abs(value))


def test_every_metric_is_recounted_or_its_bound_says_that_it_is_as_recorded(rich):
    """The registry: of each metric in the table its value is forged, at each kind of perturbation."""
    honest = read(rich)
    rows = honest.results[honest.results["model"] == "one"]
    firsts = rows.drop_duplicates(["case", "metric"]).index
    believed, metrics = set(), set()
    for place in firsts:
        row = rows.loc[place].to_dict()
        table = honest.results.assign(bound="")
        table.loc[place, "value"] = forged(row)
        if row["metric"] in ("ci_low", "reliability"):
            continue
        metrics.add(row["metric"])
        limit = "no worse than other by 1" if row["metric"] == "difference" else "> -9"
        try:
            said = verified(honest, table)
        except ReportError as error:
            assert f"{row['case']}[one] {bound.name(row)}" in str(error)
            continue
        assert said.loc[place, "value"] == forged(row)
        assert recorded({**row, "bound": bound.parse(limit)}, honest.recounted), (
            f"{bound.name(row)} is believed in silence"
        )
        believed.add(row["metric"])
    assert believed <= AS_RECORDED
    assert {"ece", "aurc", "bin_confidence", "precision", "mean_corruption_error", "difference", "mcnemar"} <= metrics
    assert {"corruption_error_ratio", "median_distance", "top1_by_distance", "sent", "mistake_severity"} <= metrics


def verified(folder, table):
    from robust.report import recomputed_bounds

    return recomputed_bounds.verified(table, {}, folder.recounted, folder.outcomes)


@pytest.mark.slow
@pytest.mark.parametrize("end", ["ci_low", "ci_high"])
def test_an_end_of_an_interval_is_recounted_or_as_recorded(rich, end):
    honest = read(rich)
    rows = honest.results[honest.results["model"] == "one"].dropna(subset=["ci_low", "ci_high"])
    rows = rows[np.isfinite(rows[["ci_low", "ci_high"]]).all(axis=1) & (rows["ci_low"] < rows["ci_high"])]
    free = set()
    for place in rows.drop_duplicates("metric").index:
        row, table = rows.loc[place].to_dict(), honest.results.assign(bound="")
        table.loc[place, end] = (row["ci_low"] + row["ci_high"]) / 2
        try:
            verified(honest, table)
        except ReportError as error:
            assert f": {end} is" in str(error)
        else:
            assert recorded({**row, "bound": bound.parse(f"{end.removeprefix('ci_')} >= 0")}, honest.recounted)
            free.add(row["metric"])
    assert free <= AS_RECORDED | {"recall_std"} | ({"nll"} if end == "ci_high" else set())


@pytest.mark.slow
def test_a_bound_as_recorded_is_said_in_each_place(rich, capsys):
    from robust.api.cli.report import report

    bounds = 'expect = { brier = "<= 2", ece = "<= 1", nll = "high <= 99" }\n'
    (rich / "suite.toml").write_text(SUITE.replace("[case.clean]\n", f"[case.clean]\n{bounds}"))
    try:
        assert report(rich) == 0
        said = capsys.readouterr().out
        page = (rich / "index.html").read_text()
    finally:
        (rich / "suite.toml").write_text(SUITE)
    lines = [line for line in said.splitlines() if line.endswith("(as recorded)")]
    assert len(lines) == 4 and not any("ece is" in line for line in lines)
    (of,) = (line for line in said.splitlines() if line.startswith("as recorded: 4 bounds "))
    assert "numbers of results.csv" in of and "6 of 6 bounds passed" in said
    # of each bound in the verdict and in the table
    assert of in page and page.count('href="#as-recorded">as recorded</a>') == 8


def test_a_row_of_no_image_supports_no_bound(rich):
    """The strength of an attack was rubbed out, so that it looks like a clean case."""
    honest = read(rich)
    attacked = (honest.results["case"] == "pgd") & (honest.results["metric"] == "top1")
    table = honest.results.assign(bound=honest.results["bound"].where(~attacked, ">= 0"))
    table.loc[attacked, ["perturbation", "norm", "eps"]] = ["clean", "", np.nan]
    said = verified(honest, table)
    assert set(said.loc[attacked, "reliability"]) == {"unverified"} and not said.loc[attacked, "passed"].any()


def test_bounds_of_the_rich_suite_are_judged(rich):
    assert [one.state for one in bound_states.judgements(read(rich))] == []
    assert isinstance(bound.parse("no worse than other by 0.5"), NoWorse)
