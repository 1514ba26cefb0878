"""A distance has a verdict, too: of its model, of its attack without a limit, of what else fells the images."""

from dataclasses import replace

import keras
import numpy as np
import pytest

import robust
from robust.api.cli.report import report
from robust.attacks import diagnostics
from robust.attacks.diagnostics.attack_checks import AttackRun
from robust.core.store import Store
from robust.datasets.dataset import from_arrays
from robust.suite import InMemory, Model, Suite, read_case

SEARCH = {"name": "pgd", "eps": 0.1, "steps": 3}


@pytest.fixture
def measured(tmp_path):
    """`measured(front)`: a search on twelve images that a small net has right, behind this layer."""

    def measured(front):
        keras.utils.set_random_seed(3)
        layers = [keras.Input((4, 4, 1)), front, keras.layers.Flatten(), keras.layers.Dense(3)]
        net = keras.Sequential(layers, name="net")
        images = np.random.default_rng(0).random((12, 4, 4, 1), np.float32)
        data = from_arrays(images, net.predict(images, verbose=0).argmax(axis=1), ("a", "b", "c"), name="dozen")
        expect = {"median_distance": ">= 0", "reliability": ">= 0"}
        case = read_case("far", {"minimal": SEARCH, "expect": expect})
        suite = Suite("far", (Model("net", InMemory(net)),), (case,), data)
        return robust.run(suite, tmp_path / "out", store=Store(tmp_path / "store"))

    return measured


@pytest.mark.slow
def test_a_bound_on_a_distance_whose_gradient_leads_astray_is_unsupported(measured, tmp_path, capsys):
    found = measured(keras.layers.Lambda(lambda x: keras.ops.round(x * 2) / 2 - 1e-4 * x))
    median, diagnosis = (
        robust.value(found, metric, allow_invalid=True) for metric in ("median_distance", "reliability")
    )
    assert (median.reliability, median.passed, diagnosis.value) == ("invalid", False, 0)
    assert "unbounded_fails" in set(found.loc[found["metric"] == "reliability", "subset"])
    assert report(tmp_path / "out") == 1
    assert "unsupported: net on far" in capsys.readouterr().out
    page = (tmp_path / "out/index.html").read_text()
    assert "with eps so large that the ball contains every image" in page and "⊘ unsupported" in page


@pytest.mark.slow
def test_a_distance_on_a_plain_net_is_reliable(measured, tmp_path):
    found = measured(keras.layers.Identity())
    assert set(found["reliability"]) == {"reliable"} and found.loc[found["bound"] != "", "passed"].all()
    assert report(tmp_path / "out") == 0


def test_neither_steps_nor_orders_of_eps_are_asked_of_a_search(monkeypatch):
    """Its trace and its balls are no attack's."""
    asked = []
    for name in ("more_steps", "square_beats_gradients", "not_monotone_in_eps", "half_eps"):
        monkeypatch.setattr(
            diagnostics.examine.__globals__["attack_checks"], name, lambda *_, name=name: asked.append(name) or []
        )
    monkeypatch.setitem(
        diagnostics.examine.__globals__, "stronger_attack", lambda _: asked.append("stronger_attack") or []
    )
    monkeypatch.setitem(
        diagnostics.examine.__globals__,
        "smaller_distance_found",
        lambda _: asked.append("smaller_distance_found") or [],
    )
    monkeypatch.setitem(
        diagnostics.examine.__globals__,
        "fooled_but_not_returned",
        lambda _: asked.append("fooled_but_not_returned") or [],
    )
    monkeypatch.setitem(
        diagnostics.examine.__globals__, "lost_in_rounding", lambda _: asked.append("lost_in_rounding") or []
    )
    monkeypatch.setitem(diagnostics.examine.__globals__, "flat_scores", lambda _: asked.append("flat_scores") or [])
    monkeypatch.setattr(
        diagnostics.examine.__globals__["attack_checks"],
        "noise_beats_attack",
        lambda _: asked.append("noise_beats_attack") or [],
    )
    of_run = diagnostics.examine.__globals__["_check_run"]
    run = AttackRun(None, None, np.empty(0), np.empty(0, bool), np.empty((0, 0)), np.empty(0), np.empty(0))
    assert [*of_run(run, run)] == [] and asked == [
        "noise_beats_attack",
        "flat_scores",
        "stronger_attack",
        "smaller_distance_found",
    ]
    asked.clear()
    assert [*of_run(run, replace(run, sizes=None))] == []
    assert asked == [
        "noise_beats_attack",
        "flat_scores",
        "square_beats_gradients",
        "more_steps",
        "stronger_attack",
        "lost_in_rounding",
        "fooled_but_not_returned",
        "not_monotone_in_eps",
    ]
    asked.clear()
    assert [*of_run(None, replace(run, sizes=None))] == []
    assert asked[-1] == "half_eps"
