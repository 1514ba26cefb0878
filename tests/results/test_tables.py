import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from robust.core.errors import ReportError, StoreError
from robust.results import tables
from robust.results.tables import OUTCOMES, RESULTS, read_results, table, write_outcomes, write_results

NASTY = [
    "", " ", "a,b", '"', 'say "no"', "line\nbreak", "a\r\nb", "NaN", "nan", "None", "NA", "null", "<NA>", "1e5", "True",
    "007", "T-shirt/top", "Ärmel", "シャツ", "☂", "#", "'", "\\", "\t", "a;b", " padded ", "-", "inf",
]  # fmt: skip
WORDS = st.sampled_from(NASTY) | st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=8)
NUMBERS = st.floats(width=64) | st.sampled_from([0.1 + 0.2, 8 / 255, 5e-324, 1.7976931348623157e308, -0.0])
OF = {
    "str": WORDS,
    "int64": st.integers(-(2**63), 2**63 - 1),
    "float64": NUMBERS,
    "Int64": st.none() | st.just(pd.NA) | st.integers(1, 5),
    "boolean": st.none() | st.booleans(),
    "bool": st.booleans(),
    "int32": st.integers(0, 2**31 - 1),
    "float32": st.floats(width=32),
}
HEADER = ",".join(RESULTS).encode() + b"\n"
SLOW_IS_FINE = settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))


def rows_of(columns, **kwargs):
    return st.lists(st.fixed_dictionaries({name: OF[kind] for name, kind in columns.items()}), **kwargs)


@pytest.mark.slow
@SLOW_IS_FINE
@given(rows=rows_of(RESULTS, max_size=4))
def test_results_come_back_from_csv_to_the_last_digit(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "results.csv"
    results = table(rows, RESULTS)
    again = read_results(write_results(results, path))
    assert_frame_equal(again, results, check_exact=True)


@pytest.mark.slow
@SLOW_IS_FINE
@given(rows=rows_of(OUTCOMES, max_size=4))
def test_outcomes_come_back_from_parquet(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("parquet") / "outcomes.parquet"
    outcomes = table(rows, OUTCOMES)
    assert_frame_equal(pd.read_parquet(write_outcomes(outcomes, path)), outcomes, check_exact=True)


@pytest.mark.parametrize("word", NASTY)
def test_each_nasty_word_comes_back(tmp_path, word, results):
    results = results[:2].assign(subset=[word, ""])
    again = read_results(write_results(results, tmp_path / "results.csv"))
    assert list(again["subset"]) == [word, ""]


@pytest.mark.parametrize("kind", ["results", "outcomes"])
def test_a_table_without_rows_has_its_columns_and_types(tmp_path, kind):
    columns = {"results": RESULTS, "outcomes": OUTCOMES}[kind]
    empty = table([], columns)
    assert list(empty.columns) == list(columns)
    assert [str(t) for t in empty.dtypes] == [str(pd.Series([], dtype=t).dtype) for t in columns.values()]
    if kind == "results":
        assert_frame_equal(read_results(write_results(empty, tmp_path / "r.csv")), empty, check_index_type=False)


def test_a_table_leaves_out_what_is_no_column_and_fills_in_empty_words():
    made = table([{"model": "lenet5", "seed": 1, "n": 3, "extra": "x"}], RESULTS)
    assert list(made.columns) == list(RESULTS)
    assert (made.model[0], made.subset[0]) == ("lenet5", "")
    assert np.isnan(made.eps[0])
    assert made.severity[0] is pd.NA
    assert made.passed[0] is pd.NA


def test_a_missing_column_is_named(tmp_path, results):
    results.drop(columns="metric").to_csv(tmp_path / "results.csv", index=False)
    with pytest.raises(ReportError) as error:
        read_results(tmp_path / "results.csv")
    assert str(error.value) == f"{tmp_path}/results.csv: lacks the column metric; was it written by `robust run`?"


@pytest.mark.parametrize(
    "damaged",
    [b"", b"\xff\xfe\x00", b'a,b\n"open', b"a\n1,2\n3,4,5,6\n", HEADER + b"x," * 24 + b"x\n", HEADER + b"quick,a\n"],
    ids=["empty", "not UTF-8", "open quote", "ragged", "words for numbers", "a row broken off"],
)  # fmt: skip
def test_a_damaged_file_is_told(tmp_path, damaged):
    (tmp_path / "results.csv").write_bytes(damaged)
    with pytest.raises(ReportError, match=r"results\.csv: (cannot be read|lacks the column)"):
        read_results(tmp_path / "results.csv")


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(ReportError, match=r"none\.csv: cannot be read \(.*No such file"):
        read_results(tmp_path / "none.csv")


def test_a_folder_that_cannot_be_written_is_told(tmp_path, results):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"results\.csv: cannot be written"):
        write_results(results, tmp_path / "file" / "results.csv")
    with pytest.raises(StoreError, match=r"outcomes\.parquet: cannot be written"):
        write_outcomes(table([], OUTCOMES), tmp_path / "file" / "outcomes.parquet")


def test_the_columns_are_those_of_the_design():
    assert " ".join(RESULTS) == (
        "suite data split model seed case perturbation norm eps severity metric subset value unit n choice"
        " ci_low ci_high ci_method bound passed reliability n_forward n_backward seconds occupancy weights_sha"
    )
    assert {"model", "seed", "case", "eps", "example", "label", "target", "predicted", "in_top5"} <= set(OUTCOMES)
    assert tables.__doc__
