import json
import re

import numpy as np
import pandas as pd
import pytest

from robust import report
from robust.core.errors import ReportError
from robust.report.conditions import Condition, TrainedModel
from robust.report.folder import read


def refuses(folder, words: str) -> None:
    with pytest.raises(ReportError) as error:
        report.write(folder)
    assert words in str(error.value)
    assert str(folder) in str(error.value) and "`robust run" in str(error.value)


def test_what_a_folder_says(folder):
    known = read(folder)
    assert known.runs == [TrainedModel("lenet5", 0), TrainedModel("resnet20", 0), TrainedModel("hardened", 0)]
    assert known.conditions[2] == Condition("pgd", "pgd", "linf", 0.031372549 * 2 / 8, None)._replace(
        eps=float(f"{2 / 255:.9g}")
    )
    assert known.conditions[4] == Condition("weather", "fog", "", None, 3)
    assert set(known.values) == set(known.outcomes)
    assert known.cases["survives"] == ["hardened"] and known.cases["pgd"] is None


def test_conditions_follow_the_suite_and_their_strength(folder):
    path = folder / "results.csv"
    pd.read_csv(path, keep_default_na=False).iloc[::-1].to_csv(path, index=False)
    cases = [(condition.case, condition.eps and round(condition.eps * 255)) for condition in read(folder).conditions]
    assert cases == [("clean", None), ("fgsm", 8), ("pgd", 2), ("pgd", 8), ("weather", None), ("survives", 8)]


def test_a_model_of_several_seeds_says_which(folder):
    path = folder / "environment.json"
    environment = json.loads(path.read_text())
    environment["models"]["lenet5"]["seeds"] = [0, 1]
    path.write_text(json.dumps(environment))
    known = read(folder)
    assert [known.name(run) for run in known.runs] == [
        "lenet5, seed 0",
        "lenet5, seed 1",
        "resnet20",
        "hardened",
    ]


def test_no_folder(tmp_path):
    refuses(tmp_path / "nowhere", "there is no such folder")


@pytest.mark.parametrize("name", ["results.csv", "outcomes.parquet", "environment.json", "samples/index.csv"])
def test_a_file_is_missing(folder, name):
    (folder / name).unlink()
    refuses(folder, f"{name} is missing; `robust run SUITE --out {folder}` makes it")


@pytest.mark.parametrize("name", ["results.csv", "outcomes.parquet", "environment.json", "samples/index.csv"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00nonsense", b"{"])
def test_a_file_is_damaged(folder, name, content):
    (folder / name).write_bytes(content)
    refuses(folder, f"{folder / name}: ")


def test_the_suite_file_is_damaged(folder):
    (folder / "suite.toml").write_text("[case")
    refuses(folder, "suite.toml: is damaged")
    (folder / "suite.toml").write_text("case.pgd = 3")
    refuses(folder, "suite.toml: case.pgd must be an object, not int")


@pytest.mark.parametrize("column", ["value", "case", "bound"])
def test_results_lack_a_column(folder, column):
    path = folder / "results.csv"
    pd.read_csv(path, keep_default_na=False).drop(columns=column).to_csv(path, index=False)
    refuses(folder, f"lacks the column {column}")


def test_a_value_is_not_a_number(folder):
    path = folder / "results.csv"
    path.write_text(re.sub(r",nll,,[0-9.]+,", ",nll,,much,", path.read_text(), count=1))
    refuses(folder, "results.csv: ")


def test_a_bound_cannot_be_read(folder):
    path = folder / "results.csv"
    path.write_text(path.read_text().replace(">= 0.8,", "about 0.8,", 1))
    refuses(folder, "results.csv: is damaged (bound 'about 0.8'")


@pytest.mark.parametrize("column", ["example", "predicted", "severity"])
def test_outcomes_lack_a_column(folder, column):
    path = folder / "outcomes.parquet"
    pd.read_parquet(path).drop(columns=column).to_parquet(path)
    refuses(folder, f"outcomes.parquet: lacks the column {column}")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda e: e.pop("summary"), "lacks summary"),
        (lambda e: e.update(seed="0"), "seed must be of type int, not str"),
        (lambda e: e["data"].pop("classes"), "lacks data.classes"),
        (lambda e: e["data"].update(classes=[1, 2]), "data.classes must be names"),
        (
            lambda e: e["data"].update(image_shape=[28]),
            "data.image_shape must be [height, width, channels], not [28]",
        ),
        (lambda e: e["models"].update(lenet5="x"), "models.lenet5 must be an object, not str"),
        (
            lambda e: e["models"]["lenet5"].update(parameters="x"),
            "models.lenet5.parameters must be of type int",
        ),
    ],
)
def test_the_environment_is_incomplete(folder, change, words):
    path = folder / "environment.json"
    environment = json.loads(path.read_text())
    change(environment)
    path.write_text(json.dumps(environment))
    refuses(folder, f"environment.json: {words}")


@pytest.mark.slow
def test_a_sample_is_missing_or_elsewhere(folder):
    (folder / "samples" / "lenet5-fgsm.npz").unlink()
    refuses(folder, "names 'lenet5-fgsm.npz', which is missing")
    index = folder / "samples" / "index.csv"
    index.write_text(index.read_text().replace("lenet5-fgsm.npz", "../environment.json"))
    refuses(folder, "file '../environment.json' must be the name of a file")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ids": np.array(["0"])}, "ids has shape [1] for 3 images"),
        ({"ids": np.array(["0", "1", 2], object)}, "is damaged"),
        ({"original": np.zeros((3, 12, 10), np.float32)}, "original has shape [3, 12, 10], not [images"),
        (
            {"perturbed": np.zeros((3, 2, 2, 1), np.float32)},
            "perturbed has shape [3, 2, 2, 1], original [3, 12, 10, 1]",
        ),
        ({"perturbed": np.full((3, 12, 10, 1), np.nan, np.float32)}, "perturbed must hold floats in [0, 1]"),
        ({"original": np.full((3, 12, 10, 1), 255, np.uint8)}, "original must hold floats in [0, 1]"),
        (
            dict.fromkeys(("original", "perturbed"), np.zeros((3, 0, 10, 1))),
            "original has shape [3, 0, 10, 1], not [ima",
        ),
    ],
)
def test_a_sample_is_damaged(folder, change, words):
    path = folder / "samples" / "lenet5-fgsm.npz"
    with np.load(path) as arrays:
        np.savez(path, **{**arrays, **change})
    refuses(folder, "lenet5-fgsm.npz: " + words)


@pytest.mark.slow
def test_a_sample_lacks_an_array(folder):
    np.savez(folder / "samples" / "lenet5-fgsm.npz", ids=np.array(["0"]))
    refuses(folder, "lenet5-fgsm.npz: is damaged")


def edited(folder, change):
    about = json.loads((folder / "environment.json").read_text())
    change(about)
    (folder / "environment.json").write_text(json.dumps(about))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda e: e["data"].update(image_shape=[0, 10, 1]),
            "data.image_shape must be [height, width, channels], not [",
        ),
        (lambda e: e["models"]["lenet5"].update(seeds=[[0]]), "models.lenet5.seeds must be whole numbers"),
        (lambda e: e["data"].update(superclasses={"a": 1}), "data.superclasses must hold lists of names"),
        (lambda e: e.update(groups={"clean": {"a": [1]}}), "groups.clean must hold lists of names"),
        (lambda e: e.update(groups=[]), "groups must be an object"),
    ],
)
def test_what_a_stranger_wrote_about_the_run_is_checked(folder, change, words):
    edited(folder, change)
    refuses(folder, f"environment.json: {words}")


@pytest.mark.slow
def test_seeds_of_null_are_none(folder):
    edited(folder, lambda e: [model.update(seeds=None) for model in e["models"].values()])
    assert report.write(folder).stat().st_size > 10_000


@pytest.mark.slow_after_first
@pytest.mark.parametrize("eps", ["inf", "1e308", "-inf"])
def test_radii_that_no_image_has_are_refused(folder, eps):
    for name in ("results.csv", "samples/index.csv"):
        old = (folder / name).read_text()
        table = pd.read_csv(folder / name, dtype=str, keep_default_na=False)
        table.loc[table["eps"] != "", "eps"] = eps
        table.to_csv(folder / name, index=False)
        refuses(folder, f"{name}: eps must be finite and no larger than 1e+09")
        (folder / name).write_text(old)


@pytest.mark.slow
def test_outcomes_that_are_no_words_or_more_than_the_file_can_hold_are_refused(folder):
    table = pd.read_parquet(folder / "outcomes.parquet")
    table.assign(predicted=None).to_parquet(folder / "outcomes.parquet", index=False)
    refuses(folder, "the column predicted must hold strings, not None")
    constant = table.iloc[np.zeros(2_000_000, int)]
    constant.to_parquet(folder / "outcomes.parquet", index=False)
    refuses(folder, "outcomes.parquet: it declares 2,000,000 rows, and has ")


def test_more_seeds_than_any_report_has_are_refused(folder):
    path = folder / "environment.json"
    environment = json.loads(path.read_text())
    environment["models"]["lenet5"]["seeds"] = list(range(300_000))
    path.write_text(json.dumps(environment))
    refuses(folder, "environment.json: models have 300,002 seeds; at most 50,000")


def test_a_table_too_large_for_a_page_is_refused(folder):
    path = folder / "environment.json"
    environment = json.loads(path.read_text())
    environment["models"]["lenet5"]["seeds"] = list(range(40_000))
    path.write_text(json.dumps(environment))
    refuses(folder, "40,002 trained models and 6 conditions make 240,012 cells of a table; at most 200,000")


@pytest.mark.slow
def test_more_conditions_than_any_report_has_are_refused(folder):
    path = folder / "results.csv"
    row = path.read_text().splitlines()
    many = [row[1].replace("lenet5", f"m{i}", 1) for i in range(60_000)]
    path.write_text("\n".join([*row, *many]) + "\n")
    refuses(folder, "results.csv: has 60,016 models under conditions; at most 50,000")


@pytest.mark.slow
def test_more_rows_than_any_report_has_are_refused(folder, monkeypatch):
    rows = len(read(folder).results)
    monkeypatch.setattr("robust.core.csv_files.ROWS", rows)
    read(folder)
    monkeypatch.setattr("robust.core.csv_files.ROWS", rows - 1)
    refuses(folder, f"results.csv: cannot be read (it has more than {rows - 1:,} rows)")


@pytest.mark.slow
def test_a_change_of_next_to_nothing_is_drawn(folder):
    path = folder / "samples" / "lenet5-fgsm.npz"
    with np.load(path) as arrays:
        images = np.zeros((3, 12, 10, 1))
        np.savez(path, **{**arrays, "original": images, "perturbed": images + 1e-310})
    assert report.write(folder).stat().st_size > 10_000
