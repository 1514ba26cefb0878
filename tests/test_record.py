import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from robust import record
from robust.errors import ReportError, StoreError, SuiteError
from robust.record import OUTCOMES, RESULTS, read_results, table, value, write_outcomes, write_results

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


def row(**given):
    """A row of results.csv."""
    plain = {
        "suite": "quick", "data": "fashion_mini", "split": "test", "model": "lenet5", "seed": 0, "case": "clean",
        "perturbation": "", "norm": "", "eps": None, "severity": None, "metric": "top1", "group": "", "value": 0.5,
        "unit": "", "n": 1000, "choice": "all", "low": 0.4, "high": 0.6, "interval": "Wilson 95 %", "bound": "",
        "passed": None, "trust": "", "forward": 1.0, "backward": 0.0, "seconds": 1.0, "weights": "abc",
    }  # fmt: skip
    assert plain.keys() == RESULTS.keys()
    return {**plain, **given}


RESULT = table(
    [
        row(value=0.9),
        row(metric="nll", value=0.3),
        row(metric="recall", group="Shirt", value=0.7),
        row(metric="recall", group="Coat", value=0.8),
        row(case="pgd", perturbation="pgd", norm="linf", eps=2 / 255, value=0.6),
        row(case="pgd", perturbation="pgd", norm="linf", eps=8 / 255, value=0.2),
        row(case="fog", perturbation="fog", severity=3, value=0.4),
        row(case="clean", model="resnet20", seed=0, value=0.95),
        row(case="clean", model="resnet20", seed=1, value=0.96),
    ],
    RESULTS,
)


@SLOW_IS_FINE
@given(rows=rows_of(RESULTS, max_size=4))
def test_results_come_back_from_csv_to_the_last_digit(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "results.csv"
    results = table(rows, RESULTS)
    again = read_results(write_results(results, path))
    assert_frame_equal(again, results, check_exact=True)


@SLOW_IS_FINE
@given(rows=rows_of(OUTCOMES, max_size=4))
def test_outcomes_come_back_from_parquet(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("parquet") / "outcomes.parquet"
    outcomes = table(rows, OUTCOMES)
    assert_frame_equal(pd.read_parquet(write_outcomes(outcomes, path)), outcomes, check_exact=True)


@pytest.mark.parametrize("word", NASTY)
def test_each_nasty_word_comes_back(tmp_path, word):
    results = table([row(group=word, case="x"), row(group="", case="y")], RESULTS)
    again = read_results(write_results(results, tmp_path / "results.csv"))
    assert list(again["group"]) == [word, ""]


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
    assert (made.model[0], made.group[0]) == ("lenet5", "")
    assert np.isnan(made.eps[0])
    assert made.severity[0] is pd.NA
    assert made.passed[0] is pd.NA


def test_a_missing_column_is_named(tmp_path):
    RESULT.drop(columns="metric").to_csv(tmp_path / "results.csv", index=False)
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


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"results\.csv: cannot be written"):
        write_results(RESULT, tmp_path / "file" / "results.csv")
    with pytest.raises(StoreError, match=r"outcomes\.parquet: cannot be written"):
        write_outcomes(table([], OUTCOMES), tmp_path / "file" / "outcomes.parquet")


@pytest.mark.parametrize(
    ("metric", "where", "found"),
    [
        ("nll", {}, 0.3),
        ("recall", {"group": "Shirt"}, 0.7),
        ("top1", {"case": "pgd", "eps": "8/255"}, 0.2),
        ("top1", {"case": "pgd", "eps": 8 / 255}, 0.2),
        ("top1", {"case": "pgd", "eps": np.float64(2 / 255)}, 0.6),
        ("top1", {"eps": "2/255"}, 0.6),
        ("top1", {"severity": 3}, 0.4),
        ("top1", {"model": "resnet20", "seed": 1}, 0.96),
        ("top1", {"model": "lenet5", "eps": None, "severity": None}, 0.9),
        ("top1", {"model": "lenet5", "case": "clean", "norm": ""}, 0.9),
    ],
)
def test_a_value_is_found_by_any_column(metric, where, found):
    one = value(RESULT, metric, **where)
    assert (one.value, one.low, one.high, one.metric, one.n) == (found, 0.4, 0.6, metric, 1000)


def test_a_value_is_found_again_in_the_file(tmp_path):
    again = read_results(write_results(RESULT, tmp_path / "results.csv"))
    assert value(again, "top1", case="pgd", eps="8/255").value == 0.2
    assert value(again, "top1", severity=3).case == "fog"


@pytest.mark.parametrize(
    ("metric", "where", "says"),
    [
        ("top2", {}, "no value 'top2' with group ''; did you mean 'top1'?"),
        ("recal", {"group": "Shirt"}, "no value 'recal' with group 'Shirt'; did you mean 'recall'?"),
        ("recall", {}, "no value 'recall' with group ''; allowed: Coat, Shirt"),
        ("recall", {"group": "Shirts"}, "no value 'recall' with group 'Shirts'; did you mean 'Shirt'?"),
        ("top1", {"modle": "lenet5"}, "no column 'modle'; did you mean 'model'?"),
        ("top1", {"case": "pgd"}, "2 values 'top1' fit {'case': 'pgd'}; say which eps: eps = 2/255, 8/255"),
        ("top1", {"model": "resnet20"}, "2 values 'top1' fit {'model': 'resnet20'}; say which seed: seed = 0, 1"),
        ("top1", {"seed": 0}, "5 values 'top1' fit {'seed': 0}; say which model and case and eps and severity: model "
                         "= 'lenet5', 'resnet20', case = 'clean', 'fog', 'pgd', eps = 2/255, 8/255, severity = 3"),
        ("top1", {"case": "pdg"}, "0 values 'top1' fit {'case': 'pdg'}; there are case = 'clean', 'fog', 'pgd'"),
        ("top1", {"case": "clean", "eps": 0}, "0 values 'top1' fit {'case': 'clean', 'eps': 0}; there are "
                                              "case = 'clean', 'fog', 'pgd', eps = 2/255, 8/255"),
    ],
)  # fmt: skip
def test_what_is_not_one_value_is_told(metric, where, says):
    with pytest.raises(LookupError) as error:
        value(RESULT, metric, **where)
    assert error.value.args[0] == says


def test_values_of_two_suites_are_told_apart():
    both = pd.concat([RESULT, RESULT.assign(suite="other")])
    with pytest.raises(LookupError, match=r"2 values 'nll' fit \{\}; say which suite"):
        value(both, "nll")
    assert value(both, "nll", suite="other").suite == "other"


def test_an_eps_that_is_no_number_is_told():
    with pytest.raises(SuiteError, match="eps = '8/x': not a number"):
        value(RESULT, "top1", eps="8/x")


def test_the_columns_are_those_of_the_design():
    assert " ".join(RESULTS) == (
        "suite data split model seed case perturbation norm eps severity metric group value unit n choice low high"
        " interval bound passed trust forward backward seconds weights"
    )
    assert {"model", "seed", "case", "eps", "example", "label", "target", "predicted", "in_top5"} <= set(OUTCOMES)
    assert record.__doc__
