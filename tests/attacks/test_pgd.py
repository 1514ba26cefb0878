import numpy as np
import pytest

from robust.attacks import pgd
from robust.models.classifier import Classifier

PIXELS, EPS = 12, 0.05
random = np.random.default_rng(0)
WEIGHTS = random.normal(size=(PIXELS, 2)).astype(np.float32)
DIFFERENCE = WEIGHTS[:, 1] - WEIGHTS[:, 0]
IMAGES = random.uniform(0.4, 0.6, (19, 1, PIXELS, 1)).astype(np.float32)
BIAS = [float((IMAGES.reshape(19, -1) @ DIFFERENCE).mean()), 0.0]  # margins on both sides of 0
SEEDS = np.arange(19)
norms = pytest.mark.parametrize("norm", ["linf", "l2"])


@pytest.fixture(scope="module")
def two(affine):
    return Classifier(affine(WEIGHTS, BIAS), 2, batch_size=8)


@pytest.fixture(scope="module")
def certain(affine):
    """A model of two classes that no image in reach can fool: every climb is a full one."""
    return Classifier(affine(WEIGHTS, [BIAS[0] + 4, 0.0]), 2, batch_size=8)


def _worst(labels, norm):
    towards = DIFFERENCE[None] * np.where(labels == 0, 1, -1)[:, None]
    towards = np.sign(towards) if norm == "linf" else towards / np.linalg.norm(DIFFERENCE)
    return IMAGES + EPS * towards.reshape(IMAGES.shape)


@pytest.mark.parametrize(
    ("norm", "random_start", "near"),
    [("linf", True, 1e-6), ("linf", False, 1e-6), ("l2", False, 1e-6), ("l2", True, 2e-2)],
)
def test_reaches_the_worst_point_of_the_ball_on_a_linear_model(certain, norm, random_start, near):
    labels = np.zeros(19, np.int64)
    found = pgd(certain, IMAGES, labels, seeds=SEEDS, eps=EPS, norm=norm, random_start=random_start)
    assert set(found.by) == {""}
    np.testing.assert_allclose(found.images, _worst(labels, norm), atol=near)


@norms
def test_an_image_falls_just_above_its_margin_and_stands_just_below(two, norm):
    logits = two.logits(IMAGES)
    labels = logits.argmax(axis=1)
    dual = np.abs(DIFFERENCE).sum() if norm == "linf" else np.linalg.norm(DIFFERENCE)
    edge = np.abs(logits[:, 0] - logits[:, 1]) / dual
    for i in np.flatnonzero((edge > 1e-3) & (edge < 0.35)):  # above it the box comes in between
        for factor, by in ((0.999, ""), (1.001, "pgd")):
            eps = float(edge[i] * factor)
            found = pgd(two, IMAGES[[i]], labels[[i]], seeds=SEEDS[[i]], eps=eps, norm=norm, random_start=False)
            assert found.by[0] == by
            assert (two.logits(found.images).argmax(axis=1) != labels[i])[0] == bool(by)


def _by_hand(image, label, eps, norm, steps, size):
    """The first iterate that fools, or the last; and how many passes it took to know."""
    x, towards = image.astype(np.float64), DIFFERENCE * (1 if label == 0 else -1)
    direction = (np.sign(towards) if norm == "linf" else towards / np.linalg.norm(towards)).reshape(image.shape)
    for step in range(steps):
        if (x.ravel() @ WEIGHTS + BIAS).argmax() != label:
            return x, step + 1, step + 1
        change = x + size * direction - image
        change = change.clip(-eps, eps) if norm == "linf" else change * min(1, eps / np.linalg.norm(change))
        x = (image + change).clip(0, 1)
    return x, steps + 1, steps


@norms
@pytest.mark.parametrize("steps", [1, 4, 10])
def test_stops_at_the_first_iterate_that_fools_and_counts_to_there(two, norm, steps):
    labels, eps, size = two.logits(IMAGES).argmax(axis=1), 0.1, 0.013
    found = pgd(two, IMAGES, labels, seeds=SEEDS, eps=eps, norm=norm, steps=steps, step_size=size, random_start=False)
    by_hand = [_by_hand(x, y, eps, norm, steps, size) for x, y in zip(IMAGES, labels, strict=True)]
    np.testing.assert_allclose(found.images, [x for x, _, _ in by_hand], atol=1e-5)
    assert found.n_forward.tolist() == [f for _, f, _ in by_hand]
    assert found.n_backward.tolist() == [b for _, _, b in by_hand]
    assert len(set(found.n_forward)) > steps / 3  # they fall at different steps


def test_targeted_climbs_towards_the_target(two):
    labels = two.logits(IMAGES).argmax(axis=1)
    away = pgd(two, IMAGES, labels, seeds=SEEDS, eps=EPS)
    towards = pgd(two, IMAGES, labels, seeds=SEEDS, eps=EPS, targets=1 - labels)
    np.testing.assert_allclose(towards.images, away.images, atol=1e-6)  # with two classes that is the same
    assert np.array_equal(away.by, towards.by) and 0 < (away.by != "").sum() < 19


@pytest.mark.parametrize("steps", [5, 20])
def test_the_step_is_two_and_a_half_radii_over_all_steps(two, steps):
    labels, common = two.logits(IMAGES).argmax(axis=1), {"seeds": SEEDS, "eps": 0.1, "steps": steps}
    default = pgd(two, IMAGES, labels, **common, random_start=False)
    said = pgd(two, IMAGES, labels, **common, random_start=False, step_size=2.5 * 0.1 / steps)
    assert default.images.tobytes() == said.images.tobytes()
    assert default.n_forward.tolist() == said.n_forward.tolist() and len(set(said.n_forward)) > 1
    other = pgd(two, IMAGES, labels, **common, random_start=False, step_size=2.0 * 0.1 / steps)
    assert other.n_forward.tolist() != said.n_forward.tolist()


def test_begins_where_it_was_left(certain):
    labels, start = np.zeros(19, np.int64), IMAGES + np.float32(0.01)
    found = pgd(certain, IMAGES, labels, seeds=SEEDS, start=start, eps=EPS, steps=1, step_size=0.001)
    expected = start + 0.001 * np.sign(DIFFERENCE).reshape(1, 1, PIXELS, 1)
    np.testing.assert_allclose(found.images, expected, atol=1e-6)


@norms
def test_restarts_are_for_survivors_and_lose_nothing(classifier, problem, norm):
    data = problem(40, seed=5)
    eps = {"linf": 0.08, "l2": 0.4}[norm]

    def attack(restarts):
        return pgd(
            classifier, *data[:2], seeds=data.seeds, eps=eps, norm=norm, steps=3, step_size=0.4 * eps, restarts=restarts
        )

    once, thrice = attack(1), attack(3)
    is_adv = once.by != ""
    assert 0 < is_adv.sum() < (thrice.by != "").sum() < 40
    assert np.array_equal(once.images[is_adv], thrice.images[is_adv])
    assert np.array_equal(once.n_forward[is_adv], thrice.n_forward[is_adv])
    stood = thrice.by == ""
    assert (thrice.n_forward[stood] == 3 * (3 + 1)).all() and (thrice.n_backward[stood] == 3 * 3).all()
    assert (once.images[stood] != thrice.images[stood]).any(axis=(1, 2, 3)).all()


def test_the_trace_is_the_loss_where_it_was_last_looked_at(two):
    logits = two.logits(IMAGES).astype(np.float64)
    labels = logits.argmax(axis=1)
    found = pgd(two, IMAGES, labels, seeds=SEEDS, eps=0.3, steps=10, step_size=0.01, random_start=False)
    assert found.trace.shape == (19, 3)  # after 2, 6 and 10 steps
    margins = np.abs(logits[:, 0] - logits[:, 1])
    fall = np.abs(DIFFERENCE).sum() * 0.01  # of the margin, with each step
    for i in range(19):
        last = min(found.n_forward[i] - 1, 9)  # the turn at which it fell, or the last
        seen = [min(turn, last) for turn in (1, 5, 9) if last > turn - 4]
        expected = [fall * step - margins[i] for step in seen]  # log (1 - p) / p
        np.testing.assert_allclose(found.trace[i, : len(seen)], expected, rtol=1e-3, atol=1e-5)
        assert np.isnan(found.trace[i, len(seen) :]).all()


def test_single_precision_images_on_a_double_precision_model(affine):
    from robust.attacks import fgsm

    classifier = Classifier(affine(WEIGHTS, BIAS, "float64"), 2, batch_size=8)
    labels = classifier.logits(IMAGES).argmax(axis=1)
    for attack, arguments in ((pgd, {"restarts": 2}), (fgsm, {})):
        found = attack(classifier, IMAGES, labels, seeds=SEEDS, eps=EPS, **arguments)
        assert found.images.dtype == np.float32
        assert np.array_equal(found.by != "", classifier.logits(found.images).argmax(axis=1) != labels)
        assert 0 < (found.by != "").sum() < 19
