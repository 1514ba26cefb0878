import importlib

import numpy as np
import pytest
import tensorflow as tf
from scipy import optimize

from robust.attacks import fab, pgd
from robust.attacks.iterative import StepOutput
from robust.models.classifier import Classifier

PIXELS = 12
random = np.random.default_rng(0)
WEIGHTS = random.normal(size=(PIXELS, 4)).astype(np.float32)
IMAGES = random.uniform(0.3, 0.7, (15, 1, PIXELS, 1)).astype(np.float32)
SEEDS = np.arange(15)
DUAL = {"linf": 1, "l2": 2, "l1": np.inf}
norms = pytest.mark.parametrize("norm", ["linf", "l2", "l1"])


@pytest.fixture(scope="module")
def four(affine):
    return Classifier(affine(WEIGHTS), 4, batch_size=8)


def _distance(image, slope, gap, norm):
    """From an image to the plane slope . d = gap: by duality, for L1 pixel after pixel up to black or white."""
    if norm != "l1":
        return gap / np.linalg.norm(slope, ord=DUAL[norm])
    order = np.argsort(-np.abs(slope))
    room, slope = np.where(slope > 0, 1 - image, image)[order], np.abs(slope)[order]
    before = np.cumsum(room * slope) - room * slope
    return (np.clip((gap - before) / slope, 0, room)).sum()


def _margins(classifier, norm):
    """The labels, and the distance to the nearest other class."""
    logits = classifier.logits(IMAGES).astype(np.float64)
    labels, slopes = logits.argmax(axis=1), WEIGHTS.astype(np.float64)
    distances = [
        min(_distance(x.ravel(), slopes[:, t] - slopes[:, y], z[y] - z[t], norm) for t in range(4) if t != y)
        for x, y, z in zip(IMAGES.astype(np.float64), labels, logits, strict=True)
    ]
    return labels, np.array(distances)


@pytest.mark.slow
@norms
def test_finds_the_least_distance_on_a_linear_model(four, norm):
    labels, distances = _margins(four, norm)
    kept = np.flatnonzero(distances < {"linf": 0.3, "l2": 0.9, "l1": 12}[norm])  # the box is in the L1 form only
    assert len(kept) > 5
    for i in kept[:4]:
        for factor, by in ((0.99, ""), (1.01, "fab")):
            found = fab(
                four, IMAGES[[i]], labels[[i]], seeds=SEEDS[[i]], eps=float(distances[i] * factor), norm=norm, steps=40
            )
            assert found.by[0] == by, (i, factor)
            assert (four.logits(found.images).argmax(axis=1) != labels[i])[0] == bool(by)


@pytest.fixture(scope="module")
def bowl():
    """z_1 - z_0 = |x - 0.5|^2 - 0.36: class 0 inside a sphere of radius 0.6."""
    import keras

    inputs = keras.Input((1, PIXELS, 1))
    off = keras.layers.Rescaling(1.0, -0.5)(keras.layers.Flatten()(inputs))
    square = keras.layers.Dot(axes=1)([off, off])
    head = keras.layers.Dense(2)
    model = keras.Model(inputs, head(square))
    head.set_weights([np.array([[0.0, 1.0]]), np.array([0.0, -0.36])])
    return Classifier(model, 2, batch_size=8)


@pytest.mark.slow
def test_finds_the_least_distance_on_a_quadratic_model(bowl):
    images = (0.5 + 0.6 * (IMAGES - 0.5)).astype(np.float32)
    distances = 0.6 - np.linalg.norm((images.astype(np.float64) - 0.5).reshape(15, -1), axis=1)
    labels = bowl.logits(images).argmax(axis=1)
    assert (labels == 0).all() and distances.min() > 0.1
    for factor, by in ((0.99, ""), (1.02, "fab")):
        for i in range(3):
            found = fab(bowl, images[[i]], labels[[i]], seeds=SEEDS[[i]], eps=float(distances[i] * factor), norm="l2")
            assert found.by[0] == by, (i, factor)


@pytest.mark.slow_after_first
@norms
def test_what_stands_is_left_inside_the_ball(four, norm):
    labels, distances = _margins(four, norm)
    eps = float(np.median(distances)) * 0.8
    found = fab(four, IMAGES, labels, seeds=SEEDS, eps=eps, norm=norm, steps=7)
    sizes = np.linalg.norm(
        (found.images - IMAGES).reshape(15, -1).astype(float), ord={"linf": np.inf, "l2": 2, "l1": 1}[norm], axis=1
    )
    assert 0 < (found.by == "").sum() < 15
    assert sizes.max() <= eps * (1 + 1e-6) + 1e-7
    stood = found.by == ""
    assert (sizes[stood] > 0.9 * eps).all()  # gone towards the boundary


def test_one_look_at_the_classes_then_a_climb_for_each(four):
    labels, _ = _margins(four, "linf")
    found = fab(four, IMAGES, labels, seeds=SEEDS, eps=1e-4, steps=5, classes=9, restarts=2)
    assert (found.n_forward == 1 + 2 * 3 * 6).all() and (found.n_backward == 2 * 3 * 5).all()


def test_later_rounds_begin_at_random_points(four):
    labels, _ = _margins(four, "linf")
    common = {"eps": 1e-3, "steps": 1, "classes": 1}
    one, two = (fab(four, IMAGES, labels, seeds=SEEDS, **common, restarts=r) for r in (1, 2))
    assert (one.trace != two.trace).any()


def _climb_of(monkeypatch, four, targets):
    """The climb that FAB hands to the engine."""
    module, seen = importlib.import_module("robust.attacks.fab"), []
    attack = module.attack
    monkeypatch.setattr(module, "attack", lambda task, method: (seen.append(method), attack(task, method))[1])
    fab(four, IMAGES, np.zeros(15, np.int64), seeds=SEEDS, targets=targets, eps=0.2, steps=1)
    return seen[0]


@pytest.mark.parametrize("targeted", [False, True])
def test_it_goes_back_from_where_it_counts_as_fooled(monkeypatch, four, targeted):
    """Of points that the model takes for class 2, on the way to class 1: any error counts, unless there is a target."""
    method = _climb_of(monkeypatch, four, np.ones(15, np.int64) if targeted else None)
    centre, point = np.full((1, 1, PIXELS, 1), 0.5, np.float32), np.full((1, 1, PIXELS, 1), 0.7, np.float32)
    slots = {"centre": centre, "point": point, "label": np.zeros(1, int), "target": np.ones(1, int), "left": [9]}
    output = StepOutput(tf.constant([-0.1]), tf.constant([[0.0, 0, 1, 0]]), tf.ones_like(point))
    following = method.step({k: tf.constant(v) for k, v in slots.items()}, output, {"eps": tf.constant(0.3)}, "linf")
    gone_back = np.allclose(following["point"], 0.5 + 0.9 * 0.2)
    assert gone_back != targeted


@norms
def test_a_random_round_begins_within_half_the_radius(monkeypatch, four, norm):
    centres = tf.fill((500, 1, PIXELS, 1), 0.5)
    begun = _climb_of(monkeypatch, four, None).random_point(
        centres, tf.range(500, dtype=tf.int64), tf.constant(1), 0.4, norm
    )
    order = {"linf": np.inf, "l2": 2, "l1": 1}[norm]
    sizes = np.linalg.norm((begun.numpy() - 0.5).reshape(500, -1), ord=order, axis=1)
    assert 0.19 < sizes.max() <= 0.2 + 1e-6


def _to_target(image, logits, target):
    """The least change in Linf after which no other class has more than the target: a linear program."""
    slopes = (WEIGHTS[:, [k for k in range(4) if k != target]] - WEIGHTS[:, [target]]).T.astype(np.float64)
    gaps = np.delete(logits[target] - logits, target)
    bound = np.vstack([np.hstack([slopes, np.zeros((3, 1))])] + [
        np.hstack([sign * np.eye(PIXELS), -np.ones((PIXELS, 1))]) for sign in (1, -1)
    ])  # fmt: skip
    room = [(-x, 1 - x) for x in image.ravel().astype(np.float64)] + [(0, None)]
    cost = np.zeros(PIXELS + 1)
    cost[-1] = 1
    return optimize.linprog(cost, bound, np.concatenate([gaps, np.zeros(2 * PIXELS)]), bounds=room).fun


@pytest.mark.slow
def test_with_a_target_only_the_target_counts_though_another_class_lies_between(four):
    logits = four.logits(IMAGES).astype(np.float64)
    order = np.argsort(-logits, axis=1)
    labels, targets = order[:, 0], order[:, 2]
    least = np.array([_to_target(x, z, t) for x, z, t in zip(IMAGES, logits, targets, strict=True)])
    kept = np.flatnonzero(least < 0.3)
    assert len(kept) > 5
    for i in kept:
        for factor, by in ((0.99, ""), (1.3, "fab")):
            found = fab(
                four, IMAGES[[i]], labels[[i]], seeds=SEEDS[[i]], targets=targets[[i]], eps=float(least[i] * factor)
            )
            assert found.by[0] == by, (i, factor)
            assert (four.logits(found.images).argmax(axis=1) == targets[i])[0] == bool(by)


def test_where_a_smaller_eps_has_left_an_image_it_does_not_begin(four):
    labels = _margins(four, "linf")[0]
    found, other = (fab(four, IMAGES, labels, seeds=SEEDS, eps=0.1, start=s) for s in (None, IMAGES + 0.05))
    assert found.images.tobytes() == other.images.tobytes() and np.array_equal(found.n_forward, other.n_forward)


def test_no_images_are_no_error(four):
    nothing = fab(four, IMAGES[:0], np.zeros(0, np.int64), seeds=SEEDS[:0], eps=0.1)
    assert nothing.images.shape == (0, 1, PIXELS, 1) and not len(nothing.by)


@pytest.mark.slow
def test_two_classes(affine):
    classifier = Classifier(affine(WEIGHTS[:, :2]), 2, batch_size=8)
    labels = classifier.logits(IMAGES).argmax(axis=1)
    assert (fab(classifier, IMAGES, labels, seeds=SEEDS, eps=0.9, steps=20).by == "fab").all()


@pytest.mark.parametrize(("attack", "options"), [(fab, {}), (pgd, {"random_start": False})])
def test_the_exact_margin_of_a_quadratic_model_in_linf(bowl, attack, options):
    """|x - 0.5 + d| is largest in a cube at d = eps sign(x - 0.5): there sum (|x - 0.5| + eps)^2 = 0.36."""
    off = np.abs(0.5 + 0.6 * (IMAGES - 0.5) - 0.5).reshape(15, -1).astype(np.float64)
    images = (0.5 + 0.6 * (IMAGES - 0.5)).astype(np.float32)
    total, squares = off.sum(axis=1), (off**2).sum(axis=1)
    edge = (-total + np.sqrt(total**2 + PIXELS * (0.36 - squares))) / PIXELS
    labels = np.zeros(15, np.int64)
    for factor, by in ((0.99, ""), (1.02, attack.__name__)):
        for i in range(3):
            eps = float(edge[i] * factor)
            found = attack(bowl, images[[i]], labels[[i]], seeds=SEEDS[[i]], eps=eps, steps=100, **options)
            assert found.by[0] == by, (i, factor)
