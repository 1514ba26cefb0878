"""Each way to harden a network against its own claim: harder to fool than a plain one of an equal budget."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from robust import attacks
from robust.core import registry, statistics
from robust.core.progress import Silent
from robust.core.signature import bind
from robust.models.classifier import Classifier
from robust.training.fit import fit
from robust.training.objectives import cross_entropy, image_gradient, objective, weighed

PGD = {"name": "pgd", "eps": 0.1, "steps": 3}
HARDENED = {
    "fgsm": ({"name": "fgsm", "eps": 0.1}, None),
    "pgd": (PGD, None),
    "trades": (PGD, "trades"),
    "mart": (PGD, "mart"),
}


def standing(network, data) -> tuple[float, float]:
    """The 95 % interval of accuracy on the test images under 20 steps of PGD."""
    examples, classifier = data.examples("test"), Classifier(network, 3)
    seeds = np.arange(len(examples.labels))
    found = attacks.pgd(classifier, examples.images, examples.labels, seeds=seeds, eps=0.1)
    right = int((classifier.logits(found.images).argmax(1) == examples.labels).sum())
    return statistics.clopper_pearson(right, len(examples.labels))


@pytest.fixture(scope="module")
def plain():
    """Filled by the first who needs it."""
    return {}


@pytest.mark.slow
@pytest.mark.parametrize("name", HARDENED)
def test_it_is_harder_to_fool_than_a_plain_net_of_no_smaller_budget(stripes, model, plain, name):
    """An epoch of 3 steps of PGD costs 4 plain ones, of TRADES and MART with their two losses 6: so 8 are 48."""
    if not plain:
        plain["standing"] = standing(fit(model(epochs=48), stripes, 0, Silent())[0], stripes)
    adversary, against = HARDENED[name]
    network, history = fit(model(adversary, objective=against, epochs=8), stripes, 0, Silent())
    low, high = standing(network, stripes)
    assert low > plain["standing"][1], (name, low, high, plain)
    assert len(history["val_robust"]) == 8


@pytest.mark.slow
@pytest.mark.parametrize("name", registry.names("objectives"))
def test_labels_may_be_mixed_and_batches_divided(stripes, model, name):
    options = {"augment": ["mixup"], "label_smoothing": 0.1, "accumulation": 2, "epochs": 2}
    _, history = fit(model(PGD, objective=name, **options), stripes, 0, Silent())
    assert history["loss"][1] < history["loss"][0]


def test_every_objective_stands_in_the_table():
    assert set(registry.names("objectives")) == set(HARDENED) - {"fgsm", "pgd"}


CLEAN = np.array([[2.0, 0.5, -1.0], [0.1, 0.0, 0.3]])
ADVERSARIAL = np.array([[0.5, 1.5, -1.0], [0.4, -0.2, 0.0]])
LABELS = np.array([0, 2])


def parts():
    p, q = special.softmax(CLEAN, 1), special.softmax(ADVERSARIAL, 1)
    rows = np.arange(2)
    ce = -np.log(p[rows, LABELS]), -np.log(q[rows, LABELS])
    return p, q, ce, special.rel_entr(p, q).sum(1)


def called(name, **options):
    shares = tf.one_hot(LABELS, 3, dtype=tf.float64)
    found = bind("objectives", {"name": name, **options})(tf.constant(CLEAN), tf.constant(ADVERSARIAL), shares)
    return [each.numpy() for each in found]


def test_trades_is_cross_entropy_of_the_image_and_beta_divergences_which_its_adversary_climbs():
    _, _, (clean, _), divergence = parts()
    climbed, losses = called("trades", beta=3)
    assert np.allclose(climbed, divergence)
    assert np.allclose(losses, clean + 3 * divergence)


def test_mart_is_boosted_cross_entropy_and_a_divergence_that_counts_where_the_image_is_doubted():
    p, q, (_, adversarial), divergence = parts()
    climbed, losses = called("mart", beta=5)
    others = np.array([q[0, 1:].max(), q[1, :2].max()])
    doubt = 1 - p[np.arange(2), LABELS]
    assert np.allclose(climbed, adversarial)
    assert np.allclose(losses, adversarial - np.log(1.0001 - others) + 5 * divergence * doubt)


@pytest.fixture(scope="module")
def net():
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Conv2D(4, 3, activation="relu"), keras.layers.BatchNormalization(), keras.layers.Flatten()]
    made = keras.Sequential([keras.Input((5, 5, 1)), *layers, keras.layers.Dense(3, name="logits")])
    return keras.Model(made.inputs, made.outputs)


IMAGES = tf.constant(np.random.default_rng(0).uniform(0.2, 0.8, (6, 5, 5, 1)).astype("float32"))
BATCH = IMAGES, tf.constant([0, 1, 2, 0, 1, 2], tf.int64), tf.constant(range(6), tf.int64)


def test_trades_without_a_ball_is_plain_training(net):
    trades = weighed(bind("adversaries", {"name": "pgd", "eps": 0}), bind("objectives", "trades"), 0.1)
    losses, logits = trades(net, BATCH, tf.constant(0))
    plain, same = objective(label_smoothing=0.1)(net, BATCH, tf.constant(0))
    assert np.allclose(losses, plain, rtol=1e-5) and np.allclose(logits, same, atol=1e-5)


@pytest.mark.slow
def test_trades_looks_for_the_images_whose_answers_differ_most(net):
    """Its adversary gets the gradient of the divergence; one of cross-entropy finds less of it."""
    eps, still = 0.05, net(IMAGES, training=False)
    pgd = bind("adversaries", {"name": "pgd", "eps": eps, "steps": 20})

    def divergence(logits, _=None):
        return keras.losses.kl_divergence(tf.nn.softmax(still), tf.nn.softmax(logits))

    by = {}
    for name, loss in {"divergence": divergence, "cross-entropy": lambda z, y: cross_entropy(z, y, 0.0)}.items():
        found = pgd(image_gradient(net, loss), *BATCH[:2], seeds=BATCH[2], step=tf.constant(0))
        by[name] = float(tf.reduce_mean(divergence(net(found, training=False))))
    assert by["divergence"] > by["cross-entropy"] > 0
    with tf.GradientTape() as tape:
        tape.watch(points := IMAGES + 0.01)
        away = divergence(net(points, training=False))
    expected, seen = tape.gradient(away, points), []
    asks = lambda gradient, images, labels, **_: seen.append(gradient(images + 0.01, labels)) or images  # noqa: E731
    weighed(asks, bind("objectives", "trades"))(net, BATCH, tf.constant(0))
    assert np.allclose(seen[0], expected, atol=1e-6)


@pytest.mark.parametrize("name", registry.names("objectives"))
def test_auxiliary_heads_are_weighed_too(name):
    image = keras.Input((5, 5, 1))
    flat = keras.layers.Flatten()(image)
    keras.utils.set_random_seed(1)
    heads = [keras.layers.Dense(3, name=each)(flat) for each in ("aux1_logits", "logits")]
    both, alone = keras.Model(image, heads), keras.Model(image, heads[1])
    adversary, against = bind("adversaries", {"name": "pgd", "eps": 0.05}), bind("objectives", name)
    total, logits = weighed(adversary, against, auxiliary_weight=0.3)(both, BATCH, tf.constant(0))
    main, same = weighed(adversary, against)(alone, BATCH, tf.constant(0))
    shares = tf.one_hot(BATCH[1], 3)
    seeds = {"seeds": BATCH[2], "step": tf.constant(0)}
    still = alone(IMAGES)
    found = adversary(image_gradient(alone, lambda z, y: against(still, z, shares)[0]), *BATCH[:2], **seeds)
    extra = against(both(IMAGES)[0], both(found)[0], shares)[1]
    assert np.allclose(logits, same) and np.allclose(total, main + 0.3 * extra, rtol=1e-4)
