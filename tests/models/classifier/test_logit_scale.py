"""Answers that are neither probabilities nor logits make loss and calibration a guess, which is said beside them."""

import keras
import numpy as np
import pytest
from scipy.special import expit, softmax

import robust
from robust.models.classifier import Classifier, logit_scale
from robust.results.flags import FLAGS

pytestmark = pytest.mark.usefixtures("without_diagnostics")

random = np.random.default_rng(0)
IMAGES = random.random((60, 4, 4, 1), "float32")
KERNEL = random.normal(0, 4, (16, 5)).astype("float32")
LABELS = (IMAGES.reshape(60, 16) @ KERNEL).argmax(axis=1)


def logits(images):
    return images.reshape(len(images), 16) @ KERNEL


SHIFT = 16 * np.abs(KERNEL).max()  # no image answers less than minus this
SHARES = {
    "sigmoids": lambda x: expit(logits(x)),
    "per cent": lambda x: 100 * softmax(logits(x), axis=1),
    "two softmaxes": lambda x: softmax(logits(x), axis=1) + softmax(logits(x) / 2, axis=1),
    "nine tenths": lambda x: 0.9 * softmax(logits(x), axis=1),
    "shifted": lambda x: (logits(x) + SHIFT) / 1000,
}
SOUND = {
    "logits": logits,
    "probabilities": lambda x: softmax(logits(x), axis=1),
    "rounded": lambda x: softmax(logits(x), axis=1).round(2),
    "rectified": lambda x: np.maximum(logits(x), 0),
}


def found(model):
    return robust.evaluate(model, (IMAGES, LABELS), metrics=["accuracy", "calibration"], classes=5)


@pytest.mark.slow
@pytest.mark.parametrize("name", SHARES)
def test_every_number_of_such_a_model_is_marked(name):
    with pytest.warns(UserWarning, match="they are not probabilities, and were taken as logits"):
        table = found(SHARES[name])
    told = table[table["metric"] == "nll"].iloc[0]
    assert (table["reliability"] == "suspect").all() and np.isfinite(told["value"])


@pytest.mark.slow
@pytest.mark.parametrize("name", SOUND)
def test_of_logits_and_probabilities_nothing_is_said(name):
    assert (found(SOUND[name])["reliability"] == "").all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sigmoids", "per cent"])
def test_the_remedies_work_as_they_are_typed(name):
    remedy = FLAGS["logits_guessed"].remedy
    divided, less = (part.partition(")")[0] for part in remedy.split(" (")[1:])
    assert (divided + ")", less) == ("p / p.sum(axis=1, keepdims=True)", "z - 1")
    table = found(lambda x: eval(f"{divided})", {"p": SHARES[name](x)}))
    assert (table["reliability"] == "").all()
    if name == "per cent":
        assert robust.value(table, "nll").value == pytest.approx(robust.value(found(logits), "nll").value, rel=1e-4)
    small = robust.value(found(lambda x: eval(less, {"z": SHARES["shifted"](x)})), "nll").value
    assert small == pytest.approx(float(-np.log(softmax(SHARES["shifted"](IMAGES), axis=1)[range(60), LABELS]).mean()))


def test_a_subclass_whose_layers_say_nothing_is_looked_at_and_one_with_a_graph_is_not():
    class Sigmoids(keras.Model):
        def __init__(self):
            super().__init__()
            self.head = keras.layers.Dense(5, "sigmoid")

        def call(self, images):
            return self.head(keras.ops.reshape(images, (-1, 16)))

    model = Sigmoids()
    model(IMAGES[:1])
    assert logit_scale.found(Classifier(model, 5), IMAGES).name == "logits_guessed"
    image = keras.Input((4, 4, 1))
    graph = keras.Model(image, keras.layers.Dense(5, "relu")(keras.layers.Flatten()(image)))
    assert logit_scale.found(Classifier(graph, 5), IMAGES) is None


def test_a_few_numbers_may_all_be_shares_by_chance():
    model = Classifier(robust.models.classifier.black_box.wrapped(SHARES["sigmoids"]), 5)
    assert logit_scale.found(model, IMAGES[:3]) is None and logit_scale.found(model, IMAGES[:4]) is not None
