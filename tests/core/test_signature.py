import ast
import itertools
import sys
from fractions import Fraction
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robust.core import types as q
from robust.core.annotations import read
from robust.core.errors import SuiteError
from robust.core.signature import Call, Parameter, bind, convert, signature

INF, NAN, NUMBERS = float("inf"), float("nan"), itertools.count()


def says(call, *args):
    with pytest.raises(SuiteError) as error:
        call(*args)
    return str(error.value)


def of(source):
    """The type that an annotation in source stands for."""
    return read(ast.parse(source, mode="eval").body)


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    """Write a module that nobody may import, and return its name."""

    def write(source, name=""):
        name = name or f"theirs_{next(NUMBERS)}"
        path = tmp_path / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{source}\n\nraise RuntimeError('somebody ran this')\n", "utf-8")
        return name

    monkeypatch.syspath_prepend(tmp_path)
    return write


@settings(deadline=None)
@given(st.integers(-(10**6), 10**6), st.integers(1, 10**6))
def test_any_fraction_is_read_exactly(over, under):
    assert convert(f"{over}/{under}", float, "eps") == float(Fraction(over, under))


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_number_in_a_string_is_read_exactly(number):
    assert convert(repr(number), float, "eps") == number


@pytest.mark.parametrize(
    ("value", "wanted", "converted"),
    [
        ("8/255", q.Eps, 8 / 255),
        ("0.5/255", q.Eps, 1 / 510),
        ("0.5 / 255", q.Eps, 1 / 510),
        (".5/2.55e2", q.Eps, 1 / 510),
        ("1e-3/2", q.Eps, 0.0005),
        ("0.1/0.3", q.Eps, 1 / 3),
        ("-1.5/3", float, -0.5),
        (" 8 / 255 ", q.Eps, 8 / 255),
        ("0.1", float, 0.1),
        ("1e-3", float, 0.001),
        (3, float, 3.0),
        (10**300, float, 1e300),
        (0.5, float, 0.5),
        (3, int, 3),
        (True, bool, True),
        ("a", str, "a"),
        (0, q.Eps, 0.0),
        (1, q.Proportion, 1.0),
        (1, q.Count, 1),
        (5, q.Severity, 5),
        (2**31 - 1, q.Seed, 2**31 - 1),
        ("l2", q.Norm, "l2"),
        (None, float | None, None),
        ("1/2", float | None, 0.5),
        (3, int | str, 3),
        ("3", int | str, "3"),
        ("next", q.Target, "next"),
        ({"Sandal": "Sneaker"}, q.Target, {"Sandal": "Sneaker"}),
        ([1, "1/2"], list[float], [1.0, 0.5]),
        ((0, 255), list[float], [0.0, 255.0]),
        ([1, "x", None], list, [1, "x", None]),
        ([[1], []], list[list[float]], [[1.0], []]),
        ([None, 2], list[q.Count | None], [None, 2]),
        ({"a": 1}, dict[str, float], {"a": 1.0}),
        ({"a": {"b": "1/4"}}, dict[str, dict[str, float]], {"a": {"b": 0.25}}),
        ({"a": [1]}, dict[str, list[float]], {"a": [1.0]}),
        ({"a": 1}, dict, {"a": 1}),
        (1, Literal[1, 2], 1),
        ({"any": [object]}, None, {"any": [object]}),
        ("any", Any, "any"),
        (0.5, Annotated[float, "only a remark"], 0.5),
    ],
)
def test_a_value_becomes_what_its_annotation_wants(value, wanted, converted):
    made = convert(value, wanted, "key")
    assert made == converted
    assert type(made) is type(converted)


@pytest.mark.parametrize(
    ("value", "wanted", "message"),
    [
        ("8/x", float, "key = '8/x': not a number; write 0.03 or a fraction like \"8/255\""),
        ("1/2/3", float, "key = '1/2/3': not a number; write 0.03 or a fraction like \"8/255\""),
        ("0.5/0.0", float, "key = '0.5/0.0': not a number; write 0.03 or a fraction like \"8/255\""),
        ("inf/2", float, "key = 'inf/2': not a number; write 0.03 or a fraction like \"8/255\""),
        ("1/inf", float, "key = '1/inf': not a number; write 0.03 or a fraction like \"8/255\""),
        ("1e999999999999/1", float, "key = '1e999999999999/1': not a number; write 0.03 or a fraction like \"8/255\""),
        ("1/0", float, "key = '1/0': not a number; write 0.03 or a fraction like \"8/255\""),
        ("", float, "key = '': not a number; write 0.03 or a fraction like \"8/255\""),
        ("nan", float, "key = 'nan': not a number; write 0.03 or a fraction like \"8/255\""),
        ("1e999", float, "key = '1e999': not a number; write 0.03 or a fraction like \"8/255\""),
        ("1e999999999", float, "key = '1e999999999': not a number; write 0.03 or a fraction like \"8/255\""),
        (10**400, float, f'key = {10**400}: not a number; write 0.03 or a fraction like "8/255"'),
        (True, float, "key = True: must be a number"),
        ([1], float, "key = [1]: must be a number"),
        (True, int, "key = True: must be a whole number"),
        (1.0, int, "key = 1.0: must be a whole number"),
        ("1", int, "key = '1': must be a whole number"),
        (1, bool, "key = 1: must be true or false"),
        ("true", bool, "key = 'true': must be true or false"),
        (1, str, "key = 1: must be a string"),
        ("a", list, "key = 'a': must be a list"),
        ("a", list[float], "key = 'a': must be a list"),
        ([1], dict, "key = [1]: must be a table"),
        ([1], dict[str, float], "key = [1]: must be a table"),
        (-0.1, q.Eps, "key = -0.1: must be a number >= 0"),
        ("-1/255", q.Eps, "key = '-1/255': must be a number >= 0"),
        (INF, q.Eps, "key = inf: must be a number >= 0"),
        (NAN, q.Eps, "key = nan: must be a number >= 0"),
        (0, q.Positive, "key = 0: must be a number > 0"),
        (1.5, q.Proportion, "key = 1.5: must be a number in [0, 1]"),
        (0, q.Count, "key = 0: must be a number >= 1"),
        (6, q.Severity, "key = 6: must be a number in [1, 5]"),
        (0, Annotated[float, q.Range(0, 1, above=True)], "key = 0: must be a number in (0, 1]"),
        ("l3", q.Norm, "key = 'l3': not known; allowed: linf, l2"),
        ("xyz", q.Norm, "key = 'xyz': not known; allowed: linf, l2"),
        ({"a": 1}, q.Norm, "key = {'a': 1}: not known; allowed: linf, l2"),
        (3, Literal[1, 2], "key = 3: not known; allowed: 1, 2"),
        (True, Literal[1, 2], "key = True: not known; allowed: 1, 2"),
        (1.0, Literal[1, 2], "key = 1.0: not known; allowed: 1, 2"),
        ("x", float | None, "key = 'x': not a number; write 0.03 or a fraction like \"8/255\""),
        ("x", None | float, "key = 'x': not a number; write 0.03 or a fraction like \"8/255\""),
        (1, None | str, "key = 1: must be a string"),
        (3, q.Target, "key = 3: must be a string"),
        ({"Sandal": 3}, q.Target, "key.Sandal = 3: must be a string"),
        ([1, "x"], list[float], "key[1] = 'x': not a number; write 0.03 or a fraction like \"8/255\""),
        ([1, -1], list[q.Eps], "key[1] = -1: must be a number >= 0"),
        ([[1], ["x"]], list[list[int]], "key[1][0] = 'x': must be a whole number"),
        ({"a": {"b": "x"}}, dict[str, dict[str, int]], "key.a.b = 'x': must be a whole number"),
    ],
)
def test_what_does_not_fit_is_told_with_what_is_allowed(value, wanted, message):
    assert says(convert, value, wanted, "key") == message


def test_an_error_names_the_key_as_it_stands_in_the_file():
    with pytest.raises(SuiteError) as error:
        convert([0, -1], list[q.Seed], "seeds")
    assert error.value.key == "seeds"
    with pytest.raises(SuiteError) as error:
        convert({"a": "x"}, dict[str, int], "table")
    assert error.value.key == "table.a"


@pytest.mark.parametrize(
    ("source", "means"),
    [
        ("float", float),
        ("Eps", q.Eps),
        ("Target", q.Target),
        ("None", type(None)),
        ("float | None", float | None),
        ("Count | str | None", q.Count | str | None),
        ("Literal['a', 'b']", Literal["a", "b"]),
        ("Literal['a']", Literal["a"]),
        ("Literal[-1, True, None]", Literal[-1, True, None]),
        ("list[Eps]", list[q.Eps]),
        ("dict[str, Eps]", dict[str, q.Eps]),
        ("tuple[float, ...]", list[float]),
        ("tuple[int, int]", tuple[int, int]),
        ("tuple", list),
    ],
)
def test_an_annotation_is_read_from_its_source(source, means):
    assert of(source) == means


def test_a_name_alone_is_a_call_with_the_defaults():
    call = bind("metrics", "confusion")
    assert (call.kind, call.name, call.arguments) == ("metrics", "confusion", {"pairs": 5})


def test_defaults_are_filled_in_and_given_values_converted():
    call = bind("attacks", {"name": "pgd", "eps": "8/255", "steps": 7})
    assert call.arguments == {
        "eps": 8 / 255, "norm": "linf", "steps": 7, "step_size": None, "random_start": True, "restarts": 1,
    }  # fmt: skip


def test_the_table_that_was_bound_is_left_as_it_was():
    table = {"name": "fgsm", "eps": "8/255"}
    bind("attacks", table)
    assert table == {"name": "fgsm", "eps": "8/255"}


@pytest.mark.parametrize(
    ("kind", "table", "message"),
    [
        ("attacks", {"name": "pgb", "eps": 1}, "no attacks named 'pgb'; did you mean 'pgd'?"),
        ("attacks", "foolbox", "no attacks named 'foolbox'; allowed: apgd, apgd_t"),
        ("attacks", {"eps": 1}, "a table of attacks needs a name; allowed: apgd, apgd_t"),
        ("attacks", {"name": 3}, "a table of attacks needs a name; allowed: apgd, apgd_t"),
        ("attacks", "pgd", "pgd needs eps"),
        ("attacks", {"name": "pgd", "eps": 1, "step": 3}, "step: pgd takes no 'step'; did you mean 'steps'?"),
        ("attacks", {"name": "pgd", "eps": 1, "seeds": [1]}, "seeds: pgd takes no 'seeds'; did you mean 'steps'?"),
        ("attacks", {"name": "pgd", "eps": 1, "steps": 0}, "steps = 0: must be a number >= 1"),
        ("attacks", {"name": "pgd", "eps": 1, "norm": "inf"}, "norm = 'inf': not known; did you mean 'linf'?"),
        (
            "architectures",
            {"name": "resnet20", "input_shape": [8, 8, 1]},
            "input_shape: resnet20 takes no 'input_shape'",
        ),
        ("architectures", {"name": "resnet20", "classes": 3}, "classes: resnet20 takes no 'classes'"),
        ("architectures", "foolbox:PGD", "no architectures named 'foolbox:PGD'"),
        ("datasets", {"name": "fashion_mini", "x": 1}, "x: fashion_mini takes no 'x'; there are none yet"),
        ("adversaries", {"name": "fgsm"}, "fgsm needs eps"),
        ("recipes", {"name": "short", "optimizer": "adam"}, "optimizer = 'adam': not known; did you mean 'adamw'?"),
        ("recipes", {"name": "short", "epoch": 1}, "epoch: short takes no 'epoch'; did you mean 'epochs'?"),
        ("recipes", {"name": "short", "warmup": 2}, "warmup = 2: must be a number in [0, 1]"),
    ],
)
def test_what_a_member_does_not_take_is_told(kind, table, message):
    assert says(bind, kind, table).startswith(message)


@pytest.mark.parametrize(("table", "key"), [({"steps": 0}, "steps"), ({"step": 1}, "step"), ({}, None)])
def test_the_error_of_a_binding_names_the_key(table, key):
    with pytest.raises(SuiteError) as error:
        bind("attacks", {"name": "pgd", **({"eps": 1} if table else {}), **table})
    assert error.value.key == key


def test_a_recipe_takes_the_fields_of_its_dataclass():
    short = {p.name: p for p in signature("recipes", "short")}
    assert short["epochs"] == Parameter("epochs", q.Count, 10)
    assert short["label_smoothing"] == Parameter("label_smoothing", q.Proportion, 0.0)
    assert bind("recipes", {"name": "short", "epochs": 2}).arguments["epochs"] == 2


def test_a_call_calls_the_member_with_what_was_bound(tmp_path, monkeypatch):
    (tmp_path / "their_adder.py").write_text(
        "from robust import attack\n\n@attack(access='score')\n"
        "def add(x, *, seeds, eps: float, more=1, **_):\n    return x, seeds, eps, more\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    call = bind("attacks", {"name": "their_adder:add", "eps": "1/2"})
    assert call(7, seeds="s") == (7, "s", 0.5, 1)
    key = call.key()
    assert key == {"kind": "attacks", "name": "their_adder:add", "eps": 0.5, "more": 1, "source": key["source"]}
    (tmp_path / "their_adder.py").write_text("def add(x, *, seeds, eps: float, more=2, **_): ...\n")
    assert call.key()["source"] != key["source"]  # edited code is other code


def test_foreign_code_must_take_what_it_is_given(theirs):
    module = theirs(
        "@attack(access='score')\ndef attack(classifier, images, labels, *, seeds, eps): ...\n"
        "@attack(access='score')\ndef free(*args, eps, **given): ...\n"
    )
    told = says(bind, "attacks", {"name": f"{module}:attack", "eps": 1})
    assert told.endswith("must accept start, targets (or **options)")
    assert bind("attacks", {"name": f"{module}:free", "eps": 1}).arguments == {"eps": 1}


def test_an_attack_beside_as_attack_takes_what_it_is_given_as_a_task(theirs):
    module = theirs(
        "@attack(access='score')\n@as_attack\ndef attack(task, *, eps: Eps, steps: Count = 3): ...\n"
        "@attack(access='score')\ndef bare(task, *, eps): ...\n"
    )
    assert bind("attacks", {"name": f"{module}:attack", "eps": "1/2"}).arguments == {"eps": 0.5, "steps": 3}
    assert "must accept " in says(bind, "attacks", {"name": f"{module}:bare", "eps": 1})


def test_an_linf_eps_above_1_is_told_with_what_was_probably_meant():
    assert 'did you mean "8/255"?' in says(bind, "attacks", {"name": "pgd", "eps": 8})
    assert bind("attacks", {"name": "pgd", "eps": 8, "norm": "l2"}).arguments["eps"] == 8


def test_foreign_code_is_bound_without_running_it(theirs):
    module = theirs(
        "import nothing_like_this\nfrom robust.core.types import Eps\n\n@nothing_like_this.attack(access='score')\n"
        "def attack(\n    classifier, images, labels, *, seeds, start=None, targets=None,\n"
        "    eps: Eps, mode: Literal['a', 'b'] = 'a',\n): ...\n"
    )
    call = bind("attacks", {"name": f"{module}:attack", "eps": "8/255"})
    assert call == Call("attacks", f"{module}:attack", {"eps": 8 / 255, "mode": "a"})
    assert "mode = 'c'" in says(bind, "attacks", {"name": f"{module}:attack", "eps": 0, "mode": "c"})
    assert "did you mean 'mode'" in says(bind, "attacks", {"name": f"{module}:attack", "eps": 0, "modes": "a"})
    assert module not in sys.modules
    with pytest.raises(ImportError, match="nothing_like_this"):
        call.resolve()


def test_a_module_inside_foreign_packages_is_found_without_running_them(theirs):
    theirs("", "their_package.__init__")
    theirs("", "their_package.inner.__init__")
    theirs("@metric(names=('depth',))\ndef measure(result): ...", "their_package.inner.leaf")
    assert bind("metrics", "their_package.inner.leaf:measure").arguments == {}
    assert not any(name.startswith("their_package") for name in sys.modules)
    with pytest.raises(RuntimeError, match="somebody ran this"):
        bind("metrics", "their_package.inner.leaf:measure").resolve()


def test_a_module_inside_folders_that_are_no_packages_is_found(theirs):
    theirs("@metric(names=('depth',))\ndef measure(result): ...", "their_folder.inner.deeper.leaf")
    assert bind("metrics", "their_folder.inner.deeper.leaf:measure").arguments == {}


def test_foreign_annotations_and_defaults_are_never_evaluated(theirs):
    module = theirs(
        "@robust.attack(access='score')\n"
        "def attack(\n    x, *, seeds, start, targets, eps, size: exit(1) = 3, mode: print('ran') = print('ran'),\n"
        "    norm: np.Norm = DEFAULT, how: 'str' = 'a',\n): ...\n"
    )
    call = bind("attacks", {"name": f"{module}:attack", "eps": {"any": "thing"}, "how": "b"})
    assert call.arguments == {"eps": {"any": "thing"}, "how": "b", "size": 3}  # no literal: left to the code
    for key, text in {"size": "exit(1)", "mode": "print('ran')", "norm": "np.Norm"}.items():
        told = f"{key}: a suite's value cannot be checked against its annotation {text}"
        assert says(bind, "attacks", {"name": f"{module}:attack", "eps": 1, key: 1}) == told
    assert says(bind, "attacks", f"{module}:attack") == f"{module}:attack needs eps"


def test_a_foreign_recipe_is_read_as_ours_are(theirs):
    module = theirs(
        "from robust.training.recipes import Recipe\n"
        "long = Recipe(optimizer='sgd', epochs=200, batch_size=64, learning_rate=RATE)\n"
        "alias = long\nthree = 3\nx = f()\n"
    )
    assert says(bind, "recipes", f"{module}:long") == f"{module}:long needs learning_rate"
    call = bind("recipes", {"name": f"{module}:long", "learning_rate": "1/10"})
    assert (call.arguments["epochs"], call.arguments["learning_rate"], call.arguments["warmup"]) == (200, 0.1, 0.0)
    for name in ("alias", "three", "x"):
        assert says(bind, "recipes", f"{module}:{name}").startswith(f"{module}:{name}: its signature cannot be read")
    assert says(bind, "attacks", f"{module}:three").startswith(f"{module}:three: its signature cannot be read")


def test_a_member_of_a_family_takes_what_the_first_of_it_takes(theirs):
    module = theirs(
        "from robust.core.arguments import arguments_of\nfrom robust.models.architectures import resnet20\n\n"
        "@arguments_of(resnet20, width=2)\ndef wide(**options): ...\n\n"
        "@arguments_of(wide, shortcut='B', norm=NORM)\ndef wider(**options): ...\n"
    )
    own, wide, wider = (
        {p.name: p for p in signature("architectures", name)}
        for name in ("resnet20", f"{module}:wide", f"{module}:wider")
    )
    assert wide == {**own, "width": Parameter("width", q.Positive, 2)}
    assert wider["shortcut"] == Parameter("shortcut", own["shortcut"].annotation, "B")
    assert bind("architectures", f"{module}:wider").arguments == {"shortcut": "B", "initializer": "he", "width": 2}
    assert "width = 0: must be" in says(bind, "architectures", {"name": f"{module}:wide", "width": 0})
    assert module not in sys.modules


def test_the_first_of_a_family_stands_above_its_members_or_in_the_catalogue(theirs):
    module = theirs(
        "@arguments_of(later)\ndef early(**options): ...\n\n@arguments_of(early)\ndef later(**options): ...\n"
    )
    for name in ("early", "later"):
        told = says(bind, "architectures", f"{module}:{name}")
        assert told.startswith("no architectures named 'later'")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:f", "no module named 'no_such_module' on the path"),
        ("json.no_such_module:f", "no module named 'json.no_such_module' on the path"),
        ("json.tool.decimal:f", "no module named 'json.tool.decimal' on the path"),
        (":f", "no module named '' on the path"),
        ("..:f", "no module named '..' on the path"),
        ("sys:exit", "no module named 'sys' on the path"),
        ("_json:scanstring", "'_json' is not a Python source file"),
        ("json:no_such_function", "json defines no function 'no_such_function'"),
        ("json:JSONEncoder", "json defines no function 'JSONEncoder'"),
        ("json:", "json defines no function ''"),
        ("json:dumps:x", "json defines no function 'dumps:x'"),
    ],
)
def test_foreign_names_that_lead_nowhere_are_told(name, message):
    if name == "_json:scanstring" and not getattr(sys.modules.get("_json"), "__file__", None):
        message = "no module named '_json' on the path"  # built in
    assert says(bind, "attacks", name) == message


@pytest.mark.parametrize("source", [b"def f(:\n", b"\xff\xfe", b"x = '\0'\n", b"# coding: nonsense\n"])
def test_a_foreign_file_that_is_no_python_is_told(tmp_path, monkeypatch, source):
    name = f"their_broken_{source.hex()}"
    (tmp_path / f"{name}.py").write_bytes(source)
    monkeypatch.syspath_prepend(tmp_path)
    assert says(bind, "attacks", f"{name}:f").startswith(f"{tmp_path}/{name}.py: cannot be read as Python (")


def test_a_folder_that_is_no_package_is_no_module(tmp_path, monkeypatch):
    (tmp_path / "their_data").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert says(bind, "attacks", "their_data:f") == "'their_data' is not a Python source file"


def test_an_attack_of_foolbox_takes_the_arguments_of_its_class():
    call = bind("attacks", {"name": "foolbox:LinfPGD", "eps": "8/255", "steps": 3})
    assert (call.arguments["eps"], call.arguments["norm"], call.arguments["steps"]) == (8 / 255, "linf", 3)
    assert call.arguments["rel_stepsize"] == 0.01 / 0.3
    assert call.arguments["random_start"] is True


def test_the_norm_of_foolbox_is_that_of_the_class_or_must_be_told():
    classes = ("L2DeepFoolAttack", "L1PGD", "L0FMNAttack")
    norms = {p.default for name in classes for p in signature("attacks", f"foolbox:{name}") if p.name == "norm"}
    assert norms == {"l2", "l1", "l0"}
    assert says(bind, "attacks", {"name": "foolbox:SpatialAttack", "eps": 1}) == "foolbox:SpatialAttack needs norm"
    call = bind("attacks", {"name": "foolbox:InversionAttack", "eps": 1, "norm": "linf"})
    assert call.arguments["norm"] == "linf"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"name": "foolbox:LinfPGD"}, "foolbox:LinfPGD needs eps"),
        ({"name": "foolbox:PGD", "eps": 1, "step": 3}, "step: foolbox:PGD takes no 'step'; did you mean 'steps'?"),
        ({"name": "foolbox:LinfPGD", "eps": -1}, "eps = -1: must be a number >= 0"),
        ({"name": "foolbox:LinfPGD", "eps": 1, "norm": "l5"}, "norm = 'l5': not known; allowed: linf, l2, l1, l0"),
        ({"name": "foolbox:LinfDepFoolAttack", "eps": 1},
         "Foolbox has no attack 'foolbox:LinfDepFoolAttack'; did you mean 'foolbox:LinfDeepFoolAttack'?"),
        ({"name": "foolbox:", "eps": 1}, "Foolbox has no attack 'foolbox:'"),
        ({"name": "foolbox:Attack", "eps": 1}, "Foolbox has no attack 'foolbox:Attack'"),
        ({"name": "foolbox:inspect", "eps": 1}, "Foolbox has no attack 'foolbox:inspect'"),
    ],
)  # fmt: skip
def test_what_foolbox_does_not_take_is_told(table, message):
    assert says(bind, "attacks", table).startswith(message)


@pytest.mark.parametrize(
    ("quantity", "inside", "outside"),
    [
        (q.Range(0, 1), [0, 0.5, 1], [-0.1, 1.1, NAN, INF]),
        (q.Range(0, 1, above=True), [0.1, 1], [0, NAN]),
        (q.Range(0), [0, 1e308], [-1e-9, INF, NAN]),
        (q.Range(), [-1e308, 0], [INF, -INF, NAN]),
    ],
)
def test_a_range_holds_finite_numbers(quantity, inside, outside):
    assert all(number in quantity for number in inside)
    assert not any(number in quantity for number in outside)
