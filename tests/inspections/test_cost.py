import keras
import numpy as np
import pytest
from keras import layers

from robust import schema
from robust.classifier import Classifier
from robust.datasets.dataset import from_arrays
from robust.inspections import cost

DATA = from_arrays(np.zeros((1, 6, 6, 1)), [0], classes=3)


def _net(*head):
    parts = [keras.Input((6, 6, 1)), layers.Conv2D(4, 3), layers.BatchNormalization(), layers.Dropout(0.5)]
    return keras.Sequential([*parts, layers.Flatten(), *head])


# convolution 9 * 4 + 4, normalisation 4 * 4 of which half are statistics, dense 64 * 3 + 3
@pytest.mark.parametrize(
    "head",
    [[layers.Dense(3)], [layers.Dense(3, "softmax")], [layers.Dense(3), layers.Softmax()]],
    ids=["logits", "softmax head", "softmax layer"],
)
def test_parameters_by_hand(head):
    values = list(cost(Classifier(_net(*head), 3), DATA))
    assert [(v.metric, v.value, v.n, v.unit) for v in values] == [
        ("parameters", 40 + 16 + 195, 1, "parameters"),
        ("trainable_parameters", 40 + 8 + 195, 1, "parameters"),
    ]


def test_what_is_frozen_is_not_trained():
    model = _net(layers.Dense(3))
    model.layers[0].trainable = False
    assert [v.value for v in cost(Classifier(model, 3), DATA)] == [251, 203]


def test_yields_what_it_declares():
    declared = schema.metrics(schema.bind("inspections", "cost"))
    assert tuple(v.metric for v in cost(Classifier(_net(layers.Dense(3)), 3), DATA)) == declared
