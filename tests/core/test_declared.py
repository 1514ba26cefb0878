"""What stands beside a member is read from source, and what is wrong with it is told; nothing is imported."""

import sys

import pytest

from robust.core.declared import Metric, yields
from robust.core.errors import SuiteError

MEMBERS = """
@metric(names=("depth",))
def one(result): ...

@declared.metric(names=("depth",), per_class=("depth", "width"), subsets={"height": ("low", "high")}, shares=("width",))
def two(result): ...

def mute(result): ...

@profile(names=("depth",))
def other(result): ...

@metric(names=NAMES)
def indirect(result): ...

@metric(name=("depth",))
def unknown(result): ...

@metric(names=("depth",), shares=("width",))
def foreign(result): ...

@metric(names=("depth",), needs=("traim",))
def needy(result): ...

@metric(names=("depth",), only_if={"depth": "sun"})
def sunny(result): ...

@metric()
def nothing(result): ...

value = 3
raise RuntimeError("it was imported")
"""


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    (tmp_path / "their_members.py").write_text(MEMBERS)
    monkeypatch.syspath_prepend(tmp_path)
    yield "their_members"
    assert "their_members" not in sys.modules


def test_the_keywords_are_the_fields(theirs):
    assert yields("metrics", f"{theirs}:one") == Metric(names=("depth",))
    two = yields("metrics", f"{theirs}:two")
    assert two.all_names == ("depth", "width", "height") and two.shares == ("width",)
    assert two.of("width", ["cat"], ["pet"]) == ("cat",) and two.of("height", ["cat"], []) == ("low", "high")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        *((name, "is not declared: decorate it, as in @robust.metric(names=(...))") for name in
          ("mute", "other", "value")),
        ("indirect", "the arguments of @metric are read from source, so they must be literals"),
        ("unknown", "@metric takes no 'name'; did you mean 'names'?"), ("foreign", "@metric does not know 'width'"),
        ("needy", "@metric does not know 'traim'; did you mean 'train'?"), ("sunny", "@metric does not know 'sun'"),
        ("nothing", "yields nothing"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_them_is_told(theirs, name, message):
    with pytest.raises(SuiteError) as error:
        yields("metrics", f"{theirs}:{name}")
    assert message in str(error.value) and f"{theirs}:{name}" in str(error.value)
