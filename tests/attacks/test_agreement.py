"""Foolbox, written by others, takes the same steps from the same iterates."""

import eagerpy as ep
import numpy as np
import pytest
import tensorflow as tf

from robust.attacks import autoattack, fgsm, pgd
from robust.core import foolbox_classes
from robust.models.classifier import Classifier

foolbox = foolbox_classes.library()
EPS, STEP = {"linf": 0.04, "l2": 0.2}, {"linf": 0.013, "l2": 0.07}
TIGHT = {"linf": 0.02, "l2": 0.1}
PGD = {"linf": "LinfProjectedGradientDescentAttack", "l2": "L2ProjectedGradientDescentAttack"}
FGSM = {"linf": "LinfFastGradientAttack", "l2": "L2FastGradientAttack"}
norms = pytest.mark.parametrize("norm", ["linf", "l2"])
types = pytest.mark.parametrize("both", ["float32", "float64"], indirect=True)


@pytest.fixture(scope="module")
def both(request, build, problem):
    """Ours, theirs, images that are answered rightly, their labels, and the type's name."""
    classifier = Classifier(build(request.param), 3, batch_size=8)
    data = problem(60, seed=7)
    right = classifier.logits(data.images).argmax(axis=1) == data.labels
    images = data.images[right].astype(request.param)
    images[::2] = (images[::2] - 0.35).clip(0, 1)  # some at the edge of the box
    theirs = foolbox.TensorFlowModel(classifier, bounds=(0, 1), device="/CPU:0")
    labels = classifier.logits(images).argmax(axis=1)
    return classifier, theirs, images, labels, request.param


def _gradient(theirs, points, labels):
    with tf.GradientTape() as tape:
        tape.watch(points := tf.constant(points))
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, theirs(points))
    return tape.gradient(loss, points).numpy()


def _clear(theirs, points, labels):
    """Where the gradient is more than rounding."""
    size = np.abs(_gradient(theirs, points, labels))
    return size > 1e-6 * size.max(axis=(1, 2, 3), keepdims=True)


def _their_step(theirs, norm, points, centres, labels):
    """One turn of the loop in Foolbox's `BaseGradientDescent.run`, from any iterate around any centre."""
    attack = getattr(foolbox.attacks, PGD[norm])(abs_stepsize=STEP[norm], steps=1, random_start=False)
    x, centres, labels = (ep.astensor(tf.constant(v)) for v in (points, centres, labels))
    _, gradients = attack.value_and_grad(attack.get_loss_fn(theirs, labels), x)
    gradients = attack.normalize(gradients, x=x, bounds=theirs.bounds)
    x = x + attack.get_optimizer(x, STEP[norm])(gradients)
    return attack.project(x, centres, EPS[norm]).clip(*theirs.bounds).raw.numpy()


def _same(ours, theirs, where, norm, dtype):
    """To 1e-6; in double precision exactly, but in L2 for the last digits of two forms of one direction."""
    near = 1e-6 if dtype == "float32" else {"linf": 0, "l2": 2e-15}[norm]
    np.testing.assert_allclose(ours[where], theirs[where], rtol=0, atol=near)


@pytest.mark.slow
@types
@norms
def test_each_step_of_pgd(both, norm):
    classifier, theirs, images, labels, dtype = both
    points = images
    for _ in range(6):
        standing = classifier.logits(points).argmax(axis=1) == labels
        ours = pgd(
            classifier, images, labels, seeds=np.arange(len(images)), start=points,
            eps=EPS[norm], norm=norm, steps=1, step_size=STEP[norm],
        ).images  # fmt: skip
        stepped = _their_step(theirs, norm, points, images, labels)
        assert standing.sum() > 10 and (stepped != points).any(axis=(1, 2, 3)).mean() > 0.3
        where = _clear(theirs, points, labels) & standing[:, None, None, None]
        assert where.mean() > 0.2
        _same(ours, stepped, where, norm, dtype)
        points = stepped


@types
@norms
def test_a_first_step_of_their_attack_as_they_run_it(both, norm):
    _, theirs, images, labels, dtype = both
    attack = getattr(foolbox.attacks, PGD[norm])(abs_stepsize=STEP[norm], steps=1, random_start=False)
    _, stepped, _ = attack(theirs, tf.constant(images), tf.constant(labels), epsilons=EPS[norm])
    ours = _their_step(theirs, norm, images, images, labels)
    _same(ours, stepped.numpy(), _clear(theirs, images, labels), norm, dtype)


@norms
@pytest.mark.parametrize("both", ["float64"], indirect=True)
def test_a_whole_climb_of_those_that_stand(both, norm):
    classifier, theirs, images, labels, _ = both
    ours = pgd(
        classifier, images, labels, seeds=np.arange(len(images)),
        eps=TIGHT[norm], norm=norm, steps=10, step_size=TIGHT[norm] / 4, random_start=False,
    )  # fmt: skip
    attack = getattr(foolbox.attacks, PGD[norm])(abs_stepsize=TIGHT[norm] / 4, steps=10, random_start=False)
    _, climbed, is_adv = attack(theirs, tf.constant(images), tf.constant(labels), epsilons=TIGHT[norm])
    standing = ours.by == ""
    assert standing.sum() > 10 and not is_adv.numpy()[standing].any()
    np.testing.assert_allclose(ours.images[standing], climbed.numpy()[standing], rtol=0, atol=1e-14)


@types
@norms
def test_fgsm(both, norm):
    classifier, theirs, images, labels, dtype = both
    ours = fgsm(classifier, images, labels, seeds=np.arange(len(images)), eps=EPS[norm], norm=norm)
    attack = getattr(foolbox.attacks, FGSM[norm])()
    _, stepped, is_adv = attack(theirs, tf.constant(images), tf.constant(labels), epsilons=EPS[norm])
    _same(ours.images, stepped.numpy(), _clear(theirs, images, labels), norm, dtype)
    assert np.array_equal(ours.by != "", is_adv.numpy()) and 0 < is_adv.numpy().sum() < len(images)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "norm", "options"),
    [
        ("LInfFMNAttack", "linf", {"steps": 100}),
        ("L2FMNAttack", "l2", {"steps": 100}),
        pytest.param(
            "L2CarliniWagnerAttack",
            "l2",
            {"steps": 100, "binary_search_steps": 4, "stepsize": 0.02, "initial_const": 1.0},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_their_distances_are_upper_bounds(trained, name, norm, options):
    """At any radius, ours fells whom their search for the nearest point finds inside it."""
    classifier, images, labels, seeds = trained
    right = classifier.logits(images).argmax(axis=1) == labels
    images, labels, seeds = images[right][:40], labels[right][:40].astype(np.int64), seeds[right][:40]
    theirs = foolbox.TensorFlowModel(classifier, bounds=(0, 1), device="/CPU:0")
    found = getattr(foolbox.attacks, name)(**options)(theirs, tf.constant(images), tf.constant(labels), epsilons=None)
    change = (found[1].numpy().astype(np.float64) - images).reshape(len(images), -1)
    distances = np.where(found[2], np.linalg.norm(change, ord=np.inf if norm == "linf" else 2, axis=1), np.inf)
    assert np.isfinite(distances).mean() > 0.9
    for eps in np.quantile(distances[np.isfinite(distances)], [0.2, 0.5, 0.9]):
        ours = autoattack(
            classifier, images, labels, seeds=seeds, eps=float(eps) * 1.02, norm=norm, steps=50, n_queries=1
        )
        near = distances <= eps
        missed = np.flatnonzero(near & (ours.by == "")).tolist()
        assert len(missed) <= 0.02 * near.sum(), missed
