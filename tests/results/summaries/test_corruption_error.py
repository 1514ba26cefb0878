from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

import robust
from robust.core import statistics
from robust.core.catalogue import common_corruptions
from robust.report import corruptions
from robust.results import messages
from robust.results import tables as record
from robust.results.summaries.corruption_error import ON_THE_FLY, corruption_errors, own_errors

ALEXNET = {name: Fraction(str(error)) for name, error in common_corruptions().items()}
COMMON = [*ALEXNET]

ERRORS = {  # model -> corruption -> the errors at severities 1 and 2
    "base": {"fog": [0.2, 0.4], "snow": [0.5, 0.7], "saturate": [0.1, 0.1]},
    "net": {"fog": [0.1, 0.2], "snow": [0.6, 0.9], "saturate": [0.2, 0.2]},
}
CLEAN = {"base": 0.1, "net": 0.05}


def _row(model, case, perturbation, severity, error, **more):
    same = {"suite": "s", "data": "d", "split": "test", "seed": 0, "n": 100, "weights_sha": model}
    what = {"case": case, "perturbation": perturbation, "severity": severity, "metric": "top1_error", "value": error}
    return {**same, "model": model, **what, "unit": "proportion", **more}


def _table(errors=ERRORS, clean=CLEAN, **more):
    rows = [_row(model, "clean", "clean", None, error, **more) for model, error in clean.items()]
    for model, by_name in errors.items():
        for name, values in by_name.items():
            rows += [_row(model, "weather", name, s, e) for s, e in enumerate(values, 1)]
    return record.table(rows, record.RESULTS)


def _shown(table, first=0):
    """As many images as a table says, from the first id on, of which it errs on so many."""
    found = []
    for row in table.to_dict("records"):
        ids = [str(first + i) for i in range(row["n"])]
        wrong = np.arange(row["n"]) < round(row["value"] * row["n"])
        same = {key: row[key] for key in ("model", "seed", "case", "data", "perturbation")}
        found.append(pd.DataFrame({**same, "example": ids, "label": "a", "predicted": np.where(wrong, "b", "a")}))
    return pd.concat(found)


def _found(table, *args, outcomes=None):
    rows = corruption_errors(table, _shown(table) if outcomes is None else outcomes, *args)
    return {(row["model"], row["metric"], row["subset"]): row["value"] for row in rows}, rows


def _reasons(rows):
    return {(r["model"], r["metric"], r["subset"]): r["ci_method"] for r in rows if "ci_method" in r}


def _outcomes(n=100):
    """As many images, of which so many are wrong as the errors of the net say, at each strength others."""
    tables = []
    for name, errors in ERRORS["net"].items():
        for severity, error in enumerate(errors, 1):
            wrong = np.random.default_rng(severity).permutation(n) < round(error * n)
            same = {"example": [str(i) for i in range(n)], "label": "cat", "predicted": np.where(wrong, "dog", "cat")}
            tables.append(pd.DataFrame({**same, "perturbation": name, "severity": severity}))
    return pd.concat(tables)


def test_the_mean_error_is_over_severities_and_then_over_the_common_corruptions():
    outcomes = _outcomes()
    rows = {(row["metric"], row["subset"]): row for row in own_errors(outcomes)}
    found = {key: row["value"] for key, row in rows.items()}
    assert found["corruption_error", "fog"] == pytest.approx(0.15)
    assert found["corruption_error", "saturate"] == pytest.approx(0.2)
    assert found["mean_corruption_error", ""] == pytest.approx((0.15 + 0.75) / 2)  # saturate is extra
    assert len(found) == 4 and all(row["ci_low"] < row["value"] < row["ci_high"] for row in rows.values())
    shown = outcomes[outcomes["perturbation"] != "saturate"]
    each = (shown["predicted"] != shown["label"]).groupby(shown["example"]).mean()
    half = 1.96 * each.std(ddof=0) / 10
    mean = rows["mean_corruption_error", ""]
    assert (mean["ci_low"], mean["ci_high"]) == pytest.approx((0.45 - half, 0.45 + half), abs=0.2 * half)
    assert mean["n"] == 100
    where = ("perturbation", "norm", "eps", "severity")
    assert {tuple(row[key] for key in where) for row in rows.values()} == {(ON_THE_FLY, "", None, None)}


@pytest.mark.parametrize(("n", "severities", "names"), [(100, 5, ["fog"]), (1000, 5, ["fog"]), (100, 3, [*COMMON[:3]])])
def test_an_error_is_the_float_nearest_to_its_share_so_that_a_bound_of_that_share_is_met(n, severities, names):
    rng = np.random.default_rng(n)
    for _ in range(30):
        wrong = rng.random((n, len(names), severities)) < rng.random()
        places = np.indices(wrong.shape).reshape(3, -1)
        shown = {"example": places[0].astype(str), "perturbation": np.array(names)[places[1]], "severity": places[2]}
        outcomes = pd.DataFrame({**shown, "label": "a", "predicted": np.where(wrong.ravel(), "b", "a")})
        found = {(row["metric"], row["subset"]): row["value"] for row in own_errors(outcomes)}
        assert found["mean_corruption_error", ""] == wrong.sum() / wrong.size
        assert found["corruption_error", names[0]] == wrong[:, 0].sum() / wrong[:, 0].size


@pytest.mark.parametrize(("n", "clean", "errors"), [(100, 22, [25, 19, 20, 24, 22]), (1000, 91, [90, 94, 89])])
def test_a_corruption_that_does_the_baseline_exactly_no_harm_is_no_unit(n, clean, errors):
    shares = {"base": {"fog": [k / n for k in errors]}, "net": {"fog": [2 * k / n for k in errors]}}
    table = _table(shares, {"base": clean / n, "net": clean / n}).assign(n=n)
    found, rows = _found(table, {"weather": "base"})
    assert np.isnan([found["net", "relative_error_increase", group] for group in ("fog", "")]).all()
    assert (
        _reasons(rows)["net", "relative_error_increase", "fog"] == "not given: fog does not increase the error of base"
    )


def test_a_model_beside_the_baseline():
    found, rows = _found(_table(), {"weather": "base"})
    assert found["net", "corruption_error_ratio", "fog"] == pytest.approx(0.3 / 0.6)
    assert found["net", "corruption_error_ratio", "snow"] == pytest.approx(1.5 / 1.2)
    assert found["net", "corruption_error_ratio", ""] == pytest.approx((0.5 + 1.25) / 2)
    # what is added to the clean error, summed over the severities
    assert found["net", "relative_error_increase", "fog"] == pytest.approx((0.3 - 0.1) / (0.6 - 0.2))
    assert found["net", "relative_error_increase", ""] == pytest.approx((0.2 + 1.4) / (0.4 + 1.0))
    assert found["base", "corruption_error_ratio", ""] == pytest.approx(1)
    assert found["base", "relative_error_increase", "snow"] == pytest.approx(1)
    assert {row["unit"] for row in rows} == {"× base"}


def test_the_rows_fit_the_table_and_are_marked():
    _, rows = _found(_table(), {"weather": "base"})
    table = record.table(rows, record.RESULTS)
    assert set(table["perturbation"]) == {ON_THE_FLY}
    assert set(table["case"]) == {"weather"}
    assert table["severity"].isna().all()
    assert robust.value(table, "corruption_error_ratio", subset="snow", model="net").value == pytest.approx(1.25)
    assert set(table["weights_sha"]) == {"base", "net"}


@pytest.mark.parametrize("more", [{"n": 99}, {"data": "other"}, {"first": 1}])
def test_without_a_clean_case_on_the_same_images_nothing_is_said_of_the_increase(more):
    """Fewer, other data's, or as many of the same data's, chosen another way, as with `balanced`."""
    first = more.pop("first", 0)
    table = _table(**more)
    clean = table["case"] == "clean"
    outcomes = pd.concat([_shown(table[clean], first), _shown(table[~clean])])
    found, rows = _found(table, {"weather": "base"}, outcomes=outcomes)
    assert np.isnan(found["net", "relative_error_increase", ""])
    assert _reasons(rows)["net", "relative_error_increase", "fog"] == "not given: no case has the same images clean"
    assert found["net", "corruption_error_ratio", ""] > 0


def test_of_several_clean_cases_that_with_the_same_images_counts_and_of_more_images_the_same():
    table = _table()
    clean = table[table["case"] == "clean"]
    others = _shown(clean.assign(value=0.9, case="balanced"), first=50)
    more = _shown(clean.assign(n=200, value=lambda t: t["value"] / 2))  # its errors are among the first 100
    whole = pd.concat([others, more, _shown(table[table["case"] != "clean"])])
    found, alone = _found(table, {"weather": "base"}, outcomes=whole)[0], _found(table, {"weather": "base"})[0]
    assert found == pytest.approx(alone, nan_ok=True)


def test_a_baseline_that_has_not_run_gives_no_ratios():
    table = _table()
    found, rows = _found(table[(table["model"] != "base")], {"weather": "base"})
    assert [key[1:] for key in found] == [("corruption_error_ratio", ""), ("relative_error_increase", "")]
    assert set(_reasons(rows).values()) == {"not given: base has not run in this case"}
    assert all(np.isnan(value) for value in found.values())
    assert corruption_errors(table, _shown(table), {}) == [], "nobody asked"


def test_of_a_baseline_without_errors_there_is_no_ratio():
    errors = {**ERRORS, "base": {"fog": [0, 0], "snow": [0.5, 0.7]}}
    errors["net"] = {name: ERRORS["net"][name] for name in ("fog", "snow")}
    found, rows = _found(_table(errors), {"weather": "base"})
    reasons = _reasons(rows)
    assert reasons["net", "corruption_error_ratio", "fog"] == "not given: base makes no error under fog"
    assert reasons["net", "corruption_error_ratio", ""] == "not given: base makes no error under fog"
    assert reasons["net", "relative_error_increase", "fog"] == "not given: fog does not increase the error of base"
    assert {key for key, value in found.items() if np.isnan(value)} == set(reasons)
    assert found["net", "corruption_error_ratio", "snow"] == pytest.approx(1.25)


def test_without_common_corruptions_there_is_no_mean():
    errors = {model: {"saturate": of["saturate"]} for model, of in ERRORS.items()}
    _, rows = _found(_table(errors), {"weather": "base"})
    missing = _reasons(rows)["net", "corruption_error_ratio", ""]
    assert missing == _reasons(rows)["net", "relative_error_increase", ""]
    assert missing == "not given: the case has none of the common corruptions"


def test_what_is_absent_is_told_on_the_page_and_in_the_terminal():
    errors = {**ERRORS, "base": {**ERRORS["base"], "fog": [0, 0]}}
    table = record.table(_found(_table(errors), {"weather": "base"})[1], record.RESULTS)
    why = "not given: base makes no error under fog"
    assert f"weather[net] corruption_error_ratio[fog] is {why}" in messages.unsettled(table)
    of = table[table["model"] == "net"]
    assert corruptions._total(of, "corruption_error_ratio") == f"– ({why})"
    assert corruptions._total(of, "corruption_error_ratio", "snow") == "1.25 × base"


def test_several_trainings_of_the_baseline_count_as_their_mean():
    table = _table()
    again = table[table["model"] == "base"].assign(seed=1, value=lambda t: t["value"] * 3)
    found, _ = _found(pd.concat([table, again]), {"weather": "base"})
    assert found["net", "corruption_error_ratio", "fog"] == pytest.approx(0.15 / 0.6)


@pytest.mark.slow
def test_the_errors_of_alexnet_are_those_of_the_paper():
    """In per cent, in the order of its columns: noise, blur, weather, digital; and 43.48 % on clean images."""
    published = [88.6, 89.4, 92.3, 82.0, 82.6, 78.6, 79.8, 86.7, 82.7, 81.9, 56.5, 85.3, 64.6, 71.8, 60.7]
    assert [100 * ALEXNET[name] for name in COMMON] == pytest.approx(published)
    errors = {"half": {name: [percent / 200] * 5 for name, percent in zip(COMMON, published, strict=True)}}
    found, _ = _found(_table(errors, {"half": 0.2174}).assign(n=10_000), {}, "d")
    assert (found["half", "mce", ""], found["half", "relative_mce", ""]) == pytest.approx((0.5, 0.5))


def test_mce_of_alexnet_itself_is_one():
    errors = {"alexnet": {name: [ALEXNET[name]] * 5 for name in COMMON}}
    found, rows = _found(_table(errors, {"alexnet": 0.4348}).assign(n=5000), {}, "d")
    assert found["alexnet", "mce", ""] == pytest.approx(1)
    assert found["alexnet", "relative_mce", ""] == pytest.approx(1)
    assert {row["unit"] for row in rows} == {"× AlexNet"}


@pytest.mark.parametrize("missing", ["corruption", "severity", "imagenet", "data"])
def test_mce_needs_imagenet_and_all_of_its_corruptions_and_severities(missing):
    names, severities = COMMON[: 14 if missing == "corruption" else 15], 4 if missing == "severity" else 5
    errors = {"net": {name: [0.5] * severities for name in names}}
    found, _ = _found(_table(errors, {"net": 0.2}), {}, {"imagenet": "", "data": "imagenet2012"}.get(missing, "d"))
    assert ("net", "mce", "") not in found and ("net", "relative_mce", "") not in found


def test_a_table_without_corruptions_gives_nothing():
    assert corruption_errors(_table({}), _shown(_table({})), {"weather": "base"}) == []


def test_of_several_corruptions_one_is_asked_for_by_name():
    with pytest.raises(LookupError, match=r"3 values 'top1_error' fit .*; say which perturbation: perturbation = 'f"):
        robust.value(_table(), "top1_error", model="net", case="weather", severity=1)
    found = robust.value(_table(), "top1_error", model="net", case="weather", severity=1, perturbation="fog")
    assert found.value == 0.1


@pytest.mark.parametrize("wrong", [0, 1, 20])
def test_few_errors_have_the_interval_of_their_share_and_not_one_without_width(wrong):
    """Nobody errs on 20 images: what is judged certain by it is not so."""
    said = np.where(np.arange(20) < wrong, "b", "a")
    outcomes = pd.DataFrame({"example": np.arange(20).astype(str), "label": "a", "predicted": said})
    for row in own_errors(outcomes.assign(perturbation="fog", severity=3)):
        assert row["value"] == wrong / 20 and row["ci_method"].startswith(statistics.BOUNDED)
        assert (row["ci_low"], row["ci_high"]) == pytest.approx(statistics.clopper_pearson(wrong, 20), abs=1e-3)


@pytest.mark.parametrize(("n", "words"), [(14, ", mean over 14 of the 15 common corruptions"), (15, "")])
def test_a_mean_over_fewer_than_the_common_corruptions_says_so(n, words):
    one = pd.DataFrame({"example": ["0", "1"], "label": "a", "predicted": ["a", "b"], "severity": 1})
    shown = pd.concat([one.assign(perturbation=name) for name in [*common_corruptions()][:n]])
    (row,) = (row for row in own_errors(shown) if row["metric"] == "mean_corruption_error")
    assert row["value"] == 0.5 and row["ci_method"] == statistics.BOUNDED + words


def test_figures_other_than_the_error_of_all_images_do_not_count():
    table = _table()
    others = pd.concat([table.assign(metric="top5_error", value=0.9), table.assign(subset="dog", value=0.9)])
    found, _ = _found(pd.concat([table, others]), {"weather": "base"}, outcomes=_shown(table))
    assert found == _found(table, {"weather": "base"})[0] and found["net", "corruption_error_ratio", "fog"] == 0.5
