import numpy as np
import pytest

from robust.attacks import fgsm
from robust.models.classifier import Classifier

PIXELS = 12
random = np.random.default_rng(0)
WEIGHTS = random.normal(size=(PIXELS, 3)).astype(np.float32)
IMAGES = random.uniform(0.4, 0.6, (11, 1, PIXELS, 1)).astype(np.float32)
SEEDS = np.arange(11)
norms = pytest.mark.parametrize("norm", ["linf", "l2"])


def _steepest(gradient, norm):
    return np.sign(gradient) if norm == "linf" else gradient / np.linalg.norm(gradient, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def three(affine):
    return Classifier(affine(WEIGHTS), 3, batch_size=8)


@pytest.fixture(scope="module")
def two(affine):
    return Classifier(affine(WEIGHTS[:, :2]), 2, batch_size=8)


@norms
def test_two_classes_have_the_closed_form(two, norm):
    labels = two.logits(IMAGES).argmax(axis=1)
    towards = (WEIGHTS[:, 1] - WEIGHTS[:, 0])[None] * np.where(labels == 0, 1, -1)[:, None]
    found = fgsm(two, IMAGES, labels, seeds=SEEDS, eps=0.05, norm=norm)
    expected = IMAGES + 0.05 * _steepest(towards, norm).reshape(IMAGES.shape)
    np.testing.assert_allclose(found.images, expected, atol=1e-6)


@pytest.mark.slow_after_first
@norms
@pytest.mark.parametrize("aim", [None, 2])
def test_more_classes_follow_the_gradient_of_the_cross_entropy(three, norm, aim):
    logits = three.logits(IMAGES).astype(np.float64)
    labels = logits.argmax(axis=1)
    kept = labels != 2
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    wanted = np.eye(3)[labels] if aim is None else np.eye(3)[np.full(11, aim)]
    gradient = (probabilities - wanted) @ WEIGHTS.T * (1 if aim is None else -1)
    targets = None if aim is None else np.full(kept.sum(), aim)
    found = fgsm(three, IMAGES[kept], labels[kept], seeds=SEEDS[kept], targets=targets, eps=0.05, norm=norm)
    expected = IMAGES + 0.05 * _steepest(gradient, norm).reshape(IMAGES.shape)
    np.testing.assert_allclose(found.images, expected[kept], atol=1e-6)


@norms
def test_an_image_falls_just_above_its_margin_and_stands_just_below(two, norm):
    logits, difference = two.logits(IMAGES), WEIGHTS[:, 1] - WEIGHTS[:, 0]
    labels = logits.argmax(axis=1)
    dual = np.abs(difference).sum() if norm == "linf" else np.linalg.norm(difference)
    edge = np.abs(logits[:, 0] - logits[:, 1]) / dual
    assert edge.max() < 0.4  # the box must not come in between
    for i in range(len(IMAGES)):
        for factor, by in ((0.99, ""), (1.01, "fgsm")):
            eps = float(edge[i] * factor)
            found = fgsm(two, IMAGES[[i]], labels[[i]], seeds=SEEDS[[i]], eps=eps, norm=norm)
            assert found.by[0] == by
            assert (two.logits(found.images).argmax(axis=1) != labels[i])[0] == bool(by)


def test_the_box_cuts_the_step(two):
    images = np.zeros_like(IMAGES)
    found = fgsm(two, images, np.zeros(11, np.int64), seeds=SEEDS, eps=0.3)
    np.testing.assert_allclose(found.images[0].ravel(), 0.3 * (WEIGHTS[:, 1] > WEIGHTS[:, 0]), atol=1e-6)


def test_step_size_shortens_the_step(three):
    labels = three.logits(IMAGES).argmax(axis=1)
    found = fgsm(three, IMAGES, labels, seeds=SEEDS, eps=0.3, step_size=0.01)
    np.testing.assert_allclose(np.abs(found.images - IMAGES), 0.01, atol=1e-6)


def test_random_start_steps_further_and_stays_in_the_ball(three):
    labels = three.logits(IMAGES).argmax(axis=1)
    plain, drawn = (fgsm(three, IMAGES, labels, seeds=SEEDS, eps=0.02, random_start=r) for r in (False, True))
    change = np.abs(drawn.images - IMAGES)
    assert change.max() <= 0.02 + 1e-6
    # from u in (-eps, eps), 1.25 eps brings u > -0.25 eps to the face: five of eight pixels
    at_face = (change > 0.02 - 1e-6).mean()
    assert 0.5 < at_face < 0.75
    assert (np.abs(plain.images - IMAGES) > 0.02 - 1e-6).all()


def test_where_a_smaller_eps_ended_is_not_used(three):
    labels = three.logits(IMAGES).argmax(axis=1)
    plain = fgsm(three, IMAGES, labels, seeds=SEEDS, eps=0.05)
    begun = fgsm(three, IMAGES, labels, seeds=SEEDS, eps=0.05, start=IMAGES + 0.01)
    assert plain.images.tobytes() == begun.images.tobytes()


def test_one_step_costs_one_gradient_and_one_look(three):
    labels = three.logits(IMAGES).argmax(axis=1)
    wrong = (labels + 1) % 3
    found = fgsm(three, IMAGES, np.where(np.arange(11) < 3, wrong, labels), seeds=SEEDS, eps=0.001)
    assert found.n_forward.tolist() == [1] * 3 + [2] * 8  # what is wrong already is seen in the first pass
    assert found.n_backward.tolist() == [1] * 11
    assert found.trace.shape == (11, 1) and np.isfinite(found.trace).all()
