"""The shared exam of every catalogue: what is read from source is what Python itself would say."""

import dataclasses
import importlib
import inspect
import subprocess
import sys
import typing

import pytest

from robust.api import listing
from robust.core import declared, registry, signature
from robust.core.errors import SuiteError

MEMBERS = [(kind, name) for kind in registry.KINDS for name in registry.names(kind)]
FUNCTIONS = [(kind, name) for kind, name in MEMBERS if kind != "recipes"]
PROBES = [
    "8/255", "x", "linf", "l2", "modern", "1998", "adamw", "A", -1, 0, 1, 3, 6, 10**9, 0.5, 1.5, -0.5, True, None,
    [], [1], ["1/2"], {}, {"a": 1}, {"a": "b"}, float("inf"), float("nan"),
]  # fmt: skip
PAGES = ["robust", *(page for page in registry.KINDS.values() if page != "robust.training.recipes")]


def python(code, *arguments):
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def outcome(value, wanted):
    try:
        made = signature.convert(value, wanted, "key")
        return type(made), repr(made)
    except SuiteError as error:
        return str(error)


def real_parameters(kind, name):
    """What Python says of the real thing: name -> (annotation, default), `...` where there is none."""
    member = registry.resolve(kind, name)
    if kind == "recipes":
        hints = typing.get_type_hints(type(member), include_extras=True)
        return {f.name: (hints[f.name], getattr(member, f.name)) for f in dataclasses.fields(member)}
    hints = typing.get_type_hints(member, include_extras=True)
    options = [p for p in inspect.signature(member).parameters.values() if p.kind is p.KEYWORD_ONLY]
    return {
        p.name: (hints.get(p.name), ... if p.default is p.empty else p.default)
        for p in options
        if p.name not in signature.SUPPLIED.get(kind, ())
    }


@pytest.mark.parametrize(("kind", "page"), registry.KINDS.items())
def test_names_are_those_of_the_contents_page(kind, page):
    assert registry.names(kind) == sorted(importlib.import_module(page).__all__)
    assert len(set(registry.names(kind))) == len(registry.names(kind)) > 0


@pytest.mark.parametrize(("kind", "name"), MEMBERS)
def test_every_name_resolves_to_what_the_page_gives(kind, name):
    member = registry.resolve(kind, name)
    assert member is getattr(importlib.import_module(registry.KINDS[kind]), name)
    assert callable(member) == (kind != "recipes")
    assert not inspect.ismodule(member)


@pytest.mark.parametrize(("kind", "name"), FUNCTIONS)
def test_a_member_is_called_as_its_catalogue_calls_it(kind, name):
    assert registry.resolve(kind, name).__name__ == name


@pytest.mark.parametrize(("kind", "name"), MEMBERS)
def test_every_name_has_a_line_of_its_own(kind, name):
    line = registry.summary(kind, name)
    assert line.strip() == line
    assert 10 < len(line) <= 120
    if kind != "recipes":
        assert line == inspect.getdoc(registry.resolve(kind, name)).split("\n")[0]


@pytest.mark.parametrize(("kind", "name"), MEMBERS)
def test_the_schema_has_the_real_keys_and_defaults(kind, name):
    read = {p.name: p.default for p in signature.signature(kind, name)}
    real = {key: default for key, (_, default) in real_parameters(kind, name).items()}
    assert read == real
    assert list(read) == list(real)
    assert [type(d) for d in read.values()] == [type(d) for d in real.values()]


@pytest.mark.parametrize(("kind", "name"), MEMBERS)
def test_the_schema_converts_as_the_real_annotations_do(kind, name):
    real = real_parameters(kind, name)
    for parameter in signature.signature(kind, name):
        annotation, default = real[parameter.name]
        assert parameter.annotation is not None, f"{parameter.name}: its annotation cannot be read from source"
        for probe in [*PROBES, *([] if default is ... else [default])]:
            assert outcome(probe, parameter.annotation) == outcome(probe, annotation), (parameter.name, probe)


@pytest.mark.parametrize(("kind", "name"), MEMBERS)
def test_defaults_are_what_a_suite_could_have_written(kind, name):
    for parameter in signature.signature(kind, name):
        if parameter.default is not ...:
            assert signature.convert(parameter.default, parameter.annotation, parameter.name) == parameter.default


@pytest.mark.parametrize(("kind", "name"), FUNCTIONS)
def test_what_the_run_supplies_the_member_takes(kind, name):
    parameters = inspect.signature(registry.resolve(kind, name)).parameters
    assert signature.SUPPLIED.get(kind, set()) <= parameters.keys()
    assert all(parameters[key].kind is inspect.Parameter.KEYWORD_ONLY for key in signature.SUPPLIED.get(kind, ()))


@pytest.mark.parametrize(("kind", "name"), FUNCTIONS)
def test_a_member_has_no_more_than_six_keys_of_its_own(kind, name):
    assert len(signature.signature(kind, name)) <= 6


@pytest.mark.parametrize(("kind", "name"), [m for m in MEMBERS if m[0] in ("metrics", "profile")])
def test_every_measure_and_inspection_declares_its_metrics(kind, name):
    about = declared.yields(kind, name)
    assert {*about.shares, *about.only_if} <= {*about.all_names} and {*about.needs} <= {*declared.NEEDS}


def test_no_metric_is_declared_twice():
    of_values = [member for member in MEMBERS if member[0] in ("metrics", "profile")]
    names = [name for member in of_values for name in declared.yields(*member).all_names]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_nothing_but_its_members(page):
    assert sorted(registry.homes(page)) == importlib.import_module(page).__all__
    assert {*registry.homes(page)} <= {*dir(importlib.import_module(page))}


@pytest.mark.slow
def test_nothing_imports_tensorflow_before_it_is_needed(pytestconfig):
    code = """if True:
        import importlib, sys
        import robust
        from robust.api import listing
        from robust.core import quiet, registry, store
        from robust.results import tables
        for page in registry.KINDS.values():
            importlib.import_module(page)
        shown = listing.text(list(registry.KINDS))
        suite = robust.load(sys.argv[1])
        assert len(list(suite.evaluations())) > 0 and len(shown) > 0
        print(*(name for name in ("tensorflow", "keras", "tensorflow_datasets") if name in sys.modules))
    """
    assert python(code, str(pytestconfig.rootpath / "suites/quick.toml")) == []


def test_every_member_is_listed():
    shown = listing.text(list(registry.KINDS)).splitlines()
    for kind, name in MEMBERS:
        assert any(line.split() and line.split()[0] == name and registry.summary(kind, name) in line for line in shown)


@pytest.mark.slow_after_first
@pytest.mark.parametrize(
    "order",
    [
        "import robust.attacks.pgd; from robust.attacks import pgd",
        "from robust.attacks import pgd; import robust.attacks.pgd; from robust.attacks import pgd",
        "from robust.attacks.pgd import pgd; from robust.attacks import pgd",
        "import robust.attacks.pgd; pgd = robust.attacks.pgd",
        "import importlib; importlib.import_module('robust.attacks.pgd'); from robust.attacks import pgd",
    ],
)
def test_the_function_wins_over_the_file_of_its_name_whatever_comes_first(order):
    code = f"""if True:
        import sys, unittest.mock  # TensorFlow would take seconds, and this is about names alone
        sys.modules |= {{name: unittest.mock.MagicMock() for name in ("tensorflow", "keras")}}
        {order}
        import robust.attacks
        file = sys.modules["robust.attacks.pgd"]
        print(type(pgd).__name__, pgd is robust.attacks.pgd is file.pgd, type(file).__name__)
    """
    assert python(code) == ["function", "True", "module"]


def test_the_page_of_the_package_resolves_its_functions():
    import robust.api.evaluate

    assert inspect.isfunction(robust.evaluate) and robust.evaluate is robust.api.evaluate.evaluate
