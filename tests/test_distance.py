"""Least distances against the closed form on linear models, against each other, and against Foolbox."""

import numpy as np
import pytest

from robust.attacks.nearest import nearest as fab_towards
from robust.attacks.survivors import Task
from robust.classifier import Classifier
from robust.distance import RUNGS, minimises, nearest
from robust.schema import Call, bind

PIXELS, N = 12, 13
random = np.random.default_rng(0)
WEIGHTS = random.normal(size=(PIXELS, 4)).astype(np.float32)
IMAGES = random.uniform(0.35, 0.65, (N, 1, PIXELS, 1)).astype(np.float32)
SEEDS = np.arange(N)
DUAL = {"linf": 1, "l2": 2}
LIMIT = {"linf": 0.3, "l2": 0.9}
norms = pytest.mark.parametrize("norm", ["linf", "l2"])


@pytest.fixture(scope="module")
def four(affine):
    return Classifier(affine(WEIGHTS), 4, batch_size=8)


@pytest.fixture(scope="module")
def two(affine):
    """With two classes there is one boundary, so that none of the attacks can head for a farther one."""
    gaps = IMAGES.reshape(N, -1) @ (WEIGHTS[:, 0] - WEIGHTS[:, 1])
    return Classifier(affine(WEIGHTS[:, :2], [0.0, np.median(gaps) + 0.3]), 2, batch_size=8)  # through their midst


@pytest.fixture(scope="module")
def known(four):
    return exactly(four, WEIGHTS)


@pytest.fixture(scope="module")
def known2(two):
    return exactly(two, WEIGHTS[:, :2])


def exactly(classifier, weights):
    """The labels, and by norm the distance to the nearest other class: the gap over the dual norm of the slope."""
    logits = classifier.logits(IMAGES).astype(np.float64)
    labels, slopes, distances = logits.argmax(axis=1), weights.astype(np.float64), {}
    for norm, dual in DUAL.items():
        across = slopes.T[None, :, :] - slopes.T[labels][:, None, :]  # [N, classes, pixels]
        gaps = logits[np.arange(N), labels][:, None] - logits
        with np.errstate(invalid="ignore"):  # 0 / 0 for the label itself
            distances[norm] = np.nanmin(gaps / np.linalg.norm(across, ord=dual, axis=2), axis=1)
    return labels, distances


def sizes(found, norm):
    change = (found.images.astype(np.float64) - IMAGES).reshape(N, -1)
    return np.linalg.norm(change, ord={"linf": np.inf, "l2": 2}[norm], axis=1)


def search(four, labels, norm, eps=None, targets=None, **table):
    call = bind("attacks", {"norm": norm, "eps": eps or LIMIT[norm], **table})
    return nearest(call, four, IMAGES, labels, seeds=SEEDS, targets=targets)


@norms
def test_fab_finds_the_exact_margin_of_a_linear_model(four, known, norm):
    labels, exact = known
    assert (exact[norm] < LIMIT[norm]).all()
    found = search(four, labels, norm, name="fab", steps=20)
    ratio = sizes(found, norm) / exact[norm]
    assert (ratio > 0.9999).all() and ratio.max() < 1.01  # 2^-8 of the way is what the halving leaves
    assert (four.logits(found.images).argmax(axis=1) != labels).all() and set(found.by) == {"fab"}


@norms
@pytest.mark.parametrize("name", ["pgd", "apgd"])
def test_a_shrinking_ball_agrees_with_fab(two, known2, norm, name):
    labels, exact = known2
    found, fab = (search(two, labels, norm, name=n, steps=20) for n in (name, "fab"))
    assert set(found.by) == {name} and set(fab.by) == {"fab"}
    ratio = sizes(found, norm) / sizes(fab, norm)
    assert ratio.min() > 0.99 and ratio.max() < RUNGS[-1] / RUNGS[-2] + 0.02  # from one radius to the next
    assert (sizes(found, norm) > exact[norm] * 0.9999).all()


@norms
def test_the_minimising_attacks_of_foolbox_are_upper_bounds(two, known2, norm):
    labels, exact = known2
    for name in ("deepfool", f"foolbox:{'LInf' if norm == 'linf' else 'L2'}FMNAttack"):
        found = search(two, labels, norm, name=name, steps=50)
        fell = found.by == name
        assert fell.mean() > 0.9, "at most one is not found within the limit"
        ratio = (sizes(found, norm) / exact[norm])[fell]
        assert ratio.min() > 0.9999 and np.median(ratio) < 1.1


def test_carlini_wagner_is_one_of_those_that_minimise(two, known2):
    labels, exact = known2
    found = search(two, labels, "l2", name="carlini_wagner", steps=40, searches=4, step_size=0.05, constant=1.0)
    ratio = sizes(found, "l2") / exact["l2"]
    assert set(found.by) == {"carlini_wagner"} and ratio.min() > 0.9999 and np.median(ratio) < 1.1


def test_which_attacks_minimise_by_themselves():
    said = {"fab": False, "pgd": False, "foolbox:LinfPGD": False, "foolbox:LInfFMNAttack": True, "deepfool": True}
    assert {name: minimises(Call("attacks", name)) for name in said} == said


@norms
@pytest.mark.parametrize("name", ["fab", "pgd"])
def test_nothing_is_looked_for_beyond_eps(four, known, norm, name):
    labels, exact = known
    limit = float(np.median(exact[norm]))
    found = search(four, labels, norm, eps=limit, name=name, steps=20)
    fell = found.by != ""
    assert not fell[exact[norm] > limit * 1.001].any() and (sizes(found, norm) <= limit * 1.001).all()
    assert fell[exact[norm] < limit * 0.98].mean() > 0.5
    assert np.array_equal(found.images[~fell], IMAGES[~fell])  # censored: the image as it was
    if name == "fab":
        assert fell[exact[norm] < limit * 0.99].all()


def test_with_targets_the_distance_is_to_the_region_of_the_target(affine):
    """Three stripes by brightness: from the first to the third is farther than to the second."""
    stripes = Classifier(affine(np.array([[0.0, 1, 2]] * 4), [0.0, -1.2, -4.0]), 3, batch_size=8)  # at 0.3 and 0.7
    images = np.full((3, 1, 4, 1), 0.1, np.float32) + np.array([0, 0.05, 0.1], np.float32)[:, None, None, None]
    labels = np.zeros(3, int)
    for target, edge in ((1, 0.3), (2, 0.7)):
        for table in ({"name": "fab", "steps": 20}, {"name": "pgd", "steps": 20}):
            call = bind("attacks", {**table, "norm": "linf", "eps": 0.8})
            found = nearest(call, stripes, images, labels, seeds=np.arange(3), targets=np.full(3, target))
            assert (stripes.logits(found.images).argmax(axis=1) == target).all()
            far = np.abs(found.images - images).max(axis=(1, 2, 3))
            apart = 0.01 if table["name"] == "fab" else RUNGS[-1] / RUNGS[-2] - 1
            np.testing.assert_allclose(far, edge - images[:, 0, 0, 0], rtol=apart)


def test_the_radii_are_bisected_rather_than_tried_one_after_the_other(four, known, monkeypatch):
    labels, _ = known
    asked = []
    ask = Call.__call__
    monkeypatch.setattr(Call, "__call__", lambda call, *a, **k: asked.append((call, len(a[1]))) or ask(call, *a, **k))
    search(four, labels, "linf", name="pgd", steps=5)
    radii = np.array([call.arguments["eps"] for call, _ in asked])
    assert radii[0] == LIMIT["linf"] and asked[0][1] == N
    assert all(np.isclose(radius, LIMIT["linf"] * RUNGS).any() for radius in radii)
    assert sum(n for _, n in asked) <= N * (1 + np.log2(len(RUNGS)))


@pytest.mark.parametrize(("name", "step"), [("pgd", "step_size"), ("foolbox:LinfPGD", "abs_stepsize")])
def test_a_fixed_step_shrinks_with_the_ball(two, known2, monkeypatch, name, step):
    labels, _ = known2
    asked = []
    ask = Call.__call__
    monkeypatch.setattr(Call, "__call__", lambda call, *a, **k: asked.append(call.arguments) or ask(call, *a, **k))
    search(two, labels, "linf", name=name, steps=10, **{step: 0.06})
    assert len({arguments["eps"] for arguments in asked}) > 2
    assert {round(arguments[step] / arguments["eps"], 9) for arguments in asked} == {0.2}


def test_another_round_of_fab_begins_elsewhere_and_loses_nothing(four, known):
    labels, _ = known
    once, twice = (search(four, labels, "l2", name="fab", steps=6, classes=1, restarts=n) for n in (1, 2))
    assert (sizes(twice, "l2")[once.by != ""] <= sizes(once, "l2")[once.by != ""] * 1.01).all()
    assert (twice.backward == 2 * once.backward).all()


def test_the_search_of_fab_ends_with_the_nearest_point_it_saw(four, known):
    labels, _ = known
    aims = np.argsort(-four.logits(IMAGES), axis=1)[:, 1]
    task = Task(four, IMAGES, labels, SEEDS, None, None)
    short, long = (fab_towards(task, aims, eps=1.0, norm="l2", steps=steps) for steps in (4, 20))
    assert (sizes(long, "l2") <= sizes(short, "l2") + 1e-6).all()
    assert (long.backward == 20).all()


def test_passes_are_counted(four, known):
    labels, _ = known
    before = four.forward, four.backward
    for table in ({"name": "fab", "steps": 5}, {"name": "pgd", "steps": 5}, {"name": "deepfool", "steps": 5}):
        found = search(four, labels, "l2", **table)
        spent = four.forward - before[0], four.backward - before[1]
        assert 0 < found.forward.sum() <= spent[0] and 0 < found.backward.sum() <= spent[1]
        before = four.forward, four.backward


@pytest.mark.parametrize("table", [{"name": "fab", "steps": 5}, {"name": "pgd", "steps": 5}], ids=["fab", "pgd"])
def test_company_and_order_do_not_matter(rows_apart, four, known, table):
    labels, _ = known
    call = bind("attacks", {**table, "norm": "linf", "eps": 0.3})
    whole = nearest(call, four, IMAGES, labels, seeds=SEEDS)
    rows = random.permutation(N)[:9]
    part = nearest(call, four, IMAGES[rows], labels[rows], seeds=SEEDS[rows])
    assert part.images.tobytes() == whole.images[rows].tobytes()
    assert part.forward.tolist() == whole.forward[rows].tolist()
