"""Code beside a suite: found while it is read and run, not on the path afterwards, and no other suite's."""

import importlib
import sys
from pathlib import Path

import pytest

from robust.core import registry, suite_folder
from robust.core.errors import SuiteError
from robust.suite import load

SUITE = """
data = { name = "fashion_mini" }
[model.m]
python = { name = "mine_of_suites:net", KEY = 1 }
[case.c]
"""


@pytest.fixture
def two(tmp_path):
    """Two suites, each with a module of the same name, which imports a module of the same name."""
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "s.toml").write_text(SUITE.replace("KEY", f"of_{name}"))
        (tmp_path / name / "helper_of_suites.py").write_text(f"NAME = {name!r}\n")
        code = f"from helper_of_suites import NAME\n\ndef net(*, input_shape, classes, of_{name}: int): return NAME\n"
        (tmp_path / name / "mine_of_suites.py").write_text(code)
    yield [tmp_path / name / "s.toml" for name in ("one", "other")]
    sys.modules.pop("mine_of_suites", None)


def resolved(suite):
    with suite_folder.importable(suite.folders):
        return suite.models[0].source.call.resolve()


def test_two_suites_have_each_its_own_module_of_one_name(two):
    path = list(sys.path)
    suites = [load(each, allow_code=True) for each in two]
    assert sys.path == path and not any("of_suites" in name for name in sys.modules)
    made = [resolved(suite) for suite in (*suites, *suites)]
    assert sys.path == path and not any("of_suites" in name for name in sys.modules)
    names = ["one", "other", "one", "other"]
    said = [net(input_shape=(), classes=2, **{f"of_{name}": 1}) for net, name in zip(made, names, strict=True)]
    assert said == names
    assert made[2] is made[0] and made[3] is made[1]  # imported once


def test_what_runs_later_is_found_in_the_folder(two):
    suite = load(two[1], allow_code=True)
    keys = []
    for each in two:
        with suite_folder.importable([each.parent]):
            keys.append(registry.foreign_code("mine_of_suites:net"))
            assert registry.source("helper_of_suites") == each.parent / "helper_of_suites.py"
    assert keys[0] != keys[1]
    with pytest.raises(SuiteError, match="no module named 'mine_of_suites' on the path"):
        suite.models[0].source.call.resolve()


def test_a_module_of_the_name_that_is_imported_already_is_not_taken(two, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(two[0].parent)
    importlib.import_module("mine_of_suites")
    monkeypatch.undo()
    suite = load(two[1], allow_code=True)
    with pytest.raises(SuiteError, match=r"has imported another one, .*one/mine_of_suites\.py; rename one"):
        resolved(suite)


def test_the_path_is_as_before_where_reading_fails(two):
    path = list(sys.path)
    two[0].write_text(two[0].read_text().replace("of_one", "of_none"))
    with pytest.raises(SuiteError, match="takes no 'of_none'"):
        load(two[0], allow_code=True)
    assert sys.path == path


def test_a_package_is_no_others_either(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name / "pack_of_suites").mkdir(parents=True)
        (tmp_path / name / "pack_of_suites/__init__.py").write_text("")
        (tmp_path / name / "pack_of_suites/inner.py").write_text(f"NAME = {name!r}\n")
    found = []
    for name in ("one", "other"):
        with suite_folder.importable([Path(tmp_path / name)]):
            found.append(importlib.import_module("pack_of_suites.inner").NAME)
    assert found == ["one", "other"] and "pack_of_suites.inner" not in sys.modules
