"""Outputs that a sigmoid or tanh bounds, recognised by what they give: gradients vanish where it is sure."""

import keras
import numpy as np
import pytest
from keras import layers

from robust.attacks import diagnostics
from robust.models.classifier import Classifier

random = np.random.default_rng(0)
IMAGES = random.random((40, 4, 4, 1), "float32")
LABELS = random.integers(0, 3, 40)


def net(activation, scale=3.0, clipped=False):
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.flat_scores, self.head = layers.Flatten(), layers.Dense(3)

        def call(self, images):
            shown = keras.ops.clip(images, 0, 1) if clipped else images
            return activation(self.head(self.flat_scores(shown)))

    model = Net()
    model(IMAGES)
    kernel = np.random.default_rng(1).normal(0, scale, (16, 3))
    model.head.set_weights([kernel - kernel.mean(axis=0), np.zeros(3)])
    return model


def ills(model):
    found = diagnostics.examine(Classifier(model, 3), {"name": "pgd", "eps": 0.02, "steps": 5}, IMAGES, LABELS)
    return {reason.name: reason for reason in found.reasons}


@pytest.mark.slow
@pytest.mark.parametrize("activation", [keras.ops.sigmoid, keras.ops.tanh, keras.ops.hard_sigmoid])
def test_bounded_outputs_are_told(activation):
    found = ills(net(activation))["bounded_outputs"]
    assert found.n == 40 and 0 < found.value <= 1 and "sigmoid or tanh" in str(found)


@pytest.mark.slow
@pytest.mark.parametrize("activation", [lambda z: 5 * keras.ops.tanh(z), lambda z: 6 * keras.ops.sigmoid(z) - 2])
def test_outputs_with_other_bounds_are_told_where_some_lie_at_them(activation):
    assert ills(net(activation))["bounded_outputs"].value > 0.05


@pytest.mark.slow
def test_a_model_to_which_all_loud_images_look_alike_is_not_bounded():
    assert "bounded_outputs" not in ills(net(lambda z: z, clipped=True))


@pytest.mark.slow
@pytest.mark.parametrize("activation", [lambda z: z, lambda z: z / 100, lambda z: 5 * keras.ops.tanh(z)])
def test_logits_are_not_though_they_be_small(activation):
    assert "bounded_outputs" not in ills(net(activation, scale=0.3))


@pytest.mark.slow
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_logits_that_overflow_have_no_ends():
    """As those of half precision do, shown pixels far beyond [0, 1]: told in no warning of NumPy either."""
    assert "bounded_outputs" not in ills(net(keras.ops.sinh, scale=0.3))
