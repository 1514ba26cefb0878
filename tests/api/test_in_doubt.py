"""A bound that passes on a suspect number is marked beside it; what fails says how: terminal, pytest, JUnit, page."""

import json
import xml.etree.ElementTree as ET

import pytest

from robust.api import pytest_plugin
from robust.api.cli.run import _verdict
from robust.core.progress import Silent
from robust.engine import recording
from robust.results import tables
from robust.suite import bounds, load

pytest_plugins = ["pytester"]

SUITE = """
data = { name = "fashion_mini" }
[model.net]
architecture = "lenet5"
[case.pgd]
attack = { name = "pgd", eps = "8/255" }
expect = { BOUND }
"""
AT = {"perturbation": "pgd", "norm": "linf", "eps": 8 / 255, "severity": None}
TOP1 = {
    "metric": "top1",
    "subset": "",
    "value": 0.5,
    "unit": "proportion",
    "n": 100,
    "ci_low": 0.4,
    "ci_high": 0.6,
    "ci_method": "",
}
TRUST = {"metric": "reliability", "n": 100, "ci_low": float("nan"), "ci_high": float("nan"), "ci_method": ""}
PLACE = "pgd[net] top1 at eps 8/255"


class Session:
    """One finished block, in the place of a run."""

    def __init__(self, suite, block, against=()):
        self.suite, self.kept, self.against = suite, block, list(against)
        self.progress = Silent()

    def images(self, cell):
        return 10

    def notes(self):
        return ["net takes 3 channels: the grey images of d are repeated to 3 channels"]

    def check_model(self, cell): ...
    def add_identities(self, identities): ...

    def block(self, cell):
        return self.kept

    def compared(self, cell, out):
        return self.against

    def find(self, cell):
        return self.kept

    def identity(self, model, seed):
        return "known"

    def record(self, out, failed=()):
        (cell,) = self.suite.evaluations()
        return tables.table([*recording.rows(self.suite, cell, self.kept), *self.against], tables.RESULTS)


@pytest.fixture
def session(tmp_path):
    """`session(bound, *ills)`: a suite with one case, whose numbers have these ills."""

    def session(bound, *ills, against=()):
        (tmp_path / "s.toml").write_text(SUITE.replace("BOUND", bound))
        block = tmp_path / "block"
        block.mkdir(exist_ok=True)
        checks = [{**TRUST, "subset": "", "value": 1.0, "unit": ""}]
        checks += [{**TRUST, "subset": ill, "value": 0.3, "unit": "proportion"} for ill in ills]
        rows = [{**AT, "n_forward": 1, "n_backward": 1, "seconds": 1, **row} for row in (TOP1, *checks)]
        (block / "values.json").write_text(json.dumps(rows))
        (block / "about.json").write_text(json.dumps({"data": "d", "model": {"weights_sha": "w"}}))
        return Session(load(tmp_path / "s.toml"), block, against)

    return session


def printed(session, capsys, tmp_path):
    code = _verdict(session.record(tmp_path), tmp_path)
    return code, capsys.readouterr().out


@pytest.mark.parametrize(
    ("bound", "ill", "code", "says"),
    [
        ('top1 = ">= 0.3"', "too_few_steps", 0, f"passed, on a number in doubt: {PLACE} (suspect)"),
        ('top1 = ">= 0.3"', "unbounded_fails", 1, "unsupported: pgd[net] at eps 8/255 top1 0.500"),
        ('top1 = ">= 0.3", allow_invalid = true', "unbounded_fails", 0, f"in doubt: {PLACE} (invalid)"),
        (
            'top1 = ">= 0.8"',
            "too_few_steps",
            1,
            "missed: pgd[net] at eps 8/255 top1 0.500 [0.400, 0.600] is not >= 0.8",
        ),
    ],
)
def test_the_terminal_says_it(session, capsys, tmp_path, bound, ill, code, says):
    found, out = printed(session(bound, ill), capsys, tmp_path)
    assert found == code and says in out


def test_of_a_reliable_number_nothing_is_said(session, capsys, tmp_path):
    code, out = printed(session('top1 = ">= 0.3"'), capsys, tmp_path)
    assert code == 0 and out.startswith("1 of 1 bounds passed")


def by_pytest(pytester, session, monkeypatch):
    """Run the suite as tests; gives what pytest says, and the one test case of JUnit's file."""
    monkeypatch.setattr(pytest_plugin, "_session", lambda path, config: session)
    path = pytester.path / "s.toml"
    path.write_text(session.suite.text)
    result = pytester.runpytest_inprocess("s.toml", "--junitxml=j.xml", "-p", "no:cacheprovider")
    return result, next(ET.parse(pytester.path / "j.xml").iter("testcase"))


def test_pytest_and_junit_mark_a_pass_on_a_suspect_number(pytester, session, monkeypatch):
    result, case = by_pytest(pytester, session('top1 = ">= 0.3"', "too_few_steps"), monkeypatch)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([f"robust: passed, on a number in doubt: {PLACE.replace('[', '[[]')} (suspect)"])
    result.stdout.fnmatch_lines(["robust: net takes 3 channels: the grey images of d are repeated to 3 channels"])
    told = {one.get("name"): one.get("value") for one in case.iter("property")}
    assert told["robust_in_doubt"] == "top1 0.500 [0.400, 0.600] passes >= 0.3 at eps 8/255 (suspect: too few steps)"
    assert "(suspect: too few steps)" in told["robust"]


def test_junit_says_unsupported(pytester, session, monkeypatch):
    result, case = by_pytest(pytester, session('top1 = ">= 0.3"', "unbounded_fails"), monkeypatch)
    result.assert_outcomes(failed=1)
    message = case.find("failure").get("message")
    assert ">= 0.3 is unsupported" in message and "(invalid: unbounded fails)" in message
    assert case.find("properties/property[@name='robust_in_doubt']") is None


def test_junit_says_undecided(pytester, session, monkeypatch):
    row = {
        **AT,
        **TOP1,
        "metric": "difference",
        "subset": "top1 vs two",
        "value": 0.0,
        "ci_low": -0.1,
        "ci_high": float("nan"),
    }
    row |= {
        "bound": bounds.parse("no worse than two by 0.02"),
        "passed": False,
        "reliability": "reliable",
        "ci_method": "paired",
        "n": 20,
    }
    whose = {"model": "net", "seed": 0, "case": "pgd"}
    result, case = by_pytest(pytester, session('top1 = ">= 0.3"', against=[{**row, **whose}]), monkeypatch)
    result.assert_outcomes(failed=1)
    assert "leaves no worse than two by 0.02 undecided" in case.find("failure").get("message")
