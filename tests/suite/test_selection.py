import pytest
from _pytest.mark import expression as pytests
from hypothesis import given, settings
from hypothesis import strategies as st

from robust.core.errors import SuiteError
from robust.suite.selection import matches

REFUSED = getattr(pytests, "ParseError", SyntaxError)  # pytest 8 has an error of its own
NAMES = ["pgd[resnet20]", "clean[lenet5]", "pgd[lenet5-1]", "Fog.2[wide+net]"]
WORDS = ["pgd", "clean", "lenet5", "net", "[", "20]", "pgd[", "LeNet5", "fog.2", "+", "-1", "5-1", "nothing", "True"]


def pytest_says(expression, name):
    """pytest's own -k: a word is a part of a name, whatever its case."""
    try:
        return pytests.Expression.compile(expression).evaluate(lambda word, /, **_: word.lower() in name.lower())
    except REFUSED as error:
        return type(error)


def ours(expression, name):
    try:
        return matches(expression, name)
    except SuiteError as error:
        return type(error)


EXPRESSIONS = st.recursive(
    st.sampled_from(WORDS),
    lambda inner: st.one_of(
        inner.map(lambda e: f"not {e}"),
        inner.map(lambda e: f"({e})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(" ".join),
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(EXPRESSIONS, st.sampled_from(NAMES))
def test_chooses_what_pytest_chooses(expression, name):
    assert matches(expression, name) is pytest_says(expression, name)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.sampled_from([*WORDS, "and", "or", "not", "(", ")", "=", ",", "'x'", "#", "!", "1", "é"]), max_size=6)
)
def test_refuses_what_pytest_refuses(tokens):
    expression = " ".join(tokens)
    if not tokens:
        return  # to pytest an empty -k is none; `run` sees to that
    theirs = pytest_says(expression, NAMES[0])
    assert ours(expression, NAMES[0]) is (theirs if isinstance(theirs, bool) else SuiteError)


@pytest.mark.parametrize(
    ("expression", "name", "chosen"),
    [
        ("pgd", "pgd[resnet20]", True),
        ("pgd and resnet20", "pgd[resnet20]", True),
        ("pgd and not resnet20", "pgd[resnet20]", False),
        ("fgsm or pgd", "pgd[resnet20]", True),
        ("a or b and not c", "a", True),
        ("(a or b) and not c", "ac", False),
        ("not(a)and(b)", "b", True),
        ("PGD", "pgd[ResNet20]", True),
        ("pgd[resnet20]", "pgd[resnet20]", True),
        ("pgd[resnet20-1]", "pgd[resnet20-10]", False),
    ],
)
def test_words_are_parts_of_names(expression, name, chosen):
    assert matches(expression, name) is chosen


@pytest.mark.parametrize(
    "expression",
    ["", "  ", "()", "and", "not", "a and", "or a", "a b", "(a", "a)", "a (b)", "a, b", "a == b", "a & b", "a # b",
     "'a'", "__import__('os')", "(" * 5000 + "a" + ")" * 5000, "not " * 100000 + "a"],
)  # fmt: skip
def test_what_is_no_expression_is_told_how_to_write_one(expression):
    with pytest.raises(SuiteError) as error:
        matches(expression, "pgd[resnet20]")
    assert str(error.value) == f"-k {expression!r}: write words with and, or, not and parentheses"
