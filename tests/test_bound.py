from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robust.bound import Bound, parse
from robust.errors import SuiteError

WHOLE = st.integers(-20, 20)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (">= 0.5", [0.5, 0.6], [0.49]),
        ("> 0.5", [0.51], [0.5, 0.4]),
        ("<= 0.5", [0.5, 0.4], [0.51]),
        ("< 0.5", [0.49], [0.5, 0.6]),
        ("in [0.2, 0.4]", [0.2, 0.3, 0.4], [0.19, 0.41]),
        ("in [0.3, 0.3]", [0.3], [0.29, 0.31]),
        (">= -1.5", [-1.5, 0], [-1.6]),
        ("> -1", [0], [-1]),
        ("in [-2, -1]", [-1.5], [0]),
        ("<= +3", [3], [4]),
        (">= 1e-3", [0.001], [0.0009]),
        ("<= 1E+2", [100], [101]),
        (">= 8/255", [8 / 255], [8 / 255 - 1e-12]),
        ("< 3 / 10", [0.2], [0.3]),
        ("<\t3\t/\t10", [0.2], [0.3]),
        ("in [1/3, 2/3]", [1 / 3, 2 / 3], [0.33]),
        (">=.5", [0.5], [0.4]),
        (">=1.", [1], [0.9]),
        ("  >=   0.5  ", [0.5], [0.4]),
        ("in[0,1]", [0, 1], [2]),
        ("in [ 0 , 1 ]", [0, 1], [-0.1]),
    ],
)
def test_what_lies_within(text, inside, outside):
    bound = parse(text)
    assert all(value in bound for value in inside)
    assert not any(value in bound for value in outside)
    assert bound.text == text.strip()


def test_nan_is_within_no_bound():
    assert not any(float("nan") in parse(text) for text in (">= 0", "> 0", "<= 0", "< 0", "in [0, 1]"))


@pytest.mark.parametrize(
    "text", ["", "0.8", "= 0.8", "== 0.8", "=> 0.8", ">= ", ">= x", ">= - 1", "in (0, 1)", "in [0]", "in 0, 1",
             ">= 0.8 <= 0.9", "between 0 and 1", ">= nan", ">= inf", "in [0, 1", ">= 1/-2", "!= 3", ">= 80 %", ">= 0,8"]
)  # fmt: skip
def test_what_is_no_bound_is_told_how_to_write_one(text):
    with pytest.raises(SuiteError) as error:
        parse(text)
    assert str(error.value) == f'bound {text!r}: write ">= 0.80", "> 0.8", "<= 0.2", "< 0.2" or "in [0, 0.3]"'


@pytest.mark.parametrize("value", [0.8, 1, True, None, [">= 1"], {"low": 0}])
def test_what_is_no_string_is_refused(value):
    with pytest.raises(SuiteError) as error:
        parse(value)
    assert str(error.value) == f'bound {value!r}: must be a string like ">= 0.80" or "in [0, 0.3]"'


@pytest.mark.parametrize("digits", ["1/0", "..", "1.2.3", "1e999", "1e999999999", "0.5/2", "9" * 400, "9" * 5000])
def test_what_is_no_finite_number_is_refused_at_once(digits):
    with pytest.raises(SuiteError) as error:
        parse(f">= {digits}")
    assert str(error.value) == f"bound '>= {digits}': {digits!r} is not a number"


def test_swapped_ends_are_noticed():
    with pytest.raises(SuiteError) as error:
        parse("in [0.3, 0]")
    assert str(error.value) == "bound 'in [0.3, 0]': nothing lies in [0.3, 0]; were the ends swapped?"


@settings(deadline=None)
@given(st.integers(-999, 999), st.integers(1, 999))
def test_fractions_are_read_exactly(over, under):
    assert parse(f">= {over}/{under}").low == float(Fraction(over, under))


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_read_exactly(number):
    assert parse(f"<= {number!r}").high == number


@settings(deadline=None)
@given(st.text(max_size=20))
def test_any_text_is_a_bound_or_a_suite_error(text):
    try:
        assert isinstance(parse(text), Bound)
    except SuiteError as error:
        assert str(error).startswith(f"bound {text!r}: ")


@settings(deadline=None)
@given(WHOLE, WHOLE, st.tuples(WHOLE, WHOLE).map(sorted), st.sampled_from([">=", ">", "<=", "<", "in"]))
def test_undecided_is_where_the_inside_of_the_interval_lies_on_both_sides(a, b, interval, sign):
    low, high = interval
    bound = parse(f"in [{min(a, b)}, {max(a, b)}]" if sign == "in" else f"{sign} {a}")
    between = [i / 2 for i in range(2 * low + 1, 2 * high)]
    assert bound.undecided(low, high) == (len({point in bound for point in between}) == 2)


def test_an_interval_that_touches_the_end_is_decided():
    assert not parse(">= 0.8").undecided(0.8, 0.9)
    assert not parse(">= 0.8").undecided(0.7, 0.8)
    assert not parse("< 0.8").undecided(0.8, 0.8)


def test_an_interval_around_the_whole_bound_is_undecided():
    assert parse("in [0.4, 0.5]").undecided(0.3, 0.6)
