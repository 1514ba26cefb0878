"""The story of the gradients: suites/gradient_flow.toml, run as a user runs it."""

from pathlib import Path

import pytest

from robust.engine.session import run
from robust.suite import load

SUITE = Path(__file__).parents[3] / "suites/gradient_flow.toml"


@pytest.mark.slow
def test_each_ill_and_each_cure_is_as_the_suite_says(tmp_path):
    suite = load(SUITE)
    results = run(suite, tmp_path)
    judged = results[results["bound"] != ""].set_index(["case", "model", "metric"])
    expected = {
        (cell.case.name, cell.model.name, metric) for cell in suite.evaluations() for metric in cell.case.expect
    }
    assert set(judged.index) == expected
    assert judged["passed"].all(), judged.loc[~judged["passed"].astype(bool), ["value", "bound"]]
