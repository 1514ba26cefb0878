import csv
import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robust.core import csv_files
from robust.results import tables

WORDS = st.text(st.sampled_from("'=+-@\t\rab1,\"\n|"), max_size=6)


@given(st.lists(WORDS, min_size=1, max_size=5))
def test_words_are_read_as_they_were_and_none_begins_like_a_formula(words):
    assert [csv_files.unescape(csv_files.escape(word)) for word in words] == words
    assert not any(csv_files.escape(word).startswith(("=", "+", "-", "@", "\t", "\r")) for word in words)


def test_results_with_classes_that_look_like_formulas_come_back(tmp_path):
    names = ['=HYPERLINK("http://x","y")', "+1", "-1", "@a", "'=1", "'", "cat", "\ttab"]
    common = {"suite": "=s", "seed": 0, "value": -0.5, "metric": "recall", "n": 3, "bound": ">= 0.5", "passed": True}
    table = tables.table([{**common, "subset": name} for name in names], tables.RESULTS)
    path = tables.write_results(table, tmp_path / "results.csv")
    pd.testing.assert_frame_equal(tables.read_results(path), table)
    raw = pd.read_csv(path, dtype=str, keep_default_na=False)
    words = raw[["suite", "subset", "metric", "bound"]].to_numpy().ravel().tolist()
    assert not [word for word in words if word.startswith(("=", "+", "-", "@", "\t"))]
    assert set(raw["value"]) == {"-0.5"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b,a\n1,2,3\n", "it has the column 'a' twice"),
        ("a,b\n1,2,3\n", "its rows have more cells than there are columns"),
        ("a,b\n1,2\n1,2,3\n", "Expected 2 fields in line 3, saw 3"),
    ],
)
def test_no_cell_is_lost_for_want_of_a_column(tmp_path, text, said):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ValueError, match=said):
        csv_files.read(tmp_path / "a.csv")


def test_no_other_part_of_the_project_writes_csv():
    written = re.compile(r"\.to_csv\(|csv\.writer|csv\.DictWriter|import writer")
    sources = Path(csv_files.__file__).parents[1].rglob("*.py")
    assert [path.stem for path in sources if written.search(path.read_text())] == ["csv_files"]


def test_names_of_classes_of_a_stranger_run_in_no_table(tmp_path):
    names = ["=cmd|' /C calc'!A0", "@SUM(1)", "a, =1+1", '"=1', "-2+3|'", "+a"]
    rows = [{"suite": "s", "subset": name, "model": name, "case": name, "seed": 0, "n": 1} for name in names]
    path = tables.write_results(tables.table(rows, tables.RESULTS), tmp_path / "results.csv")
    with path.open(newline="") as file:
        found = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in found if cell[:1] in ("=", "+", "-", "@")]
    assert tables.read_results(path)["subset"].tolist() == names
