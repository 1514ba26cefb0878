"""An annotation binds, or it is refused: nothing in between, and nothing is run."""

import ast
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import NoneType

import pytest

from robust.core import types as q
from robust.core.annotations import Unreadable, checkable, read
from robust.core.errors import SuiteError
from robust.core.signature import bind, convert

AROUND = """
import typing
import typing as t
import numpy as np
from numpy import Eps as TheirEps, Count
from robust.core import types as quantities
from collections.abc import Callable, Mapping as Table, Sequence
from typing import Optional as Maybe, Union, List
from robust.core.types import Count as Many, Range

Size = int | None
Sizes: typing.TypeAlias = "list[Size]"
Endless = list["Endless"]
Half = Annotated[float, Range(0, 0.5)]
"""


def of(source):
    """The type that an annotation in source stands for, in a module that begins as `AROUND` does."""
    return read(ast.parse(source, mode="eval").body, ast.parse(AROUND).body)


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("Optional[int]", int | None),
        ("Maybe[int]", int | None),
        ("typing.Optional[int]", int | None),
        ("t.Union[int, str]", int | str),
        ("Union[int, None]", int | None),
        ("Sequence[float]", list[float]),
        ("typing.Sequence[t.Optional[float]]", list[float | None]),
        ("List[int]", list[int]),
        ("tuple[float, ...]", list[float]),
        ("tuple[int, str]", tuple[int, str]),
        ("Table[str, float]", dict[str, float]),
        ("'float'", float),
        ("'int | None'", int | None),
        ("list['int']", list[int]),
        ("Many", q.Count),
        ("quantities.Eps", q.Eps),
        ("Eps", q.Eps),
        ("Size", int | None),
        ("Sizes", list[int | None]),
        ("Half", typing.Annotated[float, q.Range(0, 0.5)]),
        ("Annotated[float, 'a remark']", float),
        ("typing.Literal['a', 1]", typing.Literal["a", 1]),
        ("None", NoneType),
        ("Any", typing.Any),
        ("object", typing.Any),
        ("Sequence", list),
        ("Mapping", dict),
    ],
)
def test_an_annotation_is_read_as_python_would(source, wanted):
    assert of(source) == wanted


@pytest.mark.parametrize(
    "source",
    ["Theirs", "np.ndarray", "np.Norm", "TheirEps", "Count", "Literal[NAMES]", "Literal", "Range", "Annotated",
     "Annotated[float, Range(LOW)]",
     "dataclass", "inf", "float | Theirs", "print('ran')", "__import__('os').abort()", "Literal[{[]: 1}]", "3", "[int]",
     "lambda: 1", "...", "Callable", "Callable[[int], float]", "list[Theirs]", "'not python ('", "Endless",
     "type[int]", "Optional"],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_and_never_run(source, capsys):
    assert isinstance(of(source), Unreadable)
    with pytest.raises(SuiteError, match=r"key: a suite's value cannot be checked against its annotation "):
        convert({"what": "ever"}, of(source), "key")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("source", ["list[()]", "tuple[()]", "dict[int]", "list[int, str]", "Optional[()]"])
def test_odd_containers_are_refused_or_containers(source):
    with pytest.raises(SuiteError, match="key"):
        convert(3, of(source), "key")


def test_no_annotation_is_anything():
    assert read(None) is None


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (float, True),
        (typing.Optional[float], True),  # noqa: UP045 (Foolbox has them)
        (Sequence[int], True),
        (Mapping[str, float], True),
        (tuple[float, ...], True),
        (q.Eps, True),
        (Callable[[int], int], False),
        (Iterable[print], False),
        (type, False),
    ],
)
def test_a_type_of_python_is_checkable_or_not(kind, told):
    assert checkable(kind) == told


def test_a_fixed_tuple_has_its_length_and_its_types():
    assert convert([1, "1/2"], tuple[int, float], "key") == [1, 0.5]
    for wrong in ([1], [1, 2, 3], ["a", 1], 3):
        with pytest.raises(SuiteError, match="key"):
            convert(wrong, tuple[int, float], "key")


def test_what_foolbox_takes_is_checked_or_refused():
    table = {"name": "foolbox:LinfPGD", "eps": "8/255"}
    assert bind("attacks", {**table, "abs_stepsize": "1/255"}).arguments["abs_stepsize"] == 1 / 255
    with pytest.raises(SuiteError, match="steps = 'many': must be a whole number"):
        bind("attacks", {**table, "steps": "many"})
    with pytest.raises(SuiteError, match=r"init_attack: .* cannot be checked against its annotation .*Attack"):
        bind("attacks", {"name": "foolbox:BoundaryAttack", "eps": 1, "init_attack": "x"})


def test_a_callable_with_a_default_is_left_alone_and_one_without_is_needed(tmp_path, monkeypatch):
    (tmp_path / "their_callables.py").write_text(
        "from collections.abc import Callable\n"
        "@robust.metric(names=('depth',))\ndef one(result, *, by: Callable[[int], int] = abs): ...\n"
        "@robust.metric(names=('depth',))\ndef other(result, *, by: Callable[[int], int]): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert bind("metrics", "their_callables:one").arguments == {}
    with pytest.raises(SuiteError, match="their_callables:other needs by"):
        bind("metrics", "their_callables:other")
