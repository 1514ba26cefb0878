"""A report folder that a stranger has written costs little memory, and is refused with what is wrong in it."""

import json
import tracemalloc

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from robust import report
from robust.core import parquet_files
from robust.core import text as words
from robust.core.errors import DataError, ReportError
from robust.report.folder import read
from robust.results import tables


def refuses(folder, said, megabytes=100):
    """In so much of Python's memory, and of Arrow's."""
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    try:
        with pytest.raises(ReportError, match=said):
            read(folder)
        assert tracemalloc.get_traced_memory()[1] < megabytes * 2**20
    finally:
        tracemalloc.stop()
    assert pa.total_allocated_bytes() - before < megabytes * 2**20


def written(folder, column, values, **options):
    path = folder / "outcomes.parquet"
    table = parquet.read_table(path)
    changed = table.set_column(table.schema.get_field_index(column), column, values(table.num_rows))
    parquet.write_table(changed, path, **options)


def shared(word):
    return lambda n: pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, "int32")), pa.array([word]))


@pytest.mark.slow_after_first
@pytest.mark.parametrize("column", ["example", "success_by", "model", "label"])
def test_a_word_of_megabytes_that_all_rows_share_is_not_spelt_out(folder, column):
    written(folder, column, shared("x" * 20_000_000))
    refuses(folder, f"outcomes.parquet: the column {column} holds a string of 20,000,000 bytes; at most 10,000")


def test_a_long_word_is_no_name_and_one_that_is_long_enough_is(folder):
    written(folder, "success_by", shared("é" * 10_001))
    refuses(folder, "the column success_by must be strings of 10,000 characters at most, not of 10,001: ")
    written(folder, "success_by", shared("é" * 10_000))
    assert set(parquet_files.read(folder / "outcomes.parquet", {"success_by": "str"})["success_by"]) == {"é" * 10_000}


def test_words_that_are_gigabytes_only_all_together_are_refused(tmp_path):
    table = pa.table({"example": shared("x" * 10_000)(100_000)})
    parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="unpack to 1,000,000,000"):
        parquet_files.read(tmp_path / "a.parquet", {"example": "str"})


def test_a_description_of_megabytes_is_not_read(folder):
    table = parquet.read_table(folder / "outcomes.parquet")
    parquet.write_table(table.replace_schema_metadata({"k": "y" * 2**21}), folder / "outcomes.parquet")
    refuses(folder, r"its metadata has [0-9,]+ bytes; at most 1,048,576")


@pytest.mark.parametrize("codec", ["zstd", "gzip", "brotli"])
def test_columns_are_packed_as_robust_does(folder, codec):
    written(folder, "example", shared("a"), compression=codec)
    refuses(folder, f"its columns are compressed as {codec.upper()}; allowed: SNAPPY or UNCOMPRESSED")
    written(folder, "example", shared("a"), compression="none")
    parquet_files.read(folder / "outcomes.parquet", {"example": "str"})


def full(number, kind="float32"):
    return lambda n: pa.array(np.full(n, number, kind))


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("confidence", full(2.5, "float64"), r"confidence must be in \[0, 1\], not 2.5"),
        ("confidence", full(-0.1, "float64"), r"confidence must be in \[0, 1\], not -0.1"),
        ("confidence", full(np.nan, "float64"), r"confidence must be in \[0, 1\], not nan"),
        ("margin", full(np.inf), "margin must be finite, not inf"),
        ("margin", full(np.nan), "margin must be finite, not nan"),
        ("nll", full(-np.inf), "nll must be not negative, not -inf"),
        ("nll", full(-1), "nll must be not negative, not -1.0"),
        ("linf", full(np.inf), "linf must be finite and not negative, not inf"),
        ("l2", full(-1), "l2 must be finite and not negative, not -1.0"),
        ("margin", lambda n: pa.array([{"a": 1.0}] * n), "the column margin must hold floats, not struct<a: double>"),
        ("label", lambda n: pa.array([["a"]] * n), "the column label must hold strings, not list<"),
        ("label", lambda n: pa.array([True] * n), "the column label must hold strings, not bool"),
        ("seed", lambda n: pa.array(["0"] * n), "the column seed must hold whole numbers, not string"),
        ("seed", lambda n: pa.array([None] * n, pa.int64()), r"the column seed lacks [0-9]+ of its values"),
        ("in_top5", full(1, "int64"), "the column in_top5 must hold truth values, not int64"),
    ],
)
def test_numbers_that_no_model_has_are_refused(folder, column, values, said):
    written(folder, column, values)
    refuses(folder, f"outcomes.parquet: {said}")


@pytest.mark.slow
@pytest.mark.parametrize("odd", ["\0", "\x1b[31m", "\u202e", "\u2066", "\x9b", "\ud800"])
def test_no_word_of_a_folder_orders_terminals_about_or_turns_the_writing(folder, odd):
    about = json.loads((folder / "environment.json").read_text())
    for change in (
        {"summary": f"a{odd}b"},
        {"machine": {f"a{odd}b": 1}},
        {"data": {**about["data"], "notes": [f"a{odd}b"]}},
        {"models": {**about["models"], f"a{odd}b": {}}},
    ):
        (folder / "environment.json").write_text(json.dumps({**about, **change}))
        refuses(folder, "environment.json: it holds the control character ")
    (folder / "environment.json").write_text(json.dumps({**about, "summary": "شكرا 👩‍🔬 two\nlines\tand more"}))
    report.write(folder)


@pytest.mark.slow
@pytest.mark.parametrize("odd", ["\x1b[31m", "\u202e"])
def test_nor_does_a_word_of_its_tables_or_its_suite(folder, odd):
    for name, old, new in (
        ("results.csv", "linf", f"li{odd}nf"),
        ("samples/index.csv", "fgsm", f"fg{odd}sm"),
        ("suite.toml", "A fake", f"A {odd}fake"),
        ("suite.toml", "A fake", "A \\u202efake"),
    ):
        text = (folder / name).read_text()
        (folder / name).write_text(text.replace(old, new))
        refuses(folder, f"{name}: .*holds the control character ")
        (folder / name).write_text(text)
    written(folder, "example", shared(f"a{odd}b"))
    refuses(folder, "outcomes.parquet: the column example holds the control character ")


@pytest.mark.slow_after_first
@pytest.mark.parametrize("name", ["results.csv", "samples/index.csv"])
def test_a_cell_without_an_end_is_none(folder, name):
    text = (folder / name).read_text()
    (folder / name).write_text(text.replace("fgsm", "x" * 10_001, 1))
    refuses(folder, f"{name}: the column (case|file|perturbation) must be strings of 10,000 characters at most")
    (folder / name).write_text(text.replace("fgsm", '"fgsm', 1))
    refuses(folder, name)
    with (folder / name).open("w") as file:
        file.write(text.splitlines()[0] + "\n")
        file.truncate(2**27 + 1)
    refuses(folder, f"{name}: .*it has 134,217,729 bytes; at most 134,217,728")


@pytest.mark.parametrize("cell", ["x" * 2**25, '"' + "x\n" * 2**24], ids=["one line", "a quote that is never closed"])
def test_a_cell_of_megabytes_is_not_read_to_its_end(folder, cell):
    text = (folder / "results.csv").read_text()
    (folder / "results.csv").write_text(text.replace("fgsm", cell, 1))
    refuses(folder, "results.csv: cannot be read .*field larger than field limit", 250)


def test_reports_to_compare_with_are_read_with_the_same_care(folder):
    path = folder / "outcomes.parquet"
    assert list(tables.read_outcomes(path)) == list(tables.OUTCOMES)
    written(folder, "superclass", shared("x" * 20_000_000))
    with pytest.raises(ReportError, match="the column superclass holds a string of 20,000,000 bytes"):
        tables.read_outcomes(path)


def test_what_robust_writes_it_reads_again(folder):
    path = folder / "outcomes.parquet"
    there = pd.read_parquet(path)
    pd.testing.assert_frame_equal(tables.read_outcomes(path), tables.table(there, tables.OUTCOMES))
    assert words.fault(words.inside(json.loads((folder / "environment.json").read_text()))) == ""


def test_a_picture_whose_name_turns_the_writing_is_refused_before_a_report_names_it(tmp_path):
    from robust.datasets.folder import folder as read_folder

    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x\u202egnp.png").touch()
    with pytest.raises(DataError, match="a name with the control character"):
        read_folder(path=str(tmp_path))
