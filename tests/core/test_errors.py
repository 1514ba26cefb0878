import inspect
import pickle

import pytest

from robust.core import errors
from robust.core.errors import RobustError, SuiteError, suggest

TREE = [c for c in vars(errors).values() if inspect.isclass(c) and issubclass(c, Exception)]


def test_every_error_is_a_robust_error_and_stands_in_the_drawing():
    assert len(TREE) == 8
    assert all(issubclass(error, RobustError) for error in TREE)
    assert all(error.__name__ in errors.__doc__ for error in TREE)


def test_the_drawing_names_no_error_that_is_not_there():
    drawn = [word for word in errors.__doc__.split() if word.endswith("Error")]
    assert sorted(drawn) == sorted(error.__name__ for error in TREE)


@pytest.mark.parametrize("error", TREE, ids=lambda e: e.__name__)
def test_each_says_what_it_was_given_and_what_it_is(error):
    assert str(error("the words")) == "the words"
    assert error.__doc__


def test_a_suite_error_says_where_once_that_is_known():
    error = SuiteError("eps = -1: must be a number >= 0", "attack.eps")
    assert str(error) == "eps = -1: must be a number >= 0"
    error.where = "a.toml:3"
    assert str(error) == "a.toml:3: eps = -1: must be a number >= 0"
    assert error.key == "attack.eps"


def test_a_suite_error_keeps_its_place_between_processes():
    error = SuiteError("wrong", "seed")
    error.where = "a.toml:3"
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.key) == ("a.toml:3: wrong", "seed")


def test_the_nearest_word_is_suggested():
    assert suggest("resnet21", ["lenet5", "resnet20"]) == "; did you mean 'resnet20'?"
    assert suggest("step", ["eps", "steps", "step_size"]) == "; did you mean 'steps'?"


@pytest.mark.parametrize("allowed", [["resnet20", "resnet32", "resnet110"], ["resnet110", "resnet32", "resnet20"]])
def test_of_two_that_are_equally_near_the_one_that_begins_alike_is_meant(allowed):
    assert suggest("resnet21", allowed) == "; did you mean 'resnet20'?"


def test_where_nothing_is_near_all_are_told_in_their_order():
    assert suggest("x", ["linf", "l2"]) == "; allowed: linf, l2"


def test_sets_are_told_in_a_fixed_order():
    assert suggest("x", {"linf", "l2", "l1"}) == "; allowed: l1, l2, linf"


def test_where_there_is_nothing_that_is_said():
    assert suggest("x", []) == "; there are none yet"


def test_anything_may_be_looked_up():
    assert suggest(3, ["1", "2"]) == "; allowed: 1, 2"
    assert suggest({"a": 1}, ["linf"]) == "; allowed: linf"
