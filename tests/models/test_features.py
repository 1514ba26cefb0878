import keras
import numpy as np
import pytest

from robust.core.errors import ModelError
from robust.models.classifier import Classifier
from robust.models.features import Features, features

IMAGES = np.random.default_rng(0).random((5, 4, 4, 1), np.float32)
L = keras.layers


def _found(model, images=IMAGES, **options):
    return features(Classifier(model, 3, batch_size=2, **options), images)


def _net(*end):
    image = keras.Input((4, 4, 1))
    x = hidden = L.Dense(6, "relu", name="hidden")(L.Flatten()(image))
    for layer in end:
        x = layer(x)
    return keras.Model(image, x), keras.Model(image, hidden)


@pytest.mark.parametrize(
    "end",
    [
        [L.Dense(3)],
        [L.Dense(3, "softmax")],
        [L.Dense(3), L.Softmax()],
        [L.Dropout(0.5), L.Dense(3), L.Activation("linear"), L.Reshape((3,))],
    ],
)
def test_features_are_what_goes_into_the_last_layer_with_weights(end):
    model, hidden = _net(*end)
    assert _found(model) == pytest.approx(hidden(IMAGES).numpy(), abs=1e-6)


def test_the_head_on_the_features_gives_the_logits():
    model, _ = _net(L.Dense(3, name="head"))
    classifier = Classifier(model, 3)
    weights, bias = model.get_layer("head").get_weights()
    assert features(classifier, IMAGES) @ weights + bias == pytest.approx(classifier.logits(IMAGES), abs=1e-5)


def test_a_nested_model_is_looked_into():
    inner, hidden = _net(L.Dense(3))
    outer = keras.Sequential([keras.Input((4, 4, 1)), L.Rescaling(2.0), inner, L.Softmax()])
    assert _found(outer) == pytest.approx(hidden(2 * IMAGES).numpy(), abs=1e-6)


def test_of_a_map_the_mean_over_places_counts():
    image = keras.Input((4, 4, 1))
    x = L.Conv2D(5, 3)(image)
    model = keras.Model(image, L.GlobalAveragePooling2D()(L.Conv2D(3, 1)(x)))
    assert _found(model) == pytest.approx(keras.Model(image, x)(IMAGES).numpy().mean(axis=(1, 2)), abs=1e-6)


def test_pixels_are_what_the_model_wants():
    model, hidden = _net(L.Dense(3))
    found = _found(model, preprocessing=(0, 255))
    assert found == pytest.approx(hidden(255 * IMAGES).numpy(), rel=1e-5, abs=1e-4)  # sums of terms up to 255


def test_a_model_without_a_graph_of_layers_is_refused_with_the_remedy():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.head = L.Dense(3)

        def call(self, inputs):
            return self.head(keras.ops.reshape(inputs, (-1, 16)))

    model = Own()
    model(IMAGES)
    with pytest.raises(ModelError, match=r"has no graph of layers.* build it as keras\.Model\(inputs, outputs\)"):
        _found(model)


def test_two_heads_added_up_are_refused():
    image = keras.Input((4, 4, 1))
    flat = L.Flatten()(image)
    model = keras.Model(image, L.Add(name="sum")([L.Dense(3)(flat), L.Dense(3)(flat)]))
    with pytest.raises(ModelError, match="ends in 'sum', which has 2 inputs and no weights"):
        _found(model)


def test_features_are_looked_at_when_they_are_asked_for_and_once(tmp_path):
    classifier = Classifier(_net(L.Dense(3))[0], 3, batch_size=2)
    of = Features(classifier, IMAGES)
    of.save(tmp_path / "features.npy")
    assert of.found is None and not (tmp_path / "features.npy").exists() and classifier.n_forward == 0
    assert of() is of()
    of.save(tmp_path / "features.npy")
    assert np.array_equal(np.load(tmp_path / "features.npy"), features(classifier, IMAGES))
