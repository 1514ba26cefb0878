"""Models that answer at random: the mean gradient of several passes finds what one pass misses."""

import keras
import numpy as np
import pytest

from robust.attacks import apgd, autoattack
from robust.models.classifier import Classifier

layers = keras.layers
EPS, LOOKS = 0.05, 50


class Noise(layers.GaussianNoise):
    def call(self, images, training=None):
        return super().call(images, training=True)


class Zoom(layers.RandomZoom):
    def call(self, images, training=True):
        return super().call(images, training=True)


FRONTS = {"noise": lambda: Noise(0.4, seed=0), "resizing": lambda: Zoom((-0.3, 0.3), seed=0)}


@pytest.fixture(scope="module", params=FRONTS)
def random_one(request, trained):
    """The trained network behind noise, or a random resizing, that is on at inference."""
    inputs = keras.Input((8, 8, 2))
    front = FRONTS[request.param]()(inputs)
    return Classifier(keras.Model(inputs, trained.classifier.model(front)), 10, batch_size=32)


def _accuracy(classifier, images, labels):
    """Of many random looks at the same images."""
    return np.mean([(classifier.logits(images).argmax(axis=1) == labels).mean() for _ in range(LOOKS)])


@pytest.mark.slow
def test_the_mean_of_many_passes_lowers_the_accuracy_more(trained, random_one):
    _, images, labels, seeds = trained
    clean = _accuracy(random_one, images, labels)
    one, many = (
        apgd(random_one, images, labels, seeds=seeds, eps=EPS, steps=10, eot_iter=eot_iter) for eot_iter in (1, 20)
    )
    after = [_accuracy(random_one, found.images, labels) for found in (one, many)]
    assert clean > after[0] + 0.05 and after[0] > after[1] + 0.015, (clean, after)


@pytest.mark.slow
def test_the_version_for_random_models(trained, random_one):
    _, images, labels, seeds = trained
    rand, plain = (
        autoattack(random_one, images, labels, seeds=seeds, eps=EPS, version="rand", steps=10),
        apgd(random_one, images, labels, seeds=seeds, eps=EPS, steps=10),
    )
    assert set(rand.by) <= {"", "apgd-ce", "apgd-dlr"}
    assert (rand.n_backward[rand.by == ""] == 2 * 10 * 20).all()
    after = [_accuracy(random_one, found.images, labels) for found in (plain, rand)]
    assert after[0] > after[1] + 0.015, after
