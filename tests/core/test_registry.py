import functools
import sys
import types

import pytest

from robust.api import listing
from robust.core import registry
from robust.core.errors import SuiteError


def test_names_come_in_the_order_of_the_contents_page():
    assert registry.names("attacks")[:2] == ["apgd", "apgd_t"]
    assert registry.names("recipes")[:2] == ["alexnet2012", "densenet2016"]


def test_a_contents_page_without_members_is_a_mistake(monkeypatch):
    monkeypatch.setitem(registry.KINDS, "attacks", "robust.core.errors")
    with pytest.raises(ImportError, match=r"robust\.core\.errors has no members"):
        registry.names("attacks")


def test_a_name_leads_to_its_file():
    assert registry.home("attacks", "pgd") == ("robust.attacks.pgd", "pgd")
    assert registry.home("architectures", "resnet56") == ("robust.models.architectures.resnet_small", "resnet56")
    assert registry.home("recipes", "short") == ("robust.training.recipes", "short")
    assert registry.home("attacks", "their.module:f") == ("their.module", "f")
    assert registry.home("attacks", "foolbox:PGD") == ("robust.attacks.foolbox", "foolbox_attack")


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("architectures", "resnet21", "no architectures named 'resnet21'; did you mean 'resnet20'?"),
        ("attacks", "", "no attacks named ''; allowed: apgd, apgd_t"),
        ("metrics", "foolbox:PGD", "no metrics named 'foolbox:PGD'; allowed: accuracy, calibration, clusters"),
        ("datasets", "fashion-mini", "no datasets named 'fashion-mini'; did you mean 'fashion_mini'?"),
    ],
)
def test_a_name_that_is_not_there_is_told_with_a_suggestion(kind, name, message):
    for ask in (registry.home, registry.definition, registry.summary, registry.resolve):
        with pytest.raises(SuiteError) as error:
            ask(kind, name)
        assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("name", "foreign"),
    [("pgd", False), ("their:f", True), ("their.module:f", True), ("foolbox:PGD", False), (":", True)],
)
def test_foreign_is_what_names_a_module(name, foreign):
    assert registry.is_foreign(name) is foreign


def test_a_summary_is_the_first_line_of_the_docstring(tmp_path, monkeypatch):
    (tmp_path / "their_docs.py").write_text(
        'def f():\n    """First.\n\n    Second."""\n\ndef g(): ...\n\nraise OSError\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert registry.summary("attacks", "their_docs:f") == "First."
    assert registry.summary("attacks", "their_docs:g") == ""
    assert registry.summary("recipes", "short").startswith("Ten epochs of momentum SGD")


def test_an_attack_of_foolbox_resolves_to_the_bridge_with_its_class():
    found = registry.resolve("attacks", "foolbox:LinfPGD")
    assert isinstance(found, functools.partial)
    assert found.func.__name__ == "foolbox_attack"
    assert found.keywords == {"attack": "LinfPGD"}


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A package with a contents page: `one` stands in the file one.py, `two` in other.py."""
    folder = tmp_path / "their_page"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from typing import TYPE_CHECKING\n\nfrom robust.core import registry\n\n"
        "if TYPE_CHECKING:\n    from their_page.one import one\n    from their_page.other import two\n\n"
        "__all__ = ['one', 'two']\nregistry.contents(__name__)\n"
    )
    (folder / "one.py").write_text("def one():\n    return 1\n")
    (folder / "other.py").write_text("def two():\n    return 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry.homes.cache_clear()
    yield "their_page"
    for name in [name for name in sys.modules if name.partition(".")[0] == "their_page"]:
        del sys.modules[name]
    registry.homes.cache_clear()


def test_a_page_imports_what_is_asked_for_and_no_more(page):
    module = __import__(page)
    assert module.two() == 2
    assert f"{page}.other" in sys.modules
    assert f"{page}.one" not in sys.modules


def test_the_member_wins_over_the_file_of_its_name(page):
    module = __import__(page)
    assert module.one() == 1
    __import__(f"{page}.one")
    assert module.one() == 1
    assert isinstance(sys.modules[f"{page}.one"], types.ModuleType)


def test_the_member_wins_where_its_file_comes_first(page):
    module = __import__(f"{page}.one")
    assert module.one() == 1


def test_files_that_are_no_members_are_seen_as_usual(page):
    module = __import__(f"{page}.other")
    assert isinstance(module.other, types.ModuleType)


def test_a_page_tells_what_it_has_and_what_not(page):
    module = __import__(page)
    assert {"one", "two", "__all__"} <= set(dir(module))
    with pytest.raises(AttributeError, match="module 'their_page' has no attribute 'three'"):
        _ = module.three


def test_a_member_may_be_replaced_for_a_while(page, monkeypatch):
    module = __import__(page)
    monkeypatch.setattr(module, "one", lambda: "patched")
    assert module.one() == "patched"
    monkeypatch.undo()
    assert module.one() == 1


def test_the_list_tells_names_keys_and_a_line():
    shown = listing.text(["attacks", "augmentations"])
    assert shown.startswith("attacks\n  apgd            Auto-PGD: steps of 2 eps")
    assert "\n                  eps, steps=20, step_size=None, random_start=True, restarts=1\n" in shown
    assert "\n\naugmentations\n  area_and_aspect_crop    Enlarge" in shown
    assert "seeds" not in shown
    assert shown.endswith("foolbox:LinfDeepFoolAttack")
    assert "foolbox" not in listing.text(["metrics"])


def test_what_most_members_share_is_listed_once():
    *members, last = listing.text(["recipes"]).splitlines()
    assert last.startswith("  unless listed otherwise: optimizer='sgd', momentum=0.9, schedule='steps'")
    assert "rate_below=1.0" in last and not any("rate_below" in line for line in members)
    assert [line.split(",")[1] for line in members if "epochs=" in line and "momentum" in line] == [" batch_size=1"]
