"""Units: what a run is made of, whatever stops it, shares it or is added to it."""

import json
import shutil
import threading
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import robust
from robust.core.errors import ContractError, ModelError
from robust.core.progress import Silent
from robust.core.store import Store
from robust.datasets.dataset import from_arrays
from robust.engine import executor, shards, units
from robust.engine.session import Session
from robust.engine.units import Clean
from robust.models.features import features
from robust.results import evidence
from robust.suite import Case, InMemory, Model, Suite, read_case

SMALL = 16
"""Images of a shard here, so that a few dozen are several shards."""


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(shards, "SIZE", SMALL // 4)


@pytest.fixture
def suite(problem, build):
    """`suite(**cases)`: of the toy network, on 40 images."""
    toy, network = problem(40, seed=3), build()

    def made(**cases):
        data = from_arrays(toy.images, toy.labels, 3, name="toy")
        return Suite("s", (Model("net", InMemory(network)),), tuple(read_case(n, t) for n, t in cases.items()), data)

    return made


ATTACK = {"attack": {"name": "pgd", "eps": [0.05, 0.1], "steps": 4}, "metrics": ["accuracy", "confusion"]}


def tables(folder):
    results = pd.read_csv(folder / "results.csv").drop(columns="seconds")
    return results, pd.read_parquet(folder / "outcomes.parquet")


def work(suite, store, name):
    session = Session(suite, store, Silent())
    return session.work(next(one for one in suite.evaluations() if one.case.name == name))


@pytest.mark.slow_after_first
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_any_order_and_any_stop_gives_the_same_tables(suite, tmp_path, without_diagnostics, seed):
    cases = {"clean": {}, "pgd": ATTACK, "fog": {"corruption": {"name": "gaussian_noise", "severity": [1, 3]}}}
    robust.run(suite(**cases), tmp_path / "whole", store=Store(tmp_path / "one"))
    store, random = Store(tmp_path / "two"), np.random.default_rng(seed)
    for name in ("fog", "pgd"):  # some units first, in another order, each by a session of its own
        part = work(suite(**cases), store, name)
        clean = Clean(part)
        for number, images in shards.read(part.data, part.base, [n for n in range(3) if not clean.has(units.CLEAN, n)]):
            clean.make(units.CLEAN, number, images)
        for number in random.permutation(len(part.shards))[:2].tolist():
            images = part.data.at("test", np.isin(np.arange(40), part.shards[number].rows)).images
            units.run(part, clean, part.shards[number], images)
    robust.run(suite(**cases), tmp_path / "parts", store=store)
    for one, other in zip(tables(tmp_path / "whole"), tables(tmp_path / "parts"), strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)


@pytest.fixture
def attacked(monkeypatch):
    """The radii of each call of an attack on a shard."""
    found, plain = [], units.of_examples

    def counted(classifier, case, *rest):
        found.append([call.arguments["eps"] for call in case.calls])
        return plain(classifier, case, *rest)

    monkeypatch.setattr(units, "of_examples", counted)
    return found


def test_of_a_larger_eps_only_what_is_new_is_attacked(suite, tmp_path, attacked):
    store = Store(tmp_path / "store")
    for eps in ([0.05], [0.05, 0.1]):
        part = work(suite(pgd={"attack": {**ATTACK["attack"], "eps": eps}}), store, "pgd")
        executor.run(part, Clean(part), Silent())
    assert attacked == [[0.05]] * 3 + [[0.1]] * 3


def test_another_metric_and_a_bound_cost_nothing(suite, tmp_path, without_diagnostics, attacked):
    store = Store(tmp_path / "store")
    robust.run(suite(pgd=ATTACK), tmp_path / "b", store=store)
    attacked.clear()
    metrics = {**ATTACK, "metrics": ["accuracy", "calibration"], "expect": {"top1": ">= 0"}}
    robust.run(suite(pgd=metrics), tmp_path / "c", store=store)
    assert attacked == []
    robust.run(suite(pgd=metrics), tmp_path / "fresh", store=Store(tmp_path / "other"))
    for one, other in zip(tables(tmp_path / "c"), tables(tmp_path / "fresh"), strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_clean_predictions_are_made_once_for_all_cases(suite, tmp_path, without_diagnostics, monkeypatch):
    made = []
    plain = Clean.make
    monkeypatch.setattr(Clean, "make", lambda self, *how: made.append(how[:2]) or plain(self, *how))
    cases = {"clean": {}, "few": {"max_images": 20}, "pgd": ATTACK, "noise": {"attack": {"name": "noise", "eps": 0.1}}}
    robust.run(suite(**cases), tmp_path, store=Store(tmp_path / "store"))
    assert sorted(made) == [("clean", 0), ("clean", 1), ("clean", 2)]


def test_two_share_a_case_and_neither_does_what_the_other_did(suite, tmp_path, without_diagnostics, monkeypatch):
    of = suite(pgd=ATTACK)
    store, done = Store(tmp_path / "store"), []
    plain = units.run
    monkeypatch.setattr(units, "run", lambda *how: done.append(how[2].number) or plain(*how))
    parts = [work(of, store, "pgd") for _ in range(2)]
    threads = [threading.Thread(target=executor.run, args=(part, Clean(part), Silent())) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [0, 1, 2]


def test_a_shard_that_fails_is_a_row_and_the_others_are_kept(suite, tmp_path, without_diagnostics, monkeypatch):
    of, plain = suite(clean={}, pgd=ATTACK), units.run
    store = Store(tmp_path / "store")

    def broken(work, clean, shard, images):
        if shard.number == 1:
            raise ZeroDivisionError("an unlucky image")
        plain(work, clean, shard, images)

    with monkeypatch.context() as patch:
        patch.setattr(units, "run", broken)
        with pytest.warns(UserWarning, match=r"could not be run: pgd\[net\]: 16 of 40 images, ZeroDivisionError"):
            results = robust.run(of, tmp_path / "out", store=store)
    failed = results[results["metric"] == "failed"].iloc[0]
    assert (failed["case"], failed["subset"], failed["value"], failed["n"]) == ("pgd", "ZeroDivisionError", 0.4, 40)
    assert (results["case"] == "clean").sum() > 0
    assert "an unlucky image (test_units.py:" in (tmp_path / "out/index.html").read_text()
    with monkeypatch.context() as patch:
        patch.setattr(units, "run", broken)
        with pytest.raises(ModelError, match="an unlucky image"):
            robust.run(of, tmp_path / "out", store=store, fail_fast=True)
    done = []
    monkeypatch.setattr(units, "run", lambda *how: done.append(how[2].number) or plain(*how))
    again = robust.run(of, tmp_path / "out", store=store)
    assert done == [1] and "failed" not in set(again["metric"])


def test_an_error_of_a_unit_begins_with_the_line_of_its_case(tmp_path, without_diagnostics, monkeypatch):
    text = 'data = "fashion_mini"\n[model.net]\narchitecture = "mlp"\n[case.fog]\nmax_images = 9\ncorruption = "fog"\n'
    (tmp_path / "s.toml").write_text(text)

    def broken(*how):
        raise ContractError("fog left [0, 1]")

    monkeypatch.setattr(units, "run", broken)
    with pytest.raises(ContractError, match=r"s\.toml:4: fog\[net\]: fog left \[0, 1\]$"):
        robust.run(tmp_path / "s.toml", tmp_path / "out", store=Store(tmp_path / "store"), fail_fast=True)


@pytest.mark.slow_after_first
@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "zero", "delete"])
def test_damaged_evidence_is_named_put_aside_and_made_again(suite, tmp_path, without_diagnostics, harm):
    said = []
    store = Store(tmp_path / "store", said.append)
    robust.run(suite(pgd=ATTACK), tmp_path / "a", store=store)
    shutil.rmtree(tmp_path / "store/blocks")
    path = next((tmp_path / "store/perturbed").glob("*/logits.npy"))
    content = path.read_bytes()
    match harm:
        case "flip":
            path.write_bytes(content[:-3] + bytes([content[-3] ^ 4]) + content[-2:])
        case "cut":
            path.write_bytes(content[: len(content) // 2])
        case "empty":
            path.write_bytes(b"")
        case "zero":
            path.write_bytes(bytes(len(content)))
        case "delete":
            path.unlink()
    robust.run(suite(pgd=ATTACK), tmp_path / "b", store=store)
    assert any("logits.npy is" in line and "computed again" in line for line in said)
    for one, other in zip(tables(tmp_path / "a"), tables(tmp_path / "b"), strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_targets_of_each_kind_in_shards(suite, tmp_path, without_diagnostics):
    cases = {
        target.replace("-", "_"): {"attack": {"name": "pgd", "eps": 0.1, "steps": 3, "target": target}}
        for target in ("all", "next", "least-likely", "random", "1")
    }
    robust.run(suite(**cases), tmp_path, store=Store(tmp_path / "store"))
    rows = tables(tmp_path)[1].groupby("case").size()
    assert rows["all"] == 80 and rows["next"] == rows["random"] == rows["least_likely"] == 40 and 0 < rows["1"] < 40


def test_a_case_keeps_few_pixels(suite, tmp_path, without_diagnostics):
    robust.run(suite(pgd=ATTACK), tmp_path / "out", store=Store(tmp_path / "store"))
    for folder in (tmp_path / "store/perturbed").glob("*/"):
        key = json.loads((folder / "key.json").read_text())
        shown = set(key["kept"])
        ids = np.load(folder / "kept_ids.npy").tolist()
        assert shown <= set(ids) and len(ids) <= len(shown) + units.KEPT + len(shown)


def test_a_dry_run_says_what_there_is(suite, tmp_path, without_diagnostics):
    from robust.engine.plan import plan

    of, store = suite(pgd=ATTACK), Store(tmp_path / "store")
    session = Session(of, store, Silent())
    (before,) = plan(session, of.evaluations())
    assert (before.images, before.units, before.done, before.seconds) == (40, 3 + 6, 0, None)
    robust.run(of, tmp_path / "out", store=store)
    (after,) = plan(Session(of, store, Silent()), of.evaluations())
    assert after.done == after.units and str(after).endswith("9 in the store")


def test_the_shards_of_a_choice_are_those_of_its_order(problem):
    toy = problem(40)
    data = from_arrays(toy.images, toy.labels, 3)
    chosen = shards.taken(Case("c", max_images=37), data, 0)
    parts = shards.of(data, chosen)
    assert [len(part.rows) for part in parts] == [16, 16, 5]
    read = dict(shards.read(data, chosen, [2, 0]))
    for number, images in read.items():
        np.testing.assert_array_equal(images, toy.images[parts[number].rows])
    assert sorted(read) == [0, 2]


def test_progress_counts_each_unit_once_and_who_works_alone_never_waits(
    suite, tmp_path, without_diagnostics, monkeypatch
):
    steps, slept = [], []
    monkeypatch.setattr(executor, "time", SimpleNamespace(sleep=slept.append))

    class Counted(Silent):
        def stage(self, name, total):
            steps.append(total)

        def advance(self, note=""):
            steps.append(1)

    part = work(suite(pgd=ATTACK), Store(tmp_path / "store"), "pgd")
    executor.run(part, Clean(part), Counted(), name="pgd")
    assert steps == [3 + 3, *[1] * 6] and slept == []


def test_the_passes_of_the_results_are_the_mean_of_those_of_the_images(suite, tmp_path, without_diagnostics):
    results = robust.run(suite(pgd=ATTACK), tmp_path / "out", store=Store(tmp_path / "store"))
    columns = ["n_forward", "n_backward"]
    of_images = tables(tmp_path / "out")[1].groupby("eps")[columns].mean()
    attacked = results.groupby("eps")[[*columns, "seconds"]]
    assert (attacked.nunique() == 1).all(axis=None) and (attacked.first()["seconds"] > 0).all()
    pd.testing.assert_frame_equal(attacked.first()[columns], of_images)
    assert (of_images > 0).all(axis=None)


def test_features_are_those_of_the_images_at_the_largest_eps(suite, tmp_path, without_diagnostics, monkeypatch):
    monkeypatch.setattr(units.Work, "needs_features", True)
    case = {"attack": {"name": "pgd", "eps": [0.01, 0.05], "steps": 3}}
    part = work(suite(pgd=case), Store(tmp_path), "pgd")
    executor.run(part, Clean(part), Silent())
    ends = [path.parent for path in tmp_path.glob("perturbed/*/standing.npy")]
    assert len(ends) == 3
    for end in ends:
        standing = evidence.array(end, "standing")
        assert standing.size
        shown = features(part.fitted.classifier, np.array(evidence.array(end, "standing_images")))
        np.testing.assert_allclose(evidence.array(end, "features")[standing], shown, atol=1e-5)
