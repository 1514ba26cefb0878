"""What cannot be run is a row with its message and place, and a mark wherever results are shown; the rest is run."""

import re
import xml.etree.ElementTree as ET

import pytest

from robust.api.cli.report import report
from robust.api.cli.run import run
from robust.engine import units
from robust.results import tables

pytest_plugins = ["pytester"]

SUITE = """
data = "fashion_mini"

[model.good]
architecture = { name = "mlp", width = 0.1 }

[model.broken]
keras = "broken.keras"

[case.clean]
max_images = 12
expect = { top1 = ">= 0" }

[case.noise]
max_images = 12
attack = { name = "noise", eps = "8/255" }
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROBUST_STORE", str(tmp_path / "store"))
    (tmp_path / "s.toml").write_text(SUITE)
    (tmp_path / "broken.keras").write_bytes(b"no archive" * 99)
    return tmp_path


@pytest.fixture
def raising(monkeypatch):
    """An attack that raises on a batch of images."""

    def raises(*how):
        raise ZeroDivisionError("an unlucky | image")

    monkeypatch.setattr(units, "of_examples", raises)


def test_a_model_that_cannot_be_loaded_fails_its_own_cases_only(here, capsys):
    assert run(here / "s.toml") == 3
    printed = capsys.readouterr().out
    for case in ("clean", "noise"):
        assert f"✗ failed: {case}[broken] could not be run: ModelError: model broken: " in printed
    assert "1 of 1 bounds passed" in printed
    results = tables.read_results(here / "reports/s/results.csv")
    failed = results[results["metric"] == tables.FAILED]
    assert set(failed["model"]) == {"broken"} and len(failed) == 2
    assert failed["ci_method"].str.contains("broken.keras: is not a .keras archive").all()
    assert {*results[results["metric"] == "top1"]["case"]} == {"clean", "noise"}


def test_a_case_that_raises_is_marked_on_the_page_in_markdown_and_in_its_row_with_its_place(here, raising, capsys):
    (here / "s.toml").write_text(SUITE.replace("[model.broken]\nkeras", "[model.other]\narchitecture").replace(
        '"broken.keras"', '{ name = "mlp", width = 0.2 }'
    ))  # fmt: skip
    assert run(here / "s.toml") == 3
    assert "✗ failed: noise[good] could not be run: ZeroDivisionError: an unlucky | image (test_failures.py:" in (
        capsys.readouterr().out
    )
    results = tables.read_results(here / "reports/s/results.csv")
    (row,) = results[(results["metric"] == tables.FAILED) & (results["model"] == "good")].to_dict("records")
    assert (row["value"], row["n"], row["subset"]) == (1, 12, "ZeroDivisionError")
    assert "an unlucky | image (test_failures.py:" in row["ci_method"]
    text = re.sub("<[^>]*>", "", (here / "reports/s/index.html").read_text())
    assert "✗ failed" in text.split("noise on good")[0][-20:]
    assert text.split("Share of all images classified")[1].count("✗ failed") == 2  # the cell of either model
    summary = (here / "reports/s/summary.md").read_text()
    assert r"✗ failed: noise on good: ZeroDivisionError: an unlucky \| image" in summary
    (cells,) = (line.split(" | ") for line in summary.splitlines() if line.startswith("| good"))
    assert cells[-1] == "✗ failed |" and "%" in cells[1]


@pytest.mark.slow
def test_the_gate_of_a_report_shows_the_marks_again(here, capsys):
    run(here / "s.toml")
    before = (here / "reports/s/index.html").read_text()
    capsys.readouterr()
    assert report(here / "reports/s") == 3
    assert "✗ failed: clean on broken" in capsys.readouterr().out
    assert (here / "reports/s/index.html").read_text() == before


@pytest.mark.slow
def test_junit_and_the_page_of_pytest_mark_what_failed(pytester, here):
    result = pytester.runpytest_inprocess(
        here / "s.toml", f"--rootdir={here}", "--junitxml=j.xml", "-p", "no:cacheprovider"
    )
    result.assert_outcomes(passed=2, failed=2)
    assert "Traceback" not in result.stdout.str()
    result.stdout.fnmatch_lines(["failed, could not be run: ModelError: model broken: *", "*s.toml:10"])
    cases = {case.get("name"): case for case in ET.parse("j.xml").iter("testcase")}
    said = cases["clean[broken]"].find("properties/property")
    assert said.get("name") == "robust_failed" and "is not a .keras archive" in said.get("value")
    assert "could not be run" in cases["clean[broken]"].find("failure").text
    assert cases["clean[good]"].find("failure") is None
    (page,) = here.rglob("index.html")
    assert "✗ failed</span> clean on broken" in page.read_text()
