"""Every remedy of a message is worded for the interface in which it is read, and is accepted there as it is typed."""

import ast
import inspect
import re
import shlex
from pathlib import Path

import pytest

import robust
from robust.api import cli
from robust.api.cli.preprocessing import parsed
from robust.core import key_values, remedies, toml
from robust.core.errors import ModelError, SuiteError
from robust.core.remedies import INTERFACES, formatted, named, of_a_suite, setting, using_interface
from robust.results.flags import FLAGS
from robust.suite import load, read_case

SOURCES = [path for path in Path(robust.__file__).parent.rglob("*.py") if path.name != "remedies.py"]
PGD, FAB = {"name": "pgd", "eps": "8/255"}, {"name": "fab", "eps": "16/255"}
SAID = {
    "preprocessing": [[0, 255], [-1, 1], [0.5, 2.5], "caffe"],
    "transform": ["imagenet", {"size": 96}, {"size": 32, "antialias": False}],
    "classes": [["cat", "dog"], ["a b", "c'd"], "cat,dog"],
    "channels": ["rgb", "gray"],
    "black_box": [True],
    "output": ["main", "two words"],
    "attack": [{"name": "square", "eps": "8/255"}, {**PGD, "steps": 100}],
    "max_images": [100],
    "balanced": [True],
    "target": ["all", {"cat": "dog"}, {"name": "a b"}],
    "minimal": [FAB],
    "ood": [{"name": "digits"}],
    "restrict": [True],
    "precision": ["float32"],
    "sampling": ["balanced"],
    "class_weights": ["balanced"],
    "factor": [0.97],
    "adversary": [PGD],
    "allow_code": [True],
    "out": ["reports/other"],
    "tensorboard": ["logs-2"],
}
"""Values of every key that a message may name."""
ADVISED = [pair for ill in FLAGS.values() for pair in named(ill.remedy)]
PAIRS = [(key, value) for key, values in SAID.items() for value in values] + ADVISED
OF_A_TRAINING = ("precision", "sampling", "class_weights", "factor", "adversary", "tensorboard")
OF_A_SUITE = ("minimal", "ood", "restrict")
OF_A_MODEL = ("preprocessing", "output", "black_box")
CASES = {
    "balanced": "{}\nmax_images = 5",
    "ood": '{}\nmetrics = ["outliers"]',
    "restrict": '{}\ndata = {{ name = "digits" }}',
    "target": 'attack = {{ name = "pgd", eps = "8/255", {} }}\nmetrics = ["targetability"]',
}
SUITE = """
data = {{ folder = "photos"{data} }}
[model.m]
{kind}
{model}
[case.c]
{case}
"""


def calls(path):
    return [
        node
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "setting"
    ]


@pytest.mark.slow
def test_every_key_that_a_message_names_is_followed_here():
    named_there = {call.args[0].value for path in SOURCES for call in calls(path) if hasattr(call.args[0], "value")}
    assert named_there | {"preprocessing"} == SAID.keys()


@pytest.mark.parametrize(("key", "value"), PAIRS, ids=str)
def test_it_is_typed_in_a_suite(key, value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    text = formatted(setting(key, value), "suite")
    if key == "tensorboard":  # a suite has none
        return
    if key in ("allow_code", "out"):
        assert accepted(["run", "s.toml", *shlex.split(text)])
        return
    assert toml.loads(text) == {key: value}
    model = text if key in OF_A_MODEL else ""
    kind = 'architecture = "lenet5"'
    if key in OF_A_TRAINING:
        more = {"factor": 'schedule = "exponential", '}.get(key, "")
        model = f'train = {{ recipe = "short", {more}{text} }}'
    case = text if key in ("attack", "minimal", "max_images") else CASES.get(key, "").format(text)
    data = f", {text}" if key in ("transform", "classes", "channels") else ""
    Path("s.toml").write_text(SUITE.format(data=data, kind=kind, model=model, case=case))
    assert load(Path("s.toml")).cases


def accepted(words):
    command, bound, *_ = cli.app.parse_args(words, exit_on_error=False, print_error=False)
    return command, bound.arguments


@pytest.mark.parametrize(("key", "value"), PAIRS, ids=str)
def test_it_is_typed_as_options(key, value):
    text = formatted(setting(key, value), "command")
    if key in OF_A_SUITE:
        assert text == f"in a suite, {formatted(setting(key, value), 'suite')}"
        return
    if key in OF_A_TRAINING:
        _, given = accepted(["train", "lenet5", *shlex.split(text)])
    else:
        more = ["--attack", "pgd"] if key == "target" else []
        _, given = accepted(["evaluate", "m.keras", "--data", "photos/", *more, *shlex.split(text)])
    READ_AS_OPTIONS.get(key, plain)(given, key, value)


def plain(given, key, value):
    assert given[key] in (value, str(value), Path(str(value)))


def of_attack(given, key, value):
    from robust.api.cli.evaluate import _attacks

    [table] = _attacks(given["attack"], given.get("eps"), given.get("set_") or [])
    assert read_case("c", {"attack": table}) == read_case("c", {"attack": value})


def of_adversary(given, key, value):
    assert {"name": given["adversary"], "eps": given["eps"]} == value


def of_settings(given, key, value):
    kind, name = ("attacks", "pgd") if key == "target" else ("recipes", "short")
    assert key_values.settings(kind, name, given["set_"], "--set") == {key: value}


def of_preprocessing(given, key, value):
    assert parsed(given[key]) == value


def of_data(given, key, value):
    text = given[key]
    seen = {"size": int(text)} if text.isdecimal() else key_values.value(text) if text.startswith("{") else text
    assert seen == (",".join(value) if isinstance(value, list) else value)


READ_AS_OPTIONS = {
    "preprocessing": of_preprocessing,
    "transform": of_data,
    "classes": of_data,
    "attack": of_attack,
    "adversary": of_adversary,
    "target": of_settings,
    "factor": of_settings,
}


@pytest.mark.parametrize(("key", "value"), PAIRS, ids=str)
def test_it_is_typed_in_python(key, value):
    if key in (*OF_A_SUITE, *OF_A_TRAINING):  # nothing is trained from Python
        return
    text = formatted(setting(key, value), "python")
    text = f'attacks={{"name": "pgd", "eps": "8/255", {text}}}' if key == "target" else text
    given = eval(f"dict({text})")
    assert inspect.signature(robust.evaluate).bind_partial(**given)
    [said] = given.values()
    if key in ("attack", "target"):
        measure = {"metrics": ["targetability"]} if key == "target" else {}
        assert read_case("c", {"attack": said, **measure}).calls
    elif key == "transform":
        assert said == (value["size"] if value == {"size": 96} else value)
    else:
        assert said == value


def test_names_of_classes_that_hold_commas_are_a_file_on_the_command_line():
    said = setting("classes", ["great white, a shark", "b"])
    assert formatted(said, "command") == "--classes names.txt, a file with one name per line"
    assert toml.loads(formatted(said, "suite")) == {"classes": ["great white, a shark", "b"]}


def test_an_error_speaks_the_words_of_the_innermost_interface_that_it_leaves():
    with pytest.raises(ModelError) as caught, using_interface("command"), using_interface("suite"):
        raise ModelError(f"say {setting('black_box', True)}")
    assert str(caught.value) == "say black_box = true" and remedies.current_interface() == "python"
    with pytest.raises(SuiteError) as caught, using_interface("command"):
        raise SuiteError(f"say {setting('black_box', True)}")
    assert str(caught.value) == "say --black-box"
    assert str(ModelError(f"say {setting('black_box', True)}")) == "say black_box=True"


def test_one_image_is_attacked_by_square_or_noise():
    for name in ("square", "noise"):
        _, given = accepted(["attack", "panda", *formatted(setting("attack", {"name": name}), "command").split()])
        assert given["attack_"] == name


def test_what_is_no_remedy_stays_as_it_is():
    assert [formatted("⟪x⟫ [1]", each) for each in INTERFACES] == ["⟪x⟫ [1]"] * 5
    assert remedies.formatted_all({"a": [setting("output", "⟫")], "b": 1}) == {"a": ["output='⟫'"], "b": 1}


def test_under_pytest_trust_and_the_folder_are_settings_of_pytest():
    assert formatted(setting("allow_code", True), "pytest") == "-o robust_allow_code=true"
    assert formatted(setting("out", "other"), "pytest") == "-o robust_reports=other"
    assert formatted(setting("preprocessing", "tf"), "pytest") == 'preprocessing = "tf"'


def test_a_suite_is_toml_and_what_stands_beside_it_as_it_was_begun():
    told = f"{setting('output', 'x')} {setting('allow_code', True)}"
    words = {"python": "allow_code=True", "command": "--allow-code", "pytest": "-o robust_allow_code=true"}
    for begun, beside in words.items():
        with using_interface(begun), of_a_suite():
            assert formatted(told) == f'output = "x" {beside}'


def test_an_unknown_remedy_in_a_suite_from_python_is_toml(tmp_path):
    (tmp_path / "s.toml").write_text(
        'data = "digits"\n[model.m]\narchitecture = "lenet5"\npreprocessing = 255\n[case.c]\n'
    )
    with pytest.raises(SuiteError, match=r"s.toml:4: preprocessing = 255: .* as in preprocessing = \[0, 255\]"):
        robust.load(tmp_path / "s.toml")


def texts(path):
    """The strings of a module that are no docstrings, with those of one message joined."""
    tree = ast.parse(path.read_text("utf-8"))
    notes = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if id(node) in notes | inside:
            continue
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


SHELL = re.compile(r"`robust [^`]*`")  # a command by its name is one in every interface
TYPED = re.compile(rf"(?<![\w-])--[a-z]|\b(?:{'|'.join(SAID)}) = (?:[\[\"{{']|true|\d)")
HEAD = re.compile(r"^[^:;]*: |^robust: ")  # what came
OPTIONS = re.compile(r"-\w|--[\w-]+")  # what is handed to a parser of options, or names the one at fault


def test_no_message_holds_a_remedy_in_the_words_of_one_interface():
    found = {
        f"{path.name}: {text}"
        for path in SOURCES
        if "cli" not in path.parts and path.name not in ("html.py", "schedules.py")
        for text in texts(path)
        if TYPED.search(HEAD.sub("", SHELL.sub("", text))) and not OPTIONS.fullmatch(text)
    }
    assert found == set()
