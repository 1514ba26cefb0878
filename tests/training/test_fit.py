import keras
import numpy as np
import pytest

from robust import attacks
from robust.classifier import Classifier
from robust.datasets.dataset import Dataset, from_arrays
from robust.errors import DataError, ModelError
from robust.progress import Silent
from robust.schema import Call, bind
from robust.suite import Training
from robust.training.fit import batches, fit, optimizer
from robust.training.recipes import Recipe


def network(*, input_shape, classes) -> keras.Model:
    inputs = x = keras.Input(input_shape)
    x = keras.layers.Normalization(name="normalization")(x)
    x = keras.layers.Conv2D(8, 3, activation="relu")(x)
    x = keras.layers.BatchNormalization()(x)
    return keras.Model(inputs, keras.layers.Dense(classes, name="logits")(keras.layers.Flatten()(x)))


@pytest.fixture(autouse=True)
def our_network(monkeypatch):
    monkeypatch.setattr(Call, "resolve", lambda call: network if call.kind == "architectures" else _resolve(call))


_resolve = Call.resolve
ARCHITECTURE = Call("architectures", "network")


def training(adversary=None, **options) -> Training:
    recipe = bind("recipes", {"name": "short", "epochs": 4, "batch_size": 64, **options})
    return Training(recipe, None if adversary is None else bind("adversaries", adversary))


def accuracy(model: keras.Model, data: Dataset, eps: float = 0.0) -> float:
    examples, classifier = data.examples("test"), Classifier(model, 3, batch_size=32)
    images = examples.images
    if eps:
        images = attacks.pgd(
            classifier, images, examples.labels, seeds=np.arange(len(images)), eps=eps, steps=10
        ).images
    return float(np.mean(classifier.logits(images).argmax(axis=1) == examples.labels))


def test_it_learns_and_tells_each_epoch(stripes):
    model, history = fit(ARCHITECTURE, training(), stripes, 0, Silent(), "net")
    assert accuracy(model, stripes) > 0.9
    assert {key: len(values) for key, values in history.items()} == dict.fromkeys(
        ("loss", "accuracy", "val_loss", "val_accuracy"), 4
    )
    assert history["loss"][-1] < history["loss"][0]


def test_the_same_seed_gives_the_same_weights_and_another_one_others(stripes):
    first, again, other = (fit(ARCHITECTURE, training(epochs=1), stripes, s, Silent(), "net")[0] for s in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(first.get_weights(), again.get_weights(), strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first.get_weights(), other.get_weights(), strict=True))


def test_the_test_split_is_never_read(stripes):
    def read(split):
        assert split != "test", "training has looked at the test split"
        return stripes.read(split)

    watched = Dataset("stripes", stripes.classes, stripes.image_shape, stripes.sizes, read, "stripes")
    assert fit(ARCHITECTURE, training(epochs=1), watched, 0, Silent(), "net")[1]


def test_the_normalisation_is_that_of_the_training_split(stripes):
    model, _ = fit(ARCHITECTURE, None, stripes, 0, Silent(), "net")
    images = stripes.examples("train").images
    layer = model.get_layer("normalization")
    assert np.allclose(layer.mean, images.mean(), atol=1e-5)
    assert np.allclose(layer.variance, images.var(), atol=1e-5)


def test_a_hardened_net_is_harder_to_fool_than_a_plain_one_at_equal_budget(stripes):
    plain, _ = fit(ARCHITECTURE, training(epochs=8), stripes, 0, Silent(), "plain")
    for adversary in ({"name": "fgsm", "eps": 0.1}, {"name": "pgd", "eps": 0.1, "steps": 3}):
        hardened, _ = fit(ARCHITECTURE, training(adversary, epochs=8), stripes, 0, Silent(), "hardened")
        assert accuracy(hardened, stripes, 0.1) > accuracy(plain, stripes, 0.1) + 0.1, adversary


def test_a_loss_that_diverges_is_an_error_that_says_what_to_change(stripes):
    with pytest.raises(ModelError, match=r"net: its loss became (nan|inf) in epoch 1; lower learning_rate from 1e\+30"):
        fit(ARCHITECTURE, training(optimizer="sgd", learning_rate=1e30, warmup=0.0), stripes, 0, Silent(), "net")


def test_data_without_a_training_split_cannot_be_learned():
    data = from_arrays(np.zeros((3, 8, 8, 1), "float32"), [0, 1, 2])
    with pytest.raises(DataError, match="'arrays' has no training split, so net cannot be trained"):
        fit(ARCHITECTURE, training(), data, 0, Silent(), "net")
    assert fit(ARCHITECTURE, None, data, 0, Silent(), "net")[1] == {}


def test_the_order_of_the_batches_changes_each_epoch_and_comes_back_with_the_seed(stripes):
    examples = stripes.examples("train")
    first, again = batches(examples, 384, seed=5), batches(examples, 384, seed=5)
    epochs = [next(iter(first))[2].numpy() for _ in range(2)]
    assert not np.array_equal(*epochs)
    assert np.array_equal(np.sort(epochs[0]), np.sort(epochs[1]))
    assert np.array_equal(epochs, [next(iter(again))[2].numpy() for _ in range(2)])


def test_the_learning_rate_warms_up_to_its_peak_and_falls_to_zero_on_a_half_cosine():
    recipe = Recipe("adamw", epochs=10, batch_size=1, learning_rate=0.5, warmup=0.2)
    rate = optimizer(recipe, network(input_shape=(8, 8, 1), classes=3), steps=10)._learning_rate
    assert float(rate(0)) == pytest.approx(0.005)
    assert float(rate(20)) == pytest.approx(0.5)
    assert float(rate(60)) == pytest.approx(0.25)
    assert float(rate(100)) == pytest.approx(0, abs=1e-7)
    assert max(float(rate(step)) for step in range(100)) == pytest.approx(0.5)


def test_weight_decay_spares_biases_and_normalisation():
    net = network(input_shape=(8, 8, 1), classes=3)
    recipe = Recipe("adamw", epochs=1, batch_size=1, learning_rate=0.1, weight_decay=0.5)
    made = optimizer(recipe, net, steps=10)
    made.build(net.trainable_variables)
    before = [v.numpy() for v in net.trainable_variables]
    for variable in net.trainable_variables:
        variable.assign(variable + 1)
    made.apply([v * 0 for v in net.trainable_variables])
    for old, variable in zip(before, net.trainable_variables, strict=True):
        decayed = not np.allclose(variable, old + 1)
        assert decayed == (variable.path.split("/")[-1] == "kernel"), variable.path
