"""Training that looks at its results every so many steps does what training that looks at each one does."""

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

from robust.core.errors import ModelError
from robust.core.progress import Silent
from robust.training import window
from robust.training.fit import fit
from robust.training.objectives import objective
from robust.training.optimizers import optimizer
from robust.training.recipes import Recipe
from robust.training.step import Learner, averaged, compiled

RECIPE = Recipe(epochs=1, batch_size=8, learning_rate=0.1, warmup=0.0, ema=0.9)
STEPS = 12


def learner() -> Learner:
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)]
    image = x = keras.Input((6, 6, 1))
    for layer in (*layers, keras.layers.Flatten(), keras.layers.Dense(3, name="logits")):
        x = layer(x)
    network = keras.Model(image, x)
    averages = [tf.Variable(w.numpy()) for w in averaged(network)]
    made, strategy = optimizer(RECIPE, network), tf.distribute.get_strategy()
    return Learner(network, made, objective(None, 0.0), RECIPE, strategy, averages)


def batches(wrong: int | None = None, value: float = np.nan) -> tf.data.Dataset:
    """STEPS batches; one image of number `wrong` has a pixel of this value."""
    random = np.random.default_rng(0)
    images = random.random((8 * STEPS, 6, 6, 1), "float32")
    if wrong is not None:
        images[8 * wrong, 0, 0] = value
    rows = images, random.integers(0, 3, 8 * STEPS), np.arange(8 * STEPS)
    return tf.data.Dataset.from_tensor_slices(rows).batch(8)


def trained(most: int, data: tf.data.Dataset, advance=lambda: None):
    """The learner, what its steps measured, and the step at which it ended early."""
    ours = learner()
    step, feed, seen = compiled(ours, data.element_spec), iter(data), []
    walk = partial(window.walk, ours, step, feed, steps=STEPS, advance=advance)
    try:
        for places in window.windows(0, STEPS, most):
            seen += walk(places=places)
    except window.NonFiniteError as error:
        return ours, seen, error
    return ours, seen, None


def same(one: Learner, other: Learner) -> bool:
    """Are all variables equal, bit for bit: weights, statistics, optimiser, averages, states of random numbers?"""
    pairs = zip(one.variables(), other.variables(), strict=True)
    return all(np.array_equal(a.numpy(), b.numpy(), equal_nan=True) for a, b in pairs)


@pytest.mark.slow_after_first
@pytest.mark.parametrize("most", [5, 32])
def test_the_weights_and_results_are_those_of_looking_at_every_step(most):
    ours, seen, _ = trained(most, batches())
    theirs, each, _ = trained(1, batches())
    assert len(seen) == len(each) == STEPS and same(ours, theirs)
    assert not same(ours, learner())
    for one, other in zip(seen, each, strict=True):
        assert (one.loss, one.right, one.images) == (other.loss, other.right, other.images)
        assert np.array_equal(one.finite, other.finite)


@pytest.mark.slow_after_first
@pytest.mark.parametrize("wrong", [3, 0, 7, STEPS - 1])
def test_an_alarm_names_its_step_and_leaves_the_learner_as_this_step_did(wrong):
    """Also where later steps of the window are finite again."""
    ours, _, error = trained(8, batches(wrong))
    theirs, _, at_once = trained(1, batches(wrong))
    assert error is not None and at_once is not None
    assert error.place == at_once.place == wrong
    assert same(ours, theirs)
    assert np.array_equal(error.images, at_once.images, equal_nan=True) and np.isnan(error.images).any()
    assert np.array_equal(error.results.finite, at_once.results.finite)


@pytest.mark.slow
def test_the_error_of_a_training_is_that_of_looking_at_every_step(model, stripes, monkeypatch):
    def error() -> str:
        with pytest.raises(ModelError) as found:
            fit(model(learning_rate=30000.0, warmup=0.0, epochs=2), stripes, 0, Silent())
        return str(found.value)

    found = error()
    monkeypatch.setattr(window, "MOST_STEPS", 1)
    assert found == error()
    assert "in epoch 1, step" in found


def test_every_step_is_reported_and_may_stop_the_training():
    seen = []
    trained(5, batches(), lambda: seen.append(1))
    assert len(seen) == STEPS

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(5, batches(), stop)


def test_a_window_is_shorter_where_batches_are_large_and_one_step_where_their_size_is_unknown(monkeypatch):
    ours, spec = learner(), batches().element_spec
    assert window.length(ours, spec) == window.MOST_STEPS
    batch, kept = 8 * (36 * 4 + 8 + 8), sum(4 * np.prod(v.shape, dtype=int) for v in ours.variables())
    monkeypatch.setattr(window, "MOST_BYTES", kept + 3 * batch)
    assert window.length(ours, spec) == 3
    monkeypatch.setattr(window, "MOST_BYTES", batch)
    assert window.length(ours, spec) == 1
    monkeypatch.undo()
    assert window.length(ours, tf.TensorSpec([None, None, None, 3])) == 1
