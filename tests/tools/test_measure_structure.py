"""The measure of how a package is built, on a package that was built by hand; and the drawing in the docs."""

import importlib.util
import math
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("measure_structure", ROOT / "tools/measure_structure.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def package(tmp_path):
    """`top` imports `middle.one`, which imports `low`; `left` and `right` import each other."""
    for path, text in {
        "__init__.py": "",
        "top.py": "from hand.middle import one\n\n\ndef f(x: Any) -> Any:\n    '''Doc.'''\n    return _g(x)\n",
        "middle/__init__.py": "",
        "middle/one.py": "def _g():\n    from .. import low\n\n    return low\n",
        "low.py": "X = 1\n",
        "left.py": "import hand.right\n",
        "right.py": "from hand import left\n",
    }.items():
        (tmp_path / "hand" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "hand" / path).write_text(text)
    return tmp_path / "hand"


def test_imports_of_every_kind_are_seen(tool, package):
    graph = tool.edges(tool.sources(package), "hand", depth=1)
    assert graph == {"top": {"middle"}, "middle": {"low"}, "low": set(), "left": {"right"}, "right": {"left"}}
    assert tool.circular(graph) == {"left", "right"} and tool.ranks(graph) == 3


def test_the_figures_are_those_of_the_hand_made_package(tool, package):
    found = tool.measures(package)
    assert (found["entries at the top"], found["modules"], found["lines"]) == (5, 7, 13)
    assert found["`Any` in a thousand lines"] == round(2000 / 13, 1) and found["private functions, %"] == 50
    assert (found["lines of a function, median"], found["the longest"]) == (2, 3)


def test_the_drawing_leaves_out_what_follows(tool, package):
    (package / "top.py").write_text("from hand.middle import one\nimport hand.low\n")
    assert "    top --> middle" in tool.drawing(package) and "top --> low" not in tool.drawing(package)


@pytest.mark.slow
def test_the_packages_are_as_the_docs_draw_them(tool):
    assert tool.drawing(ROOT / "robust") in (ROOT / "docs/architecture.md").read_text(encoding="utf-8")


def test_tests_inside_a_package_do_not_count_and_functions_that_wait_do(tool, package):
    before = tool.measures(package)
    for name in ("low_test.py", "tests/test_low.py"):
        (package / name).parent.mkdir(exist_ok=True)
        (package / name).write_text("import typing\n\n\ndef test_low(x: typing.Any):\n    pass\n")
    assert tool.measures(package) == pytest.approx(before, nan_ok=True)
    (package / "low.py").write_text("import typing\n\n\nasync def f(x: typing.Any):\n    return [\n        x,\n    ]\n")
    after = tool.measures(package)
    assert after["private functions, %"] == round(100 / 3, 1) and after["`Any` in a thousand lines"] == round(
        3000 / 19, 1
    )


@pytest.mark.parametrize(("start", "goal", "imports"), [("top", "low", 2), ("middle", "low", 1), ("low", "low", 0)])
def test_the_shortest_way_from_one_module_to_another_is_counted(tool, package, start, goal, imports):
    assert tool.distance(tool.edges(tool.sources(package), "hand", depth=99), start, goal) == imports


def test_where_no_import_leads_there_is_no_way(tool, package):
    graph = tool.edges(tool.sources(package), "hand", depth=99)
    assert math.isnan(tool.distance(graph, "low", "top")) and math.isnan(tool.distance(graph, "nowhere", "low"))


def test_the_table_has_a_column_for_each_package_with_its_version(tool, package):
    (package.parent / "hand-2.1.dist-info").mkdir()
    other = package.rename(package.with_name("other"))
    (package.parent / "pyproject.toml").write_text('[project]\nversion = "0.3"\n')
    package.mkdir()
    (package / "one.py").write_text("def f(): pass\n")
    first, _, *rows = tool.table([package, other]).splitlines()
    assert first == "|  | hand 2.1 | other 0.3 |"
    assert "| entries at the top | 1 | 5 |" in rows and rows[-1].endswith("| - | - |")


def test_the_package_keeps_its_shape(tool):
    found = tool.measures(ROOT / "robust")
    assert found["entries at the top"] <= 14 and found["ranks of imports between them"] <= 12
    assert found["cycles between them"] == 0
    assert found["`Any` in a thousand lines"] <= 5 and found["private functions, %"] <= 30
    assert found["lines of a function, median"] <= 8 and found["90 of 100 have at most"] <= 25
    assert found["the longest"] <= 60
    assert found["imports from a command to an attack's step"] <= 3


def test_the_docs_have_the_table_with_all_its_rows(tool):
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    assert all(f"\n| {name} | " in text for name in tool.measures(ROOT / "robust"))
