from pathlib import Path

import pytest

from robust.core.errors import SuiteError
from robust.suite.lines import Lines

TEXT = """\
# a comment
seed = 0
summary = "one = two"
[model.lenet5]
  architecture = "lenet5"   # comment
train.recipe = "short"
"odd key" = 1

[ model . "res.net" ]
architecture = "resnet20"
seeds = [
  0,
  1,
]

[case.pgd.attack]   # [case.not_this]
name = "pgd"
eps = "8/255"
[case.pgd.expect]
"recall[T-shirt/top]" = ">= 0.5"
'recall[a.b]' = ">= 0.5"
[[array.of.tables]]
key = 1
"""


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("seed",), 2),
        (("summary",), 3),
        (("model",), 4),
        (("model", "lenet5"), 4),
        (("model", "lenet5", "architecture"), 5),
        (("model", "lenet5", "train"), 6),
        (("model", "lenet5", "train", "recipe"), 6),
        (("model", "lenet5", "odd key"), 7),
        (("model", "res.net"), 9),
        (("model", "res.net", "seeds"), 11),
        (("case", "pgd"), 16),
        (("case", "pgd", "attack"), 16),
        (("case", "pgd", "attack", "eps"), 18),
        (("case", "pgd", "expect", "recall[T-shirt/top]"), 20),
        (("case", "pgd", "expect", "recall[a.b]"), 21),
        (("array", "of", "tables", "key"), 23),
        (("case", "pgd", "attack", "nothing"), 16),
        (("case", "pgd", "nothing", "deeper"), 16),
        (("model", "res.net", "nothing"), 9),
        (("nothing",), 1),
        ((), 1),
    ],
)
def test_a_key_is_found_or_what_is_around_it(keys, line):
    assert Lines(Path("a.toml"), TEXT).find(*keys) == line


@pytest.mark.parametrize(
    "summary",
    [
        '"""\nseed = 1\n[case.a]\n"""',
        "'''\nseed = 1\n[case.a]\n'''",
        '"""\nan \\""" inside\nseed = 1\n[case.a]"""',
        '"""a\n# "\nb = 1\n"""  # "',
    ],
)
def test_what_stands_inside_a_string_of_many_lines_is_no_key(summary):
    text = f'summary = {summary}\nseed = 2 # """\n[case.a]\nmax_images = 1\n'
    lines = Lines(Path("a.toml"), text)
    begins = summary.count("\n") + 2
    assert [lines.find(*keys) for keys in (("seed",), ("case", "a"), ("case", "a", "max_images"))] == [
        begins, begins + 1, begins + 2,
    ]  # fmt: skip


@pytest.mark.parametrize("odd", ["\u2028", "\x85", "\u2029"])
def test_lines_end_where_toml_ends_them(odd):
    assert Lines(Path("a.toml"), f'summary = "a{odd}b"\nseed = 0\n').find("seed") == 2


def test_the_first_of_two_is_meant():
    assert Lines(Path("a.toml"), "[a]\nx = 1\n[b]\ny = 1\n[a]\nx = 2").find("a", "x") == 2


def test_an_error_gets_its_place_once():
    lines = Lines(Path("suites/a.toml"), TEXT)
    with pytest.raises(SuiteError) as error, lines.at(), lines.at("case", "pgd"):
        raise SuiteError("too large", "attack.eps")
    assert str(error.value) == "suites/a.toml:18: too large"


def test_an_error_without_a_key_is_about_the_table_around():
    with pytest.raises(SuiteError) as error, Lines(Path("a.toml"), TEXT).at("model", "res.net"):
        raise SuiteError("odd")
    assert str(error.value) == "a.toml:9: odd"


def test_other_errors_pass_untouched():
    with pytest.raises(KeyError, match="x"), Lines(Path("a.toml"), TEXT).at("seed"):
        raise KeyError("x")


@pytest.mark.parametrize(
    "text", ["", "\n\n", "= 3", "[", "[]", "]", '"', '"""', "a = [", "\0", "[a", "a.b.c", "'''\n[a]\nb = 1"]
)
def test_any_text_has_lines(text):
    assert Lines(Path("a.toml"), text).find("a", "b") >= 1
