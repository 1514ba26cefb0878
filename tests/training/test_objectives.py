import keras
import numpy as np
import pytest
import tensorflow as tf

from robust.core import registry
from robust.core.signature import bind
from robust.training.objectives import cross_entropy, objective

IMAGES = tf.constant(np.random.default_rng(0).uniform(0.05, 0.95, (6, 5, 5, 1)).astype("float32"))
LABELS = tf.constant([0, 1, 2, 0, 1, 2], tf.int64)
SEEDS = tf.constant(range(6), tf.int64)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Conv2D(4, 3, activation="relu"), keras.layers.BatchNormalization(), keras.layers.Flatten()]
    return keras.Sequential([keras.Input((5, 5, 1)), *layers, keras.layers.Dense(3)])


def gradient_of(model):
    def gradient(images, labels):
        with tf.GradientTape() as tape:
            tape.watch(images)
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, model(images, training=False))
        return tape.gradient(loss, images)

    return gradient


def test_label_smoothing_spreads_its_share_over_all_classes():
    logits = tf.constant([[2.0, 1.0, 0.0]])
    log = tf.nn.log_softmax(logits).numpy()[0]
    assert cross_entropy(logits, tf.constant([1], tf.int64), 0.0).numpy() == pytest.approx([-log[1]])
    expected = -(0.7 * log[1] + 0.1 * log.sum())
    assert cross_entropy(logits, tf.constant([1], tf.int64), 0.3).numpy() == pytest.approx([expected])


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("name", registry.names("adversaries"))
def test_an_adversary_stays_in_the_ball_and_raises_the_loss(model, name, norm):
    eps = 0.02 if norm == "linf" else 0.1
    adversary = bind("adversaries", {"name": name, "eps": eps, "norm": norm})
    found = adversary(gradient_of(model), IMAGES, LABELS, seeds=SEEDS, step=tf.constant(3))
    change = (found - IMAGES).numpy()
    size = np.abs(change).max() if norm == "linf" else np.sqrt((change**2).sum((1, 2, 3))).max()
    assert 0 < size <= eps * (1 + 1e-5)
    assert found.numpy().min() >= 0 and found.numpy().max() <= 1
    loss = [float(tf.reduce_mean(cross_entropy(model(x, training=False), LABELS, 0.0))) for x in (IMAGES, found)]
    assert loss[1] > loss[0]


@pytest.mark.parametrize("name", registry.names("adversaries"))
def test_an_adversary_draws_anew_at_each_step_and_hangs_on_nothing_but_seed_and_step(model, name):
    adversary = bind("adversaries", {"name": name, "eps": 0.02})
    make = lambda rows, step: adversary(  # noqa: E731
        gradient_of(model),
        tf.gather(IMAGES, rows),
        tf.gather(LABELS, rows),
        seeds=tf.gather(SEEDS, rows),
        step=tf.constant(step),
    ).numpy()
    assert np.array_equal(make([4, 1, 2, 3, 0, 5], 7)[[4, 1, 2, 3, 0, 5]], make(range(6), 7))
    assert not np.array_equal(make(range(6), 7), make(range(6), 8))


def test_an_adversary_of_eps_0_is_plain_training(model):
    batch, step = (IMAGES, LABELS, SEEDS), tf.constant(0)
    plain, logits = objective()(model, batch, step)
    hardened, same = objective(bind("adversaries", {"name": "fgsm", "eps": 0}))(model, batch, step)
    assert plain.shape == hardened.shape == (6,)
    assert np.allclose(hardened, plain, rtol=1e-5)
    assert np.allclose(logits, same, atol=1e-5)


def test_labels_may_be_shares_of_the_classes():
    logits, shares = tf.constant([[2.0, 1.0, 0.0]]), tf.constant([[0.25, 0.75, 0.0]])
    log = tf.nn.log_softmax(logits).numpy()[0]
    assert cross_entropy(logits, shares, 0.0).numpy() == pytest.approx([-(0.25 * log[0] + 0.75 * log[1])])
    assert cross_entropy(logits, shares, 0.3).numpy() == pytest.approx(
        [-(0.7 * (0.25 * log[0] + 0.75 * log[1]) + 0.1 * log.sum())]
    )


def test_each_auxiliary_head_counts_with_its_weight_beside_the_main_one_wherever_that_stands():
    image = keras.Input((5, 5, 1))
    flat = keras.layers.Flatten()(image)
    heads = [keras.layers.Dense(3, name=name)(flat) for name in ("aux1_logits", "logits", "aux2_logits")]
    model = keras.Model(image, heads)
    one, main, two = (cross_entropy(logits, LABELS, 0.1) for logits in model(IMAGES))
    losses, logits = objective(label_smoothing=0.1, auxiliary_weight=0.3)(model, (IMAGES, LABELS, SEEDS), 0)
    assert np.allclose(losses, main + 0.3 * (one + two), rtol=1e-5)
    assert np.allclose(logits, model(IMAGES)[1])


def test_making_examples_moves_no_statistics(model):
    adversary, before = bind("adversaries", {"name": "pgd", "eps": 0.1}), [v.numpy() for v in model.variables]
    adversary(gradient_of(model), IMAGES, LABELS, seeds=SEEDS, step=tf.constant(0))
    assert all(np.array_equal(a, b) for a, b in zip(before, model.variables, strict=True))
