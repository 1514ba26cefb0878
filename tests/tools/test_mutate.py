"""The mutation tool on a toy package: which mutants there are, which die, which survive, and what the page says."""

import json
import os
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = '''
"""A toy: 1 < 2."""

LIMIT: int = 3


def clipped(value: int) -> int:
    """At most LIMIT."""
    if value < LIMIT:
        return value
    print(f"{value + 1} is too much", 1 + 1)
    return LIMIT


def endless(value: int) -> int:
    while value > 0:
        value -= 1
    return value
'''
TESTS = """
from toy import source


def test_it_keeps_small_and_cuts_large():
    assert source.clipped(1) == 1 and source.clipped(9) == source.LIMIT


def test_it_ends():
    assert source.endless(3) == 0
"""
CONFIG = """
seed = 1
patience = 5
budget = 9
report = "docs/mutation.md"
preload = []
[[groups]]
name = "toy"
draw = 100
sources = ["toy"]
tests = ["tests"]
"""


@pytest.mark.slow
def test_what_a_test_notices_is_killed_and_what_none_does_is_listed(tmp_path, command):
    root = tmp_path / "root"
    for name, text in (("toy/source.py", SOURCE), ("tests/test_source.py", TESTS), ("mutation.toml", CONFIG)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    calls = [sys.executable, ROOT / "tools/mutate.py", "mutation.toml", "--work", tmp_path / "work"]
    command(*calls, cwd=root, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert (root / "toy/source.py").read_text() == SOURCE
    rows = [json.loads(line) for line in (root / "mutation.jsonl").read_text().splitlines()]
    found = {row["shown"]: row["status"] for row in rows}
    assert found == {
        "3 -> 4": "survived",  # the test reads the same LIMIT
        "value < LIMIT -> value <= LIMIT": "survived",  # equal at the LIMIT
        "value < LIMIT -> value >= LIMIT": "killed",
        "value < LIMIT -> not value < LIMIT": "killed",
        "value > 0 -> value >= 0": "killed",
        "value > 0 -> value <= 0": "killed",
        "value > 0 -> not value > 0": "killed",
        "0 -> 1": "killed",
        "1 -> 2": "killed",
        "value -= 1 -> pass": "timeout",
    }
    page = (root / "docs/mutation.md").read_text()
    assert "| all |  | 10 | 8 | 1 | 2 | 80.0 % |" in page and "- toy/source.py:4 (module): `3 -> 4`: no" in page
    (root / "tests/test_source.py").write_text(TESTS + "    assert source.LIMIT == 3\n")
    command(*calls, "--from-survivors", cwd=root, env={**os.environ, "PYTHONPATH": str(ROOT)})
    page = (root / "docs/mutation.md").read_text()
    assert "| all |  | 10 | 9 | 1 | 1 | 90.0 % |" in page
    assert "- toy/source.py:4 (module): `3 -> 4`: tests/test_source.py::test_it_ends" in page


def test_what_is_mutated_and_its_tests_exist():
    groups = tomllib.loads((ROOT / "tools/mutation.toml").read_text())["groups"]
    named = [path for group in groups for path in (*group["sources"], *group["tests"])]
    assert [path for path in named if not (ROOT / path).exists()] == []
