import functools
import inspect
import pickle
import typing

import pytest

from robust.core.arguments import arguments_of
from robust.core.types import Positive


def first(*, classes=10, width: Positive = 1.0) -> tuple:
    """The first."""
    return "first", classes, width


@arguments_of(first, classes=100)
def second(**options) -> tuple:
    """The second."""
    return "second", options["classes"], options["width"]


@arguments_of(second)
def third(**options) -> tuple:
    return "third", options["classes"], options["width"]


def test_a_member_is_given_every_argument_that_the_first_has():
    assert first() == ("first", 10, 1.0)
    assert second() == ("second", 100, 1.0)
    assert second(classes=3, width=2) == ("second", 3, 2)
    assert third(width=2) == ("third", 100, 2)


def test_it_is_a_function_of_its_own_with_the_signature_of_the_first():
    assert inspect.isfunction(second)
    assert (second.__name__, second.__doc__, second.__module__) == ("second", "The second.", __name__)
    assert str(inspect.signature(second)) == str(inspect.signature(first)).replace("classes=10,", "classes=100,")
    assert typing.get_type_hints(second, include_extras=True) == {"width": Positive, "return": tuple}
    assert inspect.signature(first).parameters["classes"].default == 10
    assert pickle.loads(pickle.dumps(second)) is second


@pytest.mark.parametrize("call", [functools.partial(second, widht=2), functools.partial(second, 3)])
def test_what_the_first_does_not_take_the_member_does_not(call):
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'widht'|too many positional arguments"):
        call()


def test_a_default_of_no_argument_is_a_mistake():
    with pytest.raises(KeyError, match="klasses"):
        arguments_of(first, klasses=3)
