"""Every family learns: suites/families.toml, run as a user runs it."""

from pathlib import Path

import pytest

from robust.engine.session import run
from robust.suite import load

SUITE = Path(__file__).parents[3] / "suites/families.toml"


@pytest.mark.slow
def test_one_epoch_lifts_every_family_above_two_in_five(tmp_path):
    suite = load(SUITE)
    results = run(suite, tmp_path)
    top1 = results[results["metric"] == "top1"].set_index("model")["ci_low"]
    assert set(top1.index) == {model.name for model in suite.models}
    assert top1[top1 <= 0.40].empty, top1.to_dict()
