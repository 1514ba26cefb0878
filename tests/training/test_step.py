"""The step against Keras' own `fit`, and against what can be said of it in closed form."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from robust.training.objectives import objective
from robust.training.optimizers import decayed, optimizer
from robust.training.recipes import Recipe
from robust.training.step import Learner, averaged, compiled

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.random((80, 6, 6, 1), "float32")
LABELS = RANDOM.integers(0, 3, 80)
BATCHES = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS, np.arange(80))).batch(16)


def small(norm=True) -> keras.Model:
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Conv2D(4, 3, activation="relu"), keras.layers.BatchNormalization(name="norm")]
    layers = [*(layers if norm else layers[:1]), keras.layers.Flatten(), keras.layers.Dense(3, name="logits")]
    network = keras.Sequential([keras.Input((6, 6, 1)), *layers])
    return keras.Model(network.inputs, network.outputs)


def recipe(**options) -> Recipe:
    return Recipe(**{"epochs": 1, "batch_size": 16, "learning_rate": 0.05, **options})


def steps(network: keras.Model, recipe: Recipe, count: int = 1) -> tuple[list[float], Learner]:
    """The losses of so many steps at the recipe's highest rate."""
    averages = [tf.Variable(w.numpy()) for w in averaged(network)] if recipe.ema else []
    made, strategy = optimizer(recipe, network), tf.distribute.get_strategy()
    learner = Learner(network, made, objective(None, recipe.label_smoothing), recipe, strategy, averages)
    step = compiled(learner, BATCHES.element_spec)
    made.learning_rate = recipe.learning_rate
    return [float(step(*batch)[0]) for batch in BATCHES.repeat().take(count)], learner


def weights(network: keras.Model) -> list[np.ndarray]:
    return [weight.numpy() for weight in network.weights]


def alike(one: list[np.ndarray], other: list[np.ndarray], tolerance: float = 1e-5) -> bool:
    return all(np.allclose(a, b, atol=tolerance) for a, b in zip(one, other, strict=True))


THEIRS = {
    "sgd": lambda: keras.optimizers.SGD(0.05, 0.9),
    "nesterov": lambda: keras.optimizers.SGD(0.05, 0.9, nesterov=True),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.05, 0.9, 0.9, 1e-3),
    "adamw": lambda: keras.optimizers.AdamW(0.05, weight_decay=0.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", THEIRS)
def test_twenty_steps_are_those_of_keras_fit(name):
    ours, theirs = small(), small()
    losses, _ = steps(ours, recipe(optimizer=name), 20)
    theirs.compile(THEIRS[name](), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    if name == "rmsprop":  # the releases begin the average of squares at one, Keras at zero
        theirs.optimizer.build(theirs.trainable_variables)
        for average in theirs.optimizer._velocities:
            average.assign(keras.ops.ones_like(average))
    seen = []
    note = keras.callbacks.LambdaCallback(on_train_batch_end=lambda _, logs: seen.append(logs["loss"]))
    batches = BATCHES.map(lambda image, label, _: (image, label)).repeat()
    theirs.fit(batches, epochs=20, steps_per_epoch=1, verbose=0, shuffle=False, callbacks=[note])
    assert np.allclose(losses, seen, rtol=1e-4)
    assert alike(weights(ours), weights(theirs), 1e-4)


@pytest.mark.slow
def test_plain_momentum_is_v_times_momentum_plus_rate_times_gradient():
    network = small(norm=False)
    kernel, before = network.get_layer("logits").kernel, network.get_layer("logits").kernel.numpy()
    gradients = []
    for batch in BATCHES.take(1):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(objective()(network, batch, tf.constant(0))[0])
        gradients.append(tape.gradient(loss, kernel.value).numpy())
    steps(network, recipe())
    assert np.allclose(kernel.numpy(), before - 0.05 * gradients[0], atol=1e-6)


@pytest.mark.slow_after_first
@pytest.mark.parametrize("parts", [3, 16, 50])
def test_a_batch_in_parts_gives_the_gradient_of_the_whole(parts):
    whole, divided = small(norm=False), small(norm=False)
    losses, _ = steps(whole, recipe(), 3)
    same, _ = steps(divided, recipe(accumulation=parts), 3)
    assert np.allclose(losses, same, rtol=1e-5)
    assert alike(weights(whole), weights(divided))


@pytest.mark.slow
def test_parts_see_the_statistics_of_the_parts_before_them():
    network = small()
    steps(network, recipe(accumulation=4))
    mean = network.get_layer("norm").moving_mean.numpy()
    start = small()
    whole = steps(start, recipe())[1].network.get_layer("norm").moving_mean.numpy()
    assert np.allclose(mean / (1 - 0.99**4), whole / (1 - 0.99), rtol=0.2)  # four updates, not one


@pytest.mark.slow
def test_l2_decay_goes_through_the_momentum_and_decoupled_decay_does_not():
    for kind in ("l2", "decoupled"):
        network = small(norm=False)
        learner = Learner(
            network,
            optimizer(recipe(weight_decay=0.1, decay=kind), network),
            lambda network, batch, step: (0 * network(batch[0])[:, 0], network(batch[0])),
            recipe(weight_decay=0.1, decay=kind),
            tf.distribute.get_strategy(),
            [],
        )
        step, kernel = compiled(learner, BATCHES.element_spec), network.get_layer("logits").kernel
        learner.optimizer.learning_rate = 0.05
        start, speed, expected = kernel.numpy(), 0.0, kernel.numpy()
        for batch in BATCHES.take(3):
            step(*batch)
            speed = (0.9 * speed if kind == "l2" else 0.0) + 0.05 * 0.1 * expected
            expected = expected - speed
        assert np.allclose(kernel.numpy(), expected, atol=1e-6), kind
        assert not np.allclose(kernel.numpy(), start, atol=1e-4)


def test_decay_is_of_what_the_recipe_says():
    inputs = x = keras.Input((6, 6, 1))
    x = keras.layers.DepthwiseConv2D(3, name="depthwise")(keras.layers.Conv2D(2, 3, name="conv")(x))
    x = keras.layers.Flatten()(keras.layers.BatchNormalization(name="norm")(x))
    network = keras.Model(inputs, keras.layers.Dense(3, name="logits")(x))
    names = {
        kind: {weight.path for weight in decayed(recipe(decayed=kind), network)}
        for kind in ("all", "kernels", "all_but_batch_norm", "kernels_but_depthwise")
    }
    assert names["kernels"] == {"conv/kernel", "depthwise/kernel", "logits/kernel"}
    assert names["kernels_but_depthwise"] == {"conv/kernel", "logits/kernel"}
    assert names["all"] - names["all_but_batch_norm"] == {"norm/gamma", "norm/beta"}
    assert len(names["all"]) == len(network.trainable_weights) == 8


@pytest.mark.slow
def test_clipping_bounds_the_whole_gradient_or_each_entry():
    for options, bound in (({"clip_norm": 0.01}, 0.05 * 0.01), ({"clip_value": 1e-4}, 0.05 * 1e-4)):
        network = small(norm=False)
        before = weights(network)
        steps(network, recipe(**options))
        change = np.concatenate([(a - b).ravel() for a, b in zip(weights(network), before, strict=True)])
        size = np.linalg.norm(change) if "clip_norm" in options else np.abs(change).max()
        assert size == pytest.approx(bound, rel=1e-2)


@pytest.mark.slow
def test_the_average_follows_the_weights_and_begins_at_once():
    network = small()
    first = weights(network)
    _, learner = steps(network, recipe(ema=0.999))
    decay = 2 / 11  # (1 + step) / (10 + step) after the first step
    for average, start, now in zip(learner.averages, first, weights(network), strict=True):
        assert np.allclose(average, decay * start + (1 - decay) * now, atol=1e-6)


def test_labels_may_be_shares_of_classes():
    whole, soft = small(norm=False), small(norm=False)
    losses, _ = steps(whole, recipe(), 1)
    batch = next(iter(BATCHES))
    shares = tf.one_hot(batch[1], 3)
    told, _ = objective()(soft, (batch[0], shares, batch[2]), tf.constant(0))
    assert losses == pytest.approx([float(tf.reduce_mean(told))], rel=1e-5)
