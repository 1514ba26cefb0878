import keras
import pandas as pd

from robust.models.layer_table import layer_table
from robust.report import terminal


def test_operations_that_follow_each_other_are_one_row_and_zeros_are_left_out(capsys):
    image = keras.Input((4, 4, 2), name="image")
    x = keras.layers.ReLU(name="relu")(keras.ops.square(image) * 2)
    table = layer_table(keras.Model(image, keras.layers.Conv2D(64, 3, padding="same", name="conv")(x)))
    terminal.layers(table)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1:] == [
        ["image", "InputLayer", "4x4x2", "32", "128", "B"],
        ["(2", "operations)", "4x4x2"],
        ["relu", "ReLU", "4x4x2"],
        ["conv", "Conv2D", "4x4x64", "1,216", "18.4", "k", "1,024", "4,096", "B"],
        ["all", "1,216", "18.4", "k", "1,056", "4,224", "B"],
    ]


def test_what_is_not_counted_is_a_question_mark(capsys):
    image = keras.Input((4, 2))
    terminal.layers(layer_table(keras.Model(image, keras.layers.MultiHeadAttention(1, 2)(image, image))))
    assert capsys.readouterr().out.splitlines()[2].split()[4] == "?"


def test_the_family_says_what_is_equal_and_what_is_not_and_why(capsys):
    row = {
        "architecture": "net", "options": "norm=batch", "input": "8x8x1", "depth": 3, "parameters": 61_706,
        "macs": 15_470_264_320, "forward": 9_118, "forward_memory": 36_472, "differs": "forward", "note": "since",
        "published_depth": "3", "published_parameters": "", "published_macs": "15470264320",
        "published_forward": "9000",
    }  # fmt: skip
    terminal.family(pd.DataFrame([row]))
    said = capsys.readouterr().out.splitlines()[1].replace("\N{NO-BREAK SPACE}", " ").split()
    assert said == [
        "net",
        "norm=batch",
        "8x8x1",
        "3",
        "=",
        "61,706",
        "15.5",
        "G",
        "=",
        "9,118",
        "≠",
        "9,000",
        "36.5",
        "kB",
        "since",
    ]


def test_a_median_that_no_search_found_is_said_to_be_not_found_rather_than_infinite(capsys):
    row = {
        "case": "far", "eps": 2.0, "norm": "l2", "metric": "median_distance", "subset": "", "value": float("inf"),
        "ci_low": 1.5, "ci_high": float("inf"), "unit": "distance", "n": 50, "reliability": "",
    }  # fmt: skip
    terminal.results(pd.DataFrame([row]))
    said = " ".join(capsys.readouterr().out.splitlines()[1].split())
    assert said == "far 2 median distance not found up to eps 1.5 – not found up to eps 50"
