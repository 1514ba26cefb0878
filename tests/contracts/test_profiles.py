"""The exam of every profile: it yields what it declares, of any classifier, and leaves the model as it was."""

import math

import pytest

from robust.core import declared, registry, signature
from robust.datasets.dataset import from_splits
from robust.results.evaluation import Value

every = pytest.mark.parametrize("name", registry.names("profile"))


@pytest.fixture(scope="module")
def measured(classifier, problem):
    """The values of a profile, measured once."""
    toy, known = problem(80), {}
    data = from_splits({"train": (toy.images, toy.labels), "test": (toy.images, toy.labels)}, classes=3)

    def measure(name):
        if name not in known:
            known[name] = list(signature.bind("profile", name)(classifier, data))
        return known[name]

    return measure


@every
def test_yields_what_it_declares_and_nothing_else(measured, name):
    about = declared.yields("profile", name)
    assert measured(name) and all(isinstance(value, Value) for value in measured(name))
    for value in measured(name):
        assert value.metric in (about.dynamic if value.subset else about.names), value
    keys = [(value.metric, value.subset) for value in measured(name)]
    assert len({*keys}) == len(keys)


@every
def test_values_are_plain_numbers_in_their_ranges(measured, name):
    shares = declared.yields("profile", name).shares
    for value in measured(name):
        assert type(value.value) is float and not math.isinf(value.value) and value.n > 0
        assert value.metric not in shares or 0 <= value.value <= 1


@every
def test_nothing_changes_in_the_model(classifier, measured, name):
    before = [v.numpy().tobytes() for v in classifier.model.variables]
    measured(name)
    assert before == [v.numpy().tobytes() for v in classifier.model.variables]
