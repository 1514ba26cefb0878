"""The coverage of the intervals: the simulation of docs/coverage.md, with fewer samples."""

import importlib
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from robust.core import statistics

ROOT = Path(__file__).parents[3]
SAMPLES = 120


def _tool(name):
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(ROOT / "tools"))


@pytest.fixture(scope="module")
def tool():
    return _tool("measure_coverage")


def _too_low(tool, row, samples):
    """The numbers of images at which a row lies below what it must be by more than chance explains, in one of 1,000."""
    for n, found in row.found.items():
        least = tool.LEAST[n]
        chance = 3 * math.sqrt(least * (1 - least) / samples) if samples else 1e-9
        if found < least - chance:
            yield n


@pytest.mark.slow
def test_every_share_is_covered_and_medians_are(tool):
    for row in [*tool.shares(), *tool.medians()]:
        assert not list(_too_low(tool, row, 0)), row
    assert min(row.found[n] for row in tool.shares() for n in tool.SIZES) >= 0.95 - 1e-9


@pytest.mark.slow
def test_every_drawn_interval_holds_what_is_true(tool):
    kinds = tool.all_kinds()
    assert len(kinds) > 50
    for kind in kinds:
        for row in tool.drawn(kind, SAMPLES, SAMPLES):
            assert not list(_too_low(tool, row, SAMPLES)), row


@pytest.mark.slow
def test_every_interval_of_a_difference_of_shares_holds_what_is_true(tool):
    for row in tool.differences():
        assert not list(_too_low(tool, row, 0)), row


@pytest.mark.slow
def test_no_worse_than_errs_at_most_5_5_times_of_100(tool):
    for row in tool.errors(600, 600):
        slack = 0 if row.metric != "nll" else 3 * math.sqrt(0.05 * 0.95 / 600)
        assert all(row.found[n] <= tool.MOST + slack for n in (100, 1000)), row


def test_samples_are_added_until_the_limit_lies_two_standard_errors_away(tool):
    def kind(share):
        held = lambda random, n: [tool.Held("x", 0.0, float(random.random() > share), 0.5)]  # noqa: E731
        return tool.Kind("made up", held)

    (far,), (near,) = (tool.drawn(kind(share), 200, 800) for share in (1.0, 0.93))
    assert far.samples == {20: 200, 100: 200, 1000: 200} and far.found == {20: 1.0, 100: 1.0, 1000: 1.0}
    assert near.samples[100] == near.samples[1000] == 800 and near.found[100] == pytest.approx(0.93, abs=0.03)
    assert tool.settled(0.966, 0.93, 201) and not tool.settled(0.965, 0.93, 200) and tool.settled(0.8, 0.93, 200)


@pytest.mark.slow
def test_every_interval_that_is_printed_has_a_situation_or_is_an_exact_share():
    """All that measures and inspections declare is printed; what then has an interval stands in the table."""
    registry = _tool("coverage_registry")
    rows = list(registry.printed())
    assert registry.declared() <= {row["metric"] for row in rows}
    known = _measured()
    for row in rows:
        ends = row["ci_low"], row["ci_high"]
        if row.get("ci_method") == statistics.EXACT:
            assert ends == statistics.clopper_pearson(round(row["value"] * row["n"]), row["n"]), row
        elif not np.isnan(ends).all():
            assert row["metric"] in known, row


def test_a_metric_that_is_new_would_be_missed(monkeypatch):
    registry = _tool("coverage_registry")
    monkeypatch.setattr(registry.registry, "names", lambda kind: ["calibration"] if kind == "metrics" else [])
    assert "ece" in registry.declared() and "top1" not in registry.declared()
    assert _measured() >= {"ece", "difference", "latency", "corruption_error"} and "top1" not in _measured()


def _measured():
    """What the rows of the page speak of: "difference of shares" of differences."""
    held, _ = (ROOT / "docs/coverage.md").read_text(encoding="utf-8").split("## No worse than")
    return {name.split(" of ")[0] for line in _lines(held) for name in line[0].split(", ")}


def _lines(text):
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")][1:]


def test_the_table_in_docs_holds_what_it_must():
    """Each line of the page: at 20 images 90, from 100 on 93 of 100; errors at most 5.5 from 100 on."""
    held, erred = (ROOT / "docs/coverage.md").read_text(encoding="utf-8").split("## No worse than")
    assert {line[0] for line in _lines(held)} >= {"a share", "corruption_error", "nll", "ece_classwise", "ood_auroc"}
    for _, _, few, some, many, *_ in _lines(held):
        assert few == "–" or float(few) >= 90  # of twenty images some have no such value
        assert float(some) >= 93 and float(many) >= 93
    assert len(_lines(erred)) >= 20 and all(float(cell) <= 5.5 for line in _lines(erred) for cell in line[3:5])
