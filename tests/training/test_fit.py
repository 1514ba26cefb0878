import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from robust import attacks
from robust.core.errors import DataError, ModelError
from robust.core.progress import Silent
from robust.core.signature import Call, bind
from robust.datasets.dataset import Dataset, from_arrays
from robust.models.classifier import Classifier
from robust.suite import Architecture, Model, Training
from robust.training.fit import fit


def accuracy(network: keras.Model, data: Dataset, eps: float = 0.0) -> float:
    examples, classifier = data.examples("test"), Classifier(network, 3, batch_size=32)
    images = examples.images
    if eps:
        images = attacks.pgd(
            classifier, images, examples.labels, seeds=np.arange(len(images)), eps=eps, steps=10
        ).images
    return float(np.mean(classifier.logits(images).argmax(axis=1) == examples.labels))


def same(one: keras.Model, other: keras.Model) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


def test_it_learns_and_tells_each_epoch(stripes, model):
    network, history = fit(model(), stripes, 0, Silent())
    assert accuracy(network, stripes) > 0.9
    assert {key: len(values) for key, values in history.items()} == dict.fromkeys(
        ("loss", "accuracy", "val_loss", "val_accuracy"), 4
    )
    assert history["loss"][-1] < history["loss"][0]


@pytest.mark.slow
def test_the_validation_figures_are_those_of_the_network(stripes, model):
    network, history = fit(model(epochs=1), stripes, 0, Silent())
    examples = stripes.examples("validation")
    logits = Classifier(network, 3).logits(examples.images)
    assert history["val_accuracy"] == [pytest.approx(np.mean(logits.argmax(1) == examples.labels))]
    log = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    assert history["val_loss"] == [pytest.approx(-log[np.arange(60), examples.labels].mean(), rel=1e-5)]


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"augment": ["pad_and_crop", "flip", "mixup"], "ema": 0.9}])
def test_the_same_seed_gives_the_same_weights_and_another_one_others(stripes, model, options):
    first, again, other = (fit(model(epochs=1, **options), stripes, s, Silent())[0] for s in (3, 3, 4))
    assert same(first, again)
    assert not same(first, other)


@pytest.mark.slow
def test_the_test_split_is_never_read(stripes, model):
    def read(split):
        assert split != "test", "training has looked at the test split"
        return stripes.read(split)

    watched = dataclasses.replace(stripes, read=read)
    assert fit(model(epochs=1), watched, 0, Silent())[1]


@pytest.mark.slow
@pytest.mark.parametrize(("memory", "passes"), [(60 * 8 * 8 * 4, 1), (60 * 8 * 8 * 4 - 1, 3)])
def test_a_validation_split_that_does_not_fit_into_memory_is_read_again_each_epoch(
    stripes, model, monkeypatch, memory, passes
):
    seen = []

    def read(split):
        def rows():
            seen.append(split)
            yield from stripes.read(split).as_numpy_iterator()

        return tf.data.Dataset.from_generator(rows, output_signature=stripes.read(split).element_spec)

    monkeypatch.setattr("robust.training.fit.IN_MEMORY", memory)
    _, history = fit(model(epochs=3), dataclasses.replace(stripes, read=read), 0, Silent())
    assert seen.count("validation") == passes
    assert history == fit(model(epochs=3), stripes, 0, Silent())[1]


def test_the_normalisation_is_that_of_the_training_split(stripes, model):
    untrained = dataclasses.replace(model(), train=None)
    network, _ = fit(untrained, stripes, 0, Silent())
    images = stripes.examples("train").images
    layer = network.get_layer("normalization")
    assert np.allclose(layer.mean, images.mean(), atol=1e-5)
    assert np.allclose(layer.variance, images.var(), atol=1e-5)


@pytest.mark.slow
def test_a_hardened_net_is_harder_to_fool_than_a_plain_one_at_equal_budget(stripes, model):
    plain, _ = fit(model(epochs=8), stripes, 0, Silent())
    for adversary in ({"name": "fgsm", "eps": 0.1}, {"name": "pgd", "eps": 0.1, "steps": 3}):
        hardened, _ = fit(model(adversary, epochs=8), stripes, 0, Silent())
        assert accuracy(hardened, stripes, 0.1) > accuracy(plain, stripes, 0.1) + 0.1, adversary


def test_data_without_a_training_split_cannot_be_learned(model):
    data = from_arrays(np.zeros((3, 8, 8, 1), "float32"), [0, 1, 2])
    with pytest.raises(DataError, match="'arrays' has no training split, so net cannot be trained"):
        fit(model(), data, 0, Silent())
    assert fit(dataclasses.replace(model(), train=None), data, 0, Silent())[1] == {}


def with_heads(*, input_shape, classes):
    inputs = keras.Input(input_shape)
    x = keras.layers.Flatten()(keras.layers.Normalization(name="normalization")(inputs))
    main = keras.layers.Dense(classes, name="logits")(x)
    return keras.Model(inputs, [keras.layers.Dense(classes, name="aux1")(x), main])


@pytest.mark.slow
def test_auxiliary_heads_are_trained_with_their_weight_and_then_dropped(stripes, model, monkeypatch):
    monkeypatch.setattr(Call, "resolve", lambda call: with_heads)
    seen = []
    for weight in (0.0, 0.3, 0.6):
        still = model(epochs=1, auxiliary_weight=weight, learning_rate=1e-9)
        network, history = fit(still, stripes, 0, Silent())
        assert (network.output_shape, len(network.trainable_weights)) == ((None, 3), 2)
        seen += history["loss"]
    main, auxiliary = seen[0], (seen[1] - seen[0]) / 0.3
    assert 0.5 < auxiliary < 3  # near log 3, as nothing is learned
    assert seen[2] == pytest.approx(main + 0.6 * auxiliary, rel=1e-5)


@pytest.mark.slow
def test_those_of_googlenet_are_dropped(stripes):
    source = bind("architectures", {"name": "googlenet", "heads": "all", "width": 0.1})
    recipe = bind("recipes", {"name": "short", "epochs": 1})
    data = dataclasses.replace(stripes, image_shape=(16, 16, 1), read=lambda split: larger(stripes.read(split)))
    network, _ = fit(Model("g", Architecture(source), Training(recipe)), data, 0, Silent())
    assert network.output_shape == (None, 3)
    assert not [layer.name for layer in network.layers if layer.name.startswith("aux")]
    plain = bind("architectures", {"name": "googlenet", "heads": "main", "width": 0.1})
    assert plain(input_shape=(16, 16, 1), classes=3).count_params() == network.count_params()


def larger(rows):
    return rows.map(lambda image, label, id: (keras.ops.repeat(keras.ops.repeat(image, 2, 0), 2, 1), label, id))


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_lowers_the_loss_and_leaves_a_usable_file(stripes, model, tmp_path, precision):
    network, history = fit(model(precision=precision), stripes, 0, Silent())
    assert history["loss"][-1] < 0.7 * history["loss"][0]
    assert network.get_layer("norm").compute_dtype == precision.removeprefix("mixed_")
    assert network.get_layer("conv").compute_dtype == "float32"  # it sees pixels
    assert {v.dtype for v in network.trainable_variables} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"
    network.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras", safe_mode=True)
    assert accuracy(loaded, stripes) > 0.9


@pytest.mark.slow
def test_averages_are_what_is_validated_and_kept(stripes, model):
    own, _ = fit(model(epochs=2), stripes, 0, Silent())
    network, history = fit(model(epochs=2, ema=0.95), stripes, 0, Silent())
    assert not same(own, network)
    examples = stripes.examples("validation")
    right = Classifier(network, 3).logits(examples.images).argmax(1) == examples.labels
    assert history["val_accuracy"][-1] == pytest.approx(right.mean())


@pytest.mark.slow
def test_a_loss_that_diverges_is_an_error_that_says_where_it_began_and_what_to_change(stripes, model):
    wild = model(optimizer="sgd", learning_rate=1e30, warmup=0.0)
    told = r"net: its loss became (nan|inf) .*epoch 1, step \d; .* the output of "
    with pytest.raises(ModelError, match=told + r"layer '(conv|norm)'; lower learning_rate from 1e\+30, or set clip"):
        fit(wild, stripes, 0, Silent())


def test_two_ways_to_clip_are_one_too_many(stripes, model):
    with pytest.raises(ModelError, match=r"clip_norm = 1 and clip_value = 0\.5: set one of them"):
        fit(model(clip_norm=1.0, clip_value=0.5), stripes, 0, Silent())
