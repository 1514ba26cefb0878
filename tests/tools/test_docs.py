"""The tables of docs/decorators.md and docs/diagnostics.md, compared with the code that they describe."""

import ast
import dataclasses
import re
from pathlib import Path

import pytest

from robust.core.declared import Attack, Corruption, Metric, Section
from robust.results.flags import FLAGS, LEVELS

ROOT = Path(__file__).parents[2]


def _rows(text):
    """The cells of each row of the tables, without the headings."""
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in text.splitlines()]
    return [row for row in rows if row and row[0].startswith("`")]


def _diagnostics():
    return _rows((ROOT / "docs/diagnostics.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("decorator", "declaration"),
    [("attack", Attack), ("metric", Metric), ("corruption", Corruption), ("section", Section)],
)
def test_every_keyword_of_a_decorator_has_its_row(decorator, declaration):
    _, *parts = re.split(r"^## ", (ROOT / "docs/decorators.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    (part,) = [part for part in parts if part.startswith(f"`@robust.{decorator}`")]
    names = [row[0].strip("`") for row in _rows(part)]
    assert sorted(names) == sorted(field.name for field in dataclasses.fields(declaration))


def test_every_flag_has_a_row_with_its_level():
    levels = {row[0].strip("`"): row[1] for row in _diagnostics()}
    assert levels == {name: next(part for part in flag if part in LEVELS) for name, flag in FLAGS.items()}


def test_the_functions_of_the_table_exist_and_every_file_of_checks_is_named():
    rows = _diagnostics()
    assert all(len(row) == 6 for row in rows)
    for *_, function, file in rows:
        tree = ast.parse((ROOT / "robust" / file.strip("`")).read_text(encoding="utf-8"))
        assert function.strip("`") in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    named = {row[-1].strip("`") for row in rows}
    for path in (ROOT / "robust/attacks/diagnostics").glob("*.py"):
        yields = re.search(r'(yield|return) Reason\("', path.read_text(encoding="utf-8"))
        assert not yields or path.relative_to(ROOT / "robust").as_posix() in named
