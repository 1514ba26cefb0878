"""Least distances against the closed form on linear models, against each other, and against Foolbox."""

import numpy as np
import pytest
from scipy.optimize import linprog

from robust.attacks.iterative import Task
from robust.attacks.minimal.fab import fab_towards
from robust.attacks.minimal.search import smallest_changes
from robust.core.declared import of_attack
from robust.core.signature import Call, bind
from robust.models.classifier import Classifier

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
    return smallest_changes(call, four, IMAGES, labels, seeds=SEEDS, targets=targets)


@norms
def test_fab_finds_the_exact_margin_of_a_linear_model(four, known, norm):
    labels, exact = known
    assert (exact[norm] < LIMIT[norm]).all()
    found = search(four, labels, norm, name="fab", steps=20)
    ratio = sizes(found, norm) / exact[norm]
    assert (ratio > 0.9999).all() and ratio.max() < 1.01  # 2^-8 of the way is what the halving leaves
    assert (four.logits(found.images).argmax(axis=1) != labels).all() and set(found.by) == {"fab"}


@pytest.mark.slow
@norms
@pytest.mark.parametrize("name", ["pgd", "apgd", "mifgsm", "fgsm"])
def test_a_shrinking_ball_finds_the_exact_margin_of_a_linear_model(four, known, norm, name):
    """Of four classes the nearest boundary, though the loss leads to farther ones as well."""
    labels, exact = known
    found = search(four, labels, norm, name=name, **({} if name == "fgsm" else {"steps": 20}))
    ratio = sizes(found, norm) / exact[norm]
    assert set(found.by) == {name} and ratio.min() > 0.9999
    assert np.median(ratio) < 1.01 and ratio.max() < 1.1


def by_linear_programs(classifier, weights, images, labels, norm):
    """The least change in the box that reaches another class, [n], for Linf and L1."""
    logits, at, far = classifier.logits(images).astype(np.float64), images.reshape(len(images), -1), []
    for x, z, label in zip(at.astype(np.float64), logits, labels, strict=True):
        others = [k for k in range(len(z)) if k != label]
        far.append(min(program(weights[:, k] - weights[:, label], z[label] - z[k], x, norm) for k in others))
    return np.array(far)


def program(slope, gap, x, norm):
    """Minimise the norm of up - down, with slope . (up - down) >= gap and x + up - down in [0, 1]."""
    n, one = len(x), norm == "linf"
    across, box_diameter = np.concatenate([slope, -slope]), [(0, 1 - v) for v in x] + [(0, v) for v in x]
    cost = np.r_[np.zeros(2 * n), 1] if one else np.ones(2 * n)
    rows, ends = [np.r_[-across, 0] if one else -across], [-gap]
    if one:
        rows += [np.r_[np.eye(2 * n)[i], -1] for i in range(2 * n)]
        ends += [0] * (2 * n)
    done = linprog(cost, A_ub=np.array(rows), b_ub=ends, bounds=box_diameter + [(0, None)] * one)
    return done.fun if done.status == 0 else np.inf


@pytest.mark.slow_after_first
@pytest.mark.parametrize("norm", ["linf", "l1"])
@pytest.mark.parametrize("name", ["pgd", "apgd", "fab"])
def test_at_the_faces_of_the_box_it_finds_what_linear_programs_find(four, norm, name):
    """Images anywhere in [0, 1]: the change of many pixels ends at black or white."""
    images = random_images = np.random.default_rng(3).uniform(0, 1, (N, 1, PIXELS, 1)).astype(np.float32)
    labels = four.logits(random_images).argmax(axis=1)
    far = by_linear_programs(four, WEIGHTS.astype(np.float64), images, labels, norm)
    call = bind("attacks", {"name": name, "norm": norm, "eps": 1.0 if norm == "linf" else 12.0, "steps": 20})
    found = smallest_changes(call, four, images, labels, seeds=SEEDS)
    change = np.abs(found.images.astype(np.float64) - images).reshape(N, -1)
    there = np.isfinite(far)
    ratio = (change.max(axis=1) if norm == "linf" else change.sum(axis=1))[there] / far[there]
    assert there.sum() > N / 2 and (found.by[there] == name).all() and not (found.by[~there] != "").any()
    assert ratio.min() > 0.9999 and np.median(ratio) < 1.01 and ratio.max() < 1.1


FOOLBOX_PGD = {"name": "foolbox:LinfPGD", "steps": 5, "random_start": False, "rel_stepsize": 0.5}
EVERY_KIND = [
    {"name": "pgd", "steps": 10}, {"name": "apgd", "steps": 10}, {"name": "fab", "steps": 10, "restarts": 2},
    {"name": "pgd", "steps": 10, "step_size": 0.02}, {"name": "fgsm"}, {"name": "foolbox:LinfDeepFoolAttack"},
    pytest.param({"name": "square", "n_queries": 50}, marks=pytest.mark.slow),
    pytest.param(FOOLBOX_PGD, marks=pytest.mark.slow),
    pytest.param({**FOOLBOX_PGD, "abs_stepsize": 0.1}, marks=pytest.mark.slow),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("table", EVERY_KIND, ids=lambda table: "-".join(map(str, table.values())))
def test_eps_censors_and_does_nothing_else(classifier, problem, table):
    data = problem(12, 5)
    right = classifier.logits(data.images).argmax(axis=1) == data.labels
    images, labels, seeds = data.images[right], data.labels[right], data.seeds[right]

    def far(eps):
        call = bind("attacks", {**table, "norm": "linf", "eps": eps})
        found = smallest_changes(call, classifier, images, labels, seeds=seeds)
        return np.where(found.by == "", np.inf, np.abs(found.images - images).max(axis=(1, 2, 3)))

    whole = far(1.0)
    assert np.isfinite(whole).mean() > 0.8
    for eps in np.quantile(whole, [0.3, 0.7]):  # Foolbox draws for a batch, so that nothing is drawn here
        np.testing.assert_allclose(far(float(eps)), np.where(whole <= eps, whole, np.inf), rtol=1e-3)


@pytest.mark.slow
def test_who_stands_the_first_attack_at_the_largest_radius_is_not_censored_for_good(affine):
    """Class 1 only within 0.08 of 0.5 in the mean: the steps of a large ball jump over it."""
    import keras

    inputs = keras.Input((2, 2, 1))
    sides = keras.layers.Dense(2, activation="relu")
    head = keras.layers.Dense(2)
    model = keras.Model(inputs, head(sides(keras.layers.GlobalAveragePooling2D()(inputs))))
    sides.set_weights([np.array([[1.0, -1.0]]), np.array([-0.5, 0.5])])
    head.set_weights([np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([-0.08, 0.0])])
    band = Classifier(model, 2, batch_size=8)
    greys = np.linspace(0.1, 0.4, 16).astype(np.float32)
    images, labels = np.ones((16, 2, 2, 1), np.float32) * greys[:, None, None, None], np.zeros(16, int)
    call = bind("attacks", {"name": "pgd", "norm": "linf", "eps": 1.0, "steps": 4})
    first = call(band, images, labels, seeds=np.arange(16))
    assert (first.by == "").any()
    found = smallest_changes(call, band, images, labels, seeds=np.arange(16))
    assert (found.by == "pgd").all()
    np.testing.assert_allclose(np.abs(found.images - images).max(axis=(1, 2, 3)), 0.42 - greys, rtol=0.02)


@pytest.mark.slow
@norms
def test_the_minimising_attacks_of_foolbox_are_upper_bounds(two, known2, norm):
    labels, exact = known2
    for name in ("deepfool", f"foolbox:{'LInf' if norm == 'linf' else 'L2'}FMNAttack"):
        found = search(two, labels, norm, name=name, steps=50)
        is_adv = found.by == name
        assert is_adv.mean() > 0.9, "at most one is not found within the limit"
        ratio = (sizes(found, norm) / exact[norm])[is_adv]
        assert ratio.min() > 0.9999 and np.median(ratio) < 1.1


@pytest.mark.slow
def test_carlini_wagner_is_one_of_those_that_minimise(two, known2):
    labels, exact = known2
    found = search(two, labels, "l2", name="carlini_wagner", steps=40, searches=4, step_size=0.05, constant=1.0)
    ratio = sizes(found, "l2") / exact["l2"]
    assert set(found.by) == {"carlini_wagner"} and ratio.min() > 0.9999 and np.median(ratio) < 1.1


def test_which_attacks_minimise_by_themselves():
    expected = {"fab": False, "pgd": False, "foolbox:LinfPGD": False, "foolbox:LInfFMNAttack": True, "deepfool": True}
    assert {name: of_attack(name).minimizes for name in expected} == expected


@pytest.mark.slow_after_first
@norms
@pytest.mark.parametrize("name", ["fab", "pgd"])
def test_nothing_is_looked_for_beyond_eps(four, known, norm, name):
    labels, exact = known
    limit = float(np.median(exact[norm]))
    found = search(four, labels, norm, eps=limit, name=name, steps=20)
    is_adv = found.by != ""
    assert not is_adv[exact[norm] > limit * 1.001].any() and (sizes(found, norm) <= limit * 1.001).all()
    assert np.array_equal(found.images[~is_adv], IMAGES[~is_adv])  # censored: the image as it was
    assert is_adv[exact[norm] < limit * 0.99].all()


@pytest.mark.slow
def test_with_targets_the_distance_is_to_the_region_of_the_target(affine):
    """Three stripes by brightness: from the first to the third is farther than to the second."""
    stripes = Classifier(affine(np.array([[0.0, 1, 2]] * 4), [0.0, -1.2, -4.0]), 3, batch_size=8)  # at 0.3 and 0.7
    images = np.full((3, 1, 4, 1), 0.1, np.float32) + np.array([0, 0.05, 0.1], np.float32)[:, None, None, None]
    labels = np.zeros(3, int)
    for target, edge in ((1, 0.3), (2, 0.7)):
        for table in ({"name": "fab", "steps": 20}, {"name": "pgd", "steps": 20}):
            call = bind("attacks", {**table, "norm": "linf", "eps": 0.8})
            found = smallest_changes(call, stripes, images, labels, seeds=np.arange(3), targets=np.full(3, target))
            assert (stripes.logits(found.images).argmax(axis=1) == target).all()
            far = np.abs(found.images - images).max(axis=(1, 2, 3))
            np.testing.assert_allclose(far, edge - images[:, 0, 0, 0], rtol=0.01)


def asked_of(monkeypatch):
    """The arguments of each call, with the number of images."""
    asked, ask = [], Call.__call__
    note = lambda call, *a, **k: asked.append((call.arguments, len(a[1]))) or ask(call, *a, **k)  # noqa: E731
    monkeypatch.setattr(Call, "__call__", note)
    return asked


def test_each_image_has_a_ball_of_its_own_that_ends_just_below_what_is_found(four, known, monkeypatch):
    labels, exact = known
    asked = asked_of(monkeypatch)
    search(four, labels, "linf", name="pgd", steps=20)
    assert all(np.shape(arguments["eps"]) == (n,) for arguments, n in asked)
    first = asked[0][0]["eps"]
    assert len(np.unique(first)) == N and ((exact["linf"] <= first) & (first < 6 * exact["linf"])).all()
    assert sum(n for _, n in asked) < 7 * N  # calls of the attack an image


@pytest.mark.slow
def test_an_attack_of_one_radius_for_all_shares_its_calls_among_near_radii(two, known2, monkeypatch):
    labels, exact = known2
    asked = asked_of(monkeypatch)
    how = {"steps": 10, "rel_stepsize": 0.25, "random_start": False}
    found = search(two, labels, "linf", name="foolbox:LinfPGD", **how)
    rungs = 16 * np.log2([arguments["eps"] for arguments, _ in asked])
    np.testing.assert_allclose(rungs, np.round(rungs), atol=1e-6)
    ratio = sizes(found, "linf") / exact["linf"]
    assert ratio.min() > 0.9999 and ratio.max() < 1.1


@pytest.mark.slow
@pytest.mark.parametrize(("name", "step"), [("pgd", "step_size"), ("foolbox:LinfPGD", "abs_stepsize")])
def test_a_fixed_step_is_a_length_and_at_most_a_quarter_of_the_radius(two, known2, monkeypatch, name, step):
    labels, _ = known2
    asked = asked_of(monkeypatch)
    search(two, labels, "linf", name=name, steps=10, **{step: 0.02})
    pairs = np.concatenate([np.c_[np.atleast_1d(given["eps"]), np.atleast_1d(given[step])] for given, _ in asked])
    np.testing.assert_allclose(pairs[:, 1], np.minimum(0.02, pairs[:, 0] / 4), rtol=1e-6)
    assert (pairs[:, 1] == 0.02).any() and (pairs[:, 1] < 0.02).any()


def test_another_round_of_fab_begins_elsewhere_and_loses_nothing(four, known):
    labels, _ = known
    once, twice = (search(four, labels, "l2", name="fab", steps=6, classes=1, restarts=n) for n in (1, 2))
    assert (sizes(twice, "l2")[once.by != ""] <= sizes(once, "l2")[once.by != ""] * 1.01).all()
    assert (twice.n_backward == 2 * once.n_backward).all()


def test_the_search_of_fab_ends_with_the_nearest_point_it_saw(four, known):
    labels, _ = known
    aims = np.argsort(-four.logits(IMAGES), axis=1)[:, 1]
    task = Task(four, IMAGES, labels, SEEDS, None, None)
    short, long = (fab_towards(task, aims, eps=1.0, norm="l2", steps=steps) for steps in (4, 20))
    assert (sizes(long, "l2") <= sizes(short, "l2") + 1e-6).all()
    assert (long.n_backward == 20).all()


@pytest.mark.slow
def test_passes_are_counted(four, known):
    labels, _ = known
    before = four.n_forward, four.n_backward
    for table in ({"name": "fab", "steps": 5}, {"name": "pgd", "steps": 5}, {"name": "deepfool", "steps": 5}):
        found = search(four, labels, "l2", **table)
        spent = four.n_forward - before[0], four.n_backward - before[1]
        assert 0 < found.n_forward.sum() <= spent[0] and 0 < found.n_backward.sum() <= spent[1]
        before = four.n_forward, four.n_backward


@pytest.mark.parametrize("table", [{"name": "fab", "steps": 5}, {"name": "pgd", "steps": 5}], ids=["fab", "pgd"])
def test_company_and_order_do_not_matter(rows_apart, four, known, table):
    labels, _ = known
    call = bind("attacks", {**table, "norm": "linf", "eps": 0.3})
    whole = smallest_changes(call, four, IMAGES, labels, seeds=SEEDS)
    rows = random.permutation(N)[:9]
    part = smallest_changes(call, four, IMAGES[rows], labels[rows], seeds=SEEDS[rows])
    assert part.images.tobytes() == whole.images[rows].tobytes()
    assert part.n_forward.tolist() == whole.n_forward[rows].tolist()
