import numpy as np
import pytest
import tensorflow as tf

from robust.attacks import fgsm, losses, pgd
from robust.models.classifier import Classifier

random = np.random.default_rng(0)
LOGITS = random.normal(scale=3, size=(50, 7))
LABELS, AIMS = random.integers(0, 7, 50), random.integers(0, 7, 50)
ROWS = np.arange(50)
OTHERS = np.where(np.eye(7, dtype=bool)[LABELS], -np.inf, LOGITS)
SORTED = -np.sort(-LOGITS, axis=1)


def _values(loss, logits=LOGITS, labels=LABELS, aims=AIMS):
    return loss(tf.constant(logits), tf.constant(labels), tf.constant(aims)).numpy()


def test_closed_forms():
    odds = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    margin = OTHERS.max(axis=1) - LOGITS[ROWS, LABELS]
    to = LOGITS[ROWS, AIMS] - LOGITS[ROWS, LABELS]
    for loss, expected in {
        losses.leave: np.log((1 - odds[ROWS, LABELS]) / odds[ROWS, LABELS]),
        losses.reach: np.log(odds[ROWS, AIMS] / (1 - odds[ROWS, AIMS])),
        losses.margin: margin,
        losses.margin_towards: to,
        losses.dlr: margin / (SORTED[:, 0] - SORTED[:, 2]),
        losses.dlr_to: to / (SORTED[:, 0] - (SORTED[:, 2] + SORTED[:, 3]) / 2),
        losses.dlr_reach: _values(losses.target_margin) / (SORTED[:, 0] - (SORTED[:, 2] + SORTED[:, 3]) / 2),
    }.items():
        np.testing.assert_allclose(_values(loss), expected, rtol=1e-9, atol=1e-9, err_msg=loss.__name__)
    reached = LOGITS.argmax(axis=1) == AIMS
    assert np.array_equal(_values(losses.target_margin) > 0, reached) and 0 < reached.sum() < 50


def test_the_cross_entropy_is_its_softplus():
    entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(LABELS, LOGITS).numpy()
    np.testing.assert_allclose(np.log1p(np.exp(_values(losses.leave))), entropy, rtol=1e-12)


@pytest.mark.parametrize("loss", [losses.dlr, losses.dlr_to, losses.dlr_reach])
def test_the_ratio_does_not_change_with_the_scale_of_the_logits(loss):
    np.testing.assert_allclose(_values(loss, 1000 * LOGITS - 5), _values(loss), rtol=1e-9)


@pytest.mark.parametrize(
    ("loss", "least", "instead"),
    [(losses.dlr, 3, "margin"), (losses.dlr_to, 4, "margin_towards"), (losses.dlr_reach, 4, "target_margin")],
)
@pytest.mark.parametrize("classes", [2, 3, 4])
def test_few_classes_fall_back_to_the_margin(loss, least, instead, classes):
    given = LOGITS[:, :classes], LABELS % classes, (LABELS + 1) % classes
    plain = _values(getattr(losses, instead), *given)
    assert np.array_equal(_values(loss, *given), plain) == (classes < least)


@pytest.mark.parametrize("margin", [1.0, 20.0, 500.0])
@pytest.mark.parametrize("loss", [losses.leave, losses.reach])
def test_a_sure_answer_keeps_its_gradient(margin, loss):
    logits = tf.constant([[margin, 0.0, -1.0]], tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = loss(logits, tf.constant([0]), tf.constant([1]))
    slope = tape.gradient(value, logits).numpy()[0]
    assert abs(slope[0]) > 0.5 and slope[1] > 0.5
    assert np.isfinite(value.numpy()).all()


@pytest.mark.slow
@pytest.mark.parametrize("attack", [pgd, fgsm])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_what_falls_does_not_hang_on_how_sure_the_model_is(affine, attack, norm):
    """Cross-entropy in single precision is 0 where the margin is above 16 nats, and so is its gradient."""
    weights = random.normal(size=(12, 2))
    images = random.uniform(0.3, 0.7, (40, 1, 12, 1)).astype(np.float32)
    bias = [float(images.reshape(40, -1).mean(axis=0) @ (weights[:, 1] - weights[:, 0])), 0.0]
    is_adv = []
    for scale in (1, 1000):
        classifier = Classifier(affine(weights * scale, np.array(bias) * scale), 2, batch_size=8)
        labels = classifier.logits(images).argmax(axis=1)
        eps = {"linf": 0.05, "l2": 0.15}[norm]
        is_adv.append(attack(classifier, images, labels, seeds=np.arange(40), eps=eps, norm=norm).by != "")
    assert np.array_equal(*is_adv) and 4 < is_adv[0].sum() < 36


def test_three_classes_that_are_level_are_kept_apart_as_in_the_release():
    """AutoAttack adds 1e-12 to z_1 - z_3, so that the loss stays finite where three logits share the top."""
    found = losses.dlr(tf.constant([[0.0, 1, 1, 1]]), tf.constant([0], tf.int64), tf.constant([0], tf.int64))
    np.testing.assert_allclose(found, [1e12], rtol=1e-6)
