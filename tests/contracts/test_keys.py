"""What is kept is known by all that made it: each field of each key, and the code that its members import."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys

import pytest

from robust.core import closure
from robust.core.signature import Call, bind
from robust.core.store import code_of, digest
from robust.engine import keys, prepare_models, reference_predictions
from robust.suite import Case, Evaluation, Model, read_case, read_model
from robust.suite.preprocessing import read as preprocessing


def other(value):
    """Another value of the same kind."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            return value + "x"
        case tuple():
            return (*value, "x")
        case dict():
            return {**value, "x": 1}
    return {"x": 1}


SHARED = {
    "model": "m", "how": {"output": None}, "data": ("c", "", ""), "classes": ("a", "b"), "takes": 3, "code": "code",
}  # fmt: skip
KEYS = [
    keys.BlockKey(0, {"name": "c"}, ("f", "", "", {}), "m", {"output": None}, None, "code"),
    keys.CleanKey(what="clean", ids=("1",), **SHARED),
    keys.UnitKey(
        seed=0,
        name="c",
        calls=({"name": "pgd"},),
        target="next",
        minimal=False,
        ids=("1", "2"),
        kept=("1",),
        features=False,
        source=None,
        **SHARED,
    ),
    keys.ChecksKey(units=("u",), probed=("1",), **SHARED),
    keys.ProfileKey(calls=({"name": "cost"},), **SHARED),
    prepare_models.ModelKey({"name": "lenet5"}, None, ("f", "", ""), 0, "code"),
    reference_predictions.PredictionsKey("m", (None, None, False), ("f", "", ""), None, "train", "code"),
]


@pytest.mark.parametrize(("key", "field"), [(key, one.name) for key in KEYS for one in dataclasses.fields(key)])
def test_each_field_of_a_key_makes_another_entry(key, field):
    changed = dataclasses.replace(key, **{field: other(getattr(key, field))})
    assert digest(dataclasses.asdict(changed)) != digest(dataclasses.asdict(key))


FOG, FAB = bind("corruptions", "fog"), bind("attacks", {"name": "fab", "eps": 0.1})
CASE = {  # of each field of a case another value
    "name": "d", "perturbations": (FOG,), "target": "next", "restrict": True, "max_images": 9, "balanced": True,
    "metrics": (bind("metrics", "calibration"),), "profile": (bind("profile", "cost"),), "minimal": FAB,
    "ood": Call("datasets", "digits"),
}  # fmt: skip
MODEL = {"preprocessing": preprocessing([0, 255]), "attack_precision": "bfloat16", "output": "main", "black_box": True}


@pytest.fixture(scope="module")
def cell():
    return Evaluation(read_case("c", {}), read_model("net", {"architecture": "lenet5"}), 0)


@pytest.fixture(scope="module")
def data(problem):
    from robust.datasets.dataset import from_arrays

    return from_arrays(*problem(12)[:2], classes=3)


def fields(kind, apart):
    return [one.name for one in dataclasses.fields(kind) if one.name not in apart]


@pytest.mark.parametrize("field", fields(Case, keys.NOT_IN_KEY))
def test_each_field_of_a_case_makes_another_block(cell, data, field):
    changed = dataclasses.replace(cell, case=dataclasses.replace(cell.case, **{field: CASE[field]}))
    assert digest(keys.key(0, changed, data, "id")) != digest(keys.key(0, cell, data, "id"))


@pytest.mark.parametrize("field", fields(Model, keys.ORIGIN_FIELDS))
def test_each_field_of_a_model_that_says_how_it_is_evaluated_makes_another_block(cell, data, field):
    changed = dataclasses.replace(cell, model=dataclasses.replace(cell.model, **{field: MODEL[field]}))
    assert digest(keys.key(0, changed, data, "id")) != digest(keys.key(0, cell, data, "id"))


@pytest.mark.parametrize("field", ["fingerprint", "channels", "code", "superclasses"])
def test_other_data_make_another_block(cell, data, field):
    changed = dataclasses.replace(data, **{field: {"all": ("0", "1")} if field == "superclasses" else "gray"})
    assert digest(keys.key(0, cell, changed, "id")) != digest(keys.key(0, cell, data, "id"))


def test_a_bound_makes_no_other_block(cell, data):
    bounded = dataclasses.replace(cell, case=read_case("c", {"expect": {"top1": ">= 0.5"}}))
    assert keys.key(0, bounded, data, "id") == keys.key(0, cell, data, "id")


TRAINED = {"architecture": "resnet20", "train": {"recipe": "short", "adversary": {"name": "fgsm", "eps": 0.1}}}
TRAINING = [{"recipe": "modern"}, {"recipe": "short", "adversary": {"name": "pgd", "eps": 0.1}}, {"recipe": "short"}]


@pytest.mark.parametrize("train", TRAINING)
def test_another_training_makes_another_model(data, train):
    one, changed = (read_model("net", {**TRAINED, "train": of}) for of in (TRAINED["train"], train))
    assert digest(prepare_models.key(one, 0, data)) != digest(prepare_models.key(changed, 0, data))


WHOSE = """
import functools, importlib, json, sys
from pathlib import Path
from robust.core import registry
from robust.core.signature import Call
from robust.core.store import code_of

def codes():
    for name in ("catalogue", "closure", "registry", "store"):
        for each in vars(importlib.import_module(f"robust.core.{name}")).values():
            getattr(each, "cache_clear", lambda: None)()
    engine = "robust.engine.blocks"
    return {
        "pgd": code_of([Call("attacks", "pgd"), Call("metrics", "accuracy")], engine),
        "fab": code_of([Call("attacks", "fab"), Call("metrics", "accuracy")], engine),
        "confusion": code_of([Call("attacks", "pgd"), Call("metrics", "confusion")], engine),
        "fog": code_of([Call("corruptions", "fog")], engine),
        "resnet20": code_of([Call("architectures", "resnet20"), Call("augmentations", "flip")], "robust.training.fit"),
        "vgg11": code_of([Call("architectures", "vgg11")], "robust.training.fit"),
    }

@functools.cache
def written(path, text, page):
    return code(path, page=page)

@functools.cache
def read(path, text):
    return tree_of(path)

code, registry.code = registry.code, lambda path, page: written(path, path.read_bytes(), page)
tree_of, registry.tree_of = registry.tree_of.__wrapped__, lambda path: read(path, path.read_bytes())
before = codes()
for line in sys.stdin:
    path, old, text = json.loads(line)
    kept = Path(path).read_text() if Path(path).exists() else ""
    Path(path).write_text(kept.replace(old, text, 1) if old else kept + text)
    print(json.dumps([name for name, code in codes().items() if code != before[name]]))
    Path(path).write_text(kept)
"""  # the sources are read once, as most of them stay the same
EDITS = {  # what is edited -> whose results are made anew
    "attacks/fab.py": {"fab"},
    "attacks/ball.py": {"pgd", "fab", "confusion", "fog", "resnet20", "vgg11"},  # adversaries stay in balls, too
    "attacks/squares.py": {"pgd", "fab", "confusion", "fog"},  # the checks of reliability ask Square
    "metrics/confusion.py": {"confusion"},
    "corruptions/plasma.py": {"fog"},
    "models/architectures/vgg.py": {"vgg11"},
    "training/loop.py": {"resnet20", "vgg11"},
    "training/augmentations/windows.py": {"resnet20"},  # flip stands there
    "training/augmentations/colour.py": set(),
    "core/statistics.py": {"pgd", "fab", "confusion", "fog"},
    "core/errors.py": set(),
    "report/page.py": set(),
    "api/evaluate.py": set(),
    "suite/bounds.py": set(),
}


@pytest.fixture(scope="module")
def edited(tmp_path_factory, pytestconfig):
    """`edited(path, text)`: whose code is another in a copy of the package with this text at the end of a file."""
    root = tmp_path_factory.mktemp("copy")
    shutil.copytree(pytestconfig.rootpath / "robust", root / "robust", ignore=shutil.ignore_patterns("__pycache__"))
    command, env = [sys.executable, "-u", "-c", WHOSE], {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen(
        command, cwd=root, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:

        def edit(path, text, old=""):
            child.stdin.write(json.dumps([str(root / "robust" / path), old, text]) + "\n")
            child.stdin.flush()
            return {*json.loads(child.stdout.readline())}

        yield edit


@pytest.mark.slow
@pytest.mark.parametrize(("path", "whose"), EDITS.items())
def test_an_edit_makes_anew_what_hangs_on_it_and_nothing_else(edited, path, whose):
    assert edited(path, "\nEDITED = 1\n") == whose


def test_a_comment_a_docstring_and_a_member_more_make_nothing_anew(edited):
    assert edited("attacks/pgd.py", "\n# a remark\n") == set()
    assert edited("attacks/pgd.py", '"""Another word about', old='"""') == set()
    line = "if TYPE_CHECKING:\n    from robust.models.architectures.resnet_small import resnet20 as mine"
    assert edited("models/architectures/__init__.py", line, old="if TYPE_CHECKING:") == set()
    assert edited("models/architectures/mine.py", "def mine(): ...\n") == set()
    assert edited("__init__.py", '\n__version__ = "9.9"\n') == set()


def test_attacks_that_are_called_by_name_are_followed():
    found = closure.closure(["robust.attacks.diagnostics.stronger_attack"])
    assert {"robust.attacks.apgd", "robust.attacks.square"} <= {*found} and "robust.attacks.fab" not in found


def test_code_of_a_user_stands_in_the_key_of_the_call(tmp_path, monkeypatch):
    (tmp_path / "mine_for_keys.py").write_text("@metric(names=('depth',))\ndef depth(result): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    call = bind("metrics", "mine_for_keys:depth")
    before = call.key()
    assert code_of([call]) == code_of([])
    (tmp_path / "mine_for_keys.py").write_text("@metric(names=('depth',))\ndef depth(result): return 1\n")
    assert call.key() != before
