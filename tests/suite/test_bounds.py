from fractions import Fraction
from math import inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robust.core.errors import SuiteError
from robust.suite.bounds import Bound, NoWorse, parse, state

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
        ("<= 0.5/2", [0.25], [0.26]),
        ("> 0.5", [inf], [-inf]),
        ("< 0.5", [-inf], [inf]),
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
             ">= 0.8 <= 0.9", "between 0 and 1", ">= nan", ">= inf", "in [0, 1", ">= 1/-2", "!= 3", ">= 80 %", ">= 0,8",
             "low 0.8", "ci_low", "no worse than lenet5", "no worse than lenet5 by", "no worse than by 0.1",
             "no worse then lenet5 by 0.01", "no worse than lenet5 by 1 %", "worse than lenet5 by 0.01"]
)  # fmt: skip
def test_what_is_no_bound_is_told_how_to_write_one(text):
    with pytest.raises(SuiteError) as error:
        parse(text)
    ways = '">= 0.80", "> 0.8", "<= 0.2", "< 0.2", "in [0, 0.3]", "low >= 0.80"'
    assert str(error.value) == f'bound {text!r}: write {ways} or "no worse than lenet5 by 0.01"'


@pytest.mark.parametrize("value", [0.8, 1, True, None, [">= 1"], {"ci_low": 0}])
def test_what_is_no_string_is_refused(value):
    with pytest.raises(SuiteError) as error:
        parse(value)
    assert str(error.value) == f'bound {value!r}: must be a string like ">= 0.80" or "in [0, 0.3]"'


@pytest.mark.parametrize("digits", ["1/0", "..", "1.2.3", "1e999", "1e999999999", "9" * 400, "9" * 5000])
def test_what_is_no_finite_number_is_refused_at_once(digits):
    with pytest.raises(SuiteError) as error:
        parse(f">= {digits}")
    assert str(error.value) == f"bound '>= {digits}': {digits!r} is not a number"


def test_swapped_ends_are_noticed():
    with pytest.raises(SuiteError) as error:
        parse("in [0.3, 0]")
    assert str(error.value) == "bound 'in [0.3, 0]': the range [0.3, 0] is empty; were the ends swapped?"


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
        assert isinstance(parse(text), Bound | NoWorse)
    except SuiteError as error:
        assert str(error).startswith(f"bound {text!r}: ")


@settings(deadline=None)
@given(WHOLE, WHOLE, st.tuples(WHOLE, WHOLE).map(sorted), st.sampled_from([">=", ">", "<=", "<", "in"]))
def test_undecided_is_where_some_values_of_the_interval_meet_the_bound_and_some_do_not(a, b, interval, sign):
    low, high = interval
    bound = parse(f"in [{min(a, b)}, {max(a, b)}]" if sign == "in" else f"{sign} {a}")
    within = [i / 2 for i in range(2 * low, 2 * high + 1)]
    assert bound.undecided(low, high) == (len({point in bound for point in within}) == 2)


def test_an_interval_that_touches_the_end_is_decided_only_if_all_of_it_meets_or_misses():
    assert not parse(">= 0.8").undecided(0.8, 0.9)
    assert parse("> 0.8").undecided(0.8, 0.9)
    assert not parse("< 0.8").undecided(0.8, 0.8)
    nan = float("nan")
    assert not parse(">= 0.8").undecided(nan, nan) and not parse(">= 0.8").undecided(nan, 0.9)


def test_all_right_of_few_images_does_not_show_that_all_are_right():
    """5 of 5 images: [0.478, 1]; what asks for 1, or for no error, could be missed by another sample."""
    assert parse(">= 1").undecided(0.478, 1.0) and parse("<= 0").undecided(0.0, 0.522)
    assert parse("in [0.9, 1]").undecided(0.478, 1.0)
    assert not parse(">= 0").undecided(0.0, 0.522) and not parse("<= 1").undecided(0.478, 1.0)


def test_an_interval_around_the_whole_bound_is_undecided():
    assert parse("in [0.4, 0.5]").undecided(0.3, 0.6)


def row(value, low, high, metric="top1"):
    return {"metric": metric, "value": value, "ci_low": low, "ci_high": high}


@pytest.mark.parametrize(
    ("text", "of", "meets", "misses"),
    [
        (">= 0.80", "value", row(0.81, 0.78, 0.84), row(0.79, 0.78, 0.84)),
        ("low >= 0.80", "ci_low", row(0.83, 0.80, 0.86), row(0.83, 0.79, 0.86)),
        ("low > 0.80", "ci_low", row(0.83, 0.81, 0.86), row(0.83, 0.80, 0.86)),
        ("high <= 0.05", "ci_high", row(0.03, 0.02, 0.05), row(0.03, 0.02, 0.06)),
        ("low in [0.2, 0.4]", "ci_low", row(0.5, 0.3, 0.6), row(0.3, 0.1, 0.5)),
        ("high in [ 0.2 , 1/2 ]", "ci_high", row(0.3, 0.1, 0.5), row(0.4, 0.3, 0.6)),
        ("  low   >=0.8  ", "ci_low", row(0.9, 0.8, 0.95), row(0.9, 0.7, 0.95)),
    ],
)
def test_a_bound_says_what_is_held_against_it(text, of, meets, misses):
    bound = parse(text)
    assert (bound.of, bound.text) == (of, text.strip())
    assert bound.judge(meets) is True
    assert bound.judge(misses) is False


def test_a_bound_on_an_end_is_never_undecided():
    assert parse(">= 0.8").undecided(0.7, 0.9)
    assert not parse("low >= 0.8").undecided(0.7, 0.9)
    assert not parse("no worse than a by 0").undecided(-0.1, 0.1)


def test_an_end_of_no_interval_misses_as_what_has_no_value_does():
    bound, none = parse("low >= 3"), float("nan")
    assert bound.judge(row(5, none, none)) is False and bound.lacks_interval_end(row(5, none, none))
    assert bound.judge(row(none, none, none)) is False and not bound.lacks_interval_end(row(none, none, none))
    assert not parse(">= 3").lacks_interval_end(row(5, none, none))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lo >= 0.8", "'lo' is no end of an interval; did you mean 'low'?"),
        ("lower in [0, 1]", "'lower' is no end of an interval; did you mean 'low'?"),
        ("hihg<0.8", "'hihg' is no end of an interval; did you mean 'high'?"),
        ("value >= 0.8", "'value' is no end of an interval; allowed: low, high"),
        ("low >= 1/0", "'1/0' is not a number"),
        ("no worse than a by -0.01", "by -0.01: how much worse it may be is at least 0"),
        ("no worse than a by 1/0", "'1/0' is not a number"),
    ],
)
def test_words_that_are_nearly_a_bound_are_told_what_was_meant(text, message):
    with pytest.raises(SuiteError) as error:
        parse(text)
    assert str(error.value) == f"bound {text!r}: {message}"


@pytest.mark.parametrize(
    ("text", "than", "by", "of_report"),
    [
        ("no worse than lenet5 by 0.01", "lenet5", 0.01, False),
        (" no  worse than resnet20-v1.5 by 1/100", "resnet20-v1.5", 0.01, False),
        ("no worse than reports/base by 0", "reports/base", 0, True),
        ("no worse than ./base by 1e-3", "./base", 1e-3, True),
    ],
)
def test_no_worse_than_a_model_or_a_report(text, than, by, of_report):
    bound = parse(text)
    assert (bound.than, bound.by, bound.of_report, bound.text) == (than, by, of_report, text.strip())


def test_a_difference_is_judged_by_the_end_that_it_has():
    bound, none = parse("no worse than a by 0.01"), float("nan")
    assert bound.judge(row(0.02, -0.01, none)) is True
    assert bound.judge(row(0.02, -0.011, none)) is False
    assert bound.judge(row(-0.02, none, 0.01)) is True
    assert bound.judge(row(-0.02, none, 0.011)) is False


@pytest.mark.parametrize(
    ("text", "possible"),
    [(">= 0.8", True), (">= 80", False), ("<= -1", False), ("low >= 1", True), ("in [2, 3]", False),
     ("no worse than a by 0.01", True), ("no worse than a by 1", False)],
)  # fmt: skip
def test_what_a_proportion_could_never_meet_or_never_miss(text, possible):
    assert parse(text).possible(0, 1) == possible


NOTHING = float("nan")


@pytest.mark.parametrize(
    ("value", "low", "high", "is_open"),
    [
        (-0.25, -0.5, NOTHING, True),  # the value just meets it
        (-0.26, -0.5, NOTHING, False),
        (0.25, NOTHING, 0.5, True),
        (0.26, NOTHING, 0.5, False),
        (0.0, -0.25, NOTHING, False),  # the end meets it, too: passed
        (0.0, NOTHING, 0.25, False),
        (0.9, NOTHING, NOTHING, True),
    ],
)
def test_no_worse_is_open_where_the_value_meets_it_and_its_end_does_not(value, low, high, is_open):
    assert parse("no worse than a by 0.25").open(row(value, low, high, "difference")) is is_open


@pytest.mark.parametrize(("trust", "metric", "allowed", "becomes"), [
    ("invalid", "top1", False, "unsupported"), ("invalid", "top1", True, "passed"),
    ("invalid", "reliability", False, "passed"), ("reliable", "top1", False, "passed"),
    ("suspect", "top1", False, "passed"), ("", "top1", True, "passed"),
])  # fmt: skip
def test_only_an_invalid_number_is_unsupported_unless_that_is_allowed(trust, metric, allowed, becomes):
    found = {**row(0.9, 0.8, 1.0, metric), "bound": parse(">= 0.5"), "reliability": trust}
    assert state(found, allow_invalid=allowed) == becomes
    assert state({**found, "value": 0.4}, allow_invalid=allowed) == "missed"
    assert state(found) == ("unsupported" if trust == "invalid" and metric != "reliability" else "passed")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (">= 1", "undecided"),  # nothing was looked for beyond 0.05
        ("> 0.06", "undecided"),
        ("<= 1", "undecided"),
        ("in [0.01, 1]", "undecided"),
        ("low >= 1", "undecided"),
        (">= 0.05", "passed"),
        ("> 0.01", "passed"),
        ("<= 0.05", "missed"),
        ("in [0, 0.01]", "missed"),
    ],
)
def test_of_a_distance_that_was_not_found_it_is_known_that_it_is_beyond_eps(text, what):
    row = {"metric": "median_distance", "value": inf, "ci_low": inf, "ci_high": inf, "unit": "distance", "eps": 0.05}
    assert state({**row, "bound": parse(text), "reliability": "reliable"}) == what
    assert state({**row, "bound": parse(text), "reliability": "reliable"}, allow_invalid=True) == what


def test_what_is_infinite_and_no_distance_is_held_against_its_bound_as_it_is():
    row = {"metric": "nll", "value": inf, "ci_low": nan, "ci_high": nan, "unit": "nats", "eps": 0.05, "reliability": ""}
    assert [state({**row, "bound": parse(text)}) for text in ("<= 1", ">= 1")] == ["missed", "passed"]
