"""A model that does not say how it wants its pixels, and is asked in the wrong range."""

import keras
import numpy as np
import pytest
from keras import layers

import robust
from robust.classifier import Classifier
from robust.classifier.pixel_range import better
from robust.pixels import Pixels

random = np.random.default_rng(0)
IMAGES = random.uniform(0, 1, (200, 4, 4, 1)).astype(np.float32)
LABELS = np.digitize(IMAGES.mean(axis=(1, 2, 3)), [0.45, 0.55])


def graded(low, high):
    """Three classes by the mean grey: dark, middle, bright, of pixels from low to high."""
    inputs = keras.Input((4, 4, 1))
    grey = layers.Dense(1)
    head = layers.Dense(3)
    model = keras.Model(inputs, head(grey(layers.Flatten()(inputs))), name="graded")
    grey.set_weights([np.full((16, 1), 1 / 16), np.zeros(1)])
    one, two = (low + (high - low) * edge for edge in (0.45, 0.55))
    head.set_weights([np.array([[0.0, 1.0, 2.0]]), np.array([0.0, -one, -one - two])])  # dark, middle, bright
    return model


@pytest.mark.parametrize(("low", "high"), [(0, 255), (-1, 1)])
def test_the_range_in_which_it_does_clearly_better_is_found(low, high):
    model = graded(low, high)
    found = better(Classifier(model, 3), IMAGES, LABELS)
    assert (found.pixels, found.other, found.n) == (Pixels(low, high), 1.0, 200) and found.own < 0.6
    assert str(found).endswith(f"100% with [{low}, {high}]: if that is meant, say pixels = [{low}, {high}]")


def test_nothing_is_said_where_the_range_is_right_or_declared_or_no_range_helps():
    assert better(Classifier(graded(0, 1), 3), IMAGES, LABELS) is None
    assert better(Classifier(graded(0, 255), 3, pixels=(0, 1)), IMAGES, LABELS) is None
    assert better(Classifier(graded(0, 255), 3, pixels=(0, 255)), IMAGES, LABELS) is None
    assert better(Classifier(graded(0, 255), 3), IMAGES, random.permutation(LABELS)) is None


def test_the_report_says_so_and_no_attack_on_it_is_reliable():
    table = robust.evaluate(graded(0, 255), (IMAGES, LABELS), attacks="fgsm", eps="1/255")
    told = table[table["case"] == "fgsm"]
    assert set(told["trust"]) == {"invalid"} and "other_pixels" in {*told["group"], *told["metric"]}
    table = robust.evaluate(graded(0, 255), (IMAGES, LABELS), attacks="fgsm", eps="1/255", pixels=(0, 255))
    assert set(table.loc[table["case"] == "fgsm", "trust"]) == {"reliable"}
    assert robust.value(table, "top1", case="clean").value == 1
