"""Fine-tuning: what is replaced, what stays bit-equal, what learns slower, and when."""

import json
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from robust.core.errors import ModelError, SuiteError
from robust.core.progress import Silent
from robust.core.signature import bind
from robust.core.store import Store
from robust.engine import prepare_models
from robust.models.architectures import efficientnet_b0
from robust.models.architectures.normalization import set_statistics
from robust.models.classifier import Classifier
from robust.suite import Model, ModelFile, Training, preprocessing, read_model
from robust.training import finetune
from robust.training.fit import fit
from robust.training.optimizers import decayed
from robust.training.recipes import Recipe


@pytest.fixture
def base(network):
    """Has weights of its own, for five classes."""
    keras.utils.set_random_seed(7)
    made = network(input_shape=(8, 8, 1), classes=5)
    made.get_layer("norm").moving_mean.assign(np.linspace(0, 1, 8))
    return made


def tuned(base, data, seed=0, **options):
    """The network after `fit`, and its history."""
    recipe = bind("recipes", {"name": "short", "epochs": 1, "warmup": 0.0, **options})
    model = Model("mine", ModelFile(Path("base.keras")), Training(recipe))
    return fit(model, data, seed, Silent(), base=lambda: base)


def state(network):
    return {v.path: v.numpy().copy() for v in network.weights}


@pytest.mark.slow
def test_the_head_has_the_new_classes_and_it_learns(base, stripes):
    network, history = tuned(base, stripes, epochs=6, warmup=0.25)
    assert network.output_shape == (None, 3)
    assert history["val_accuracy"][-1] > 0.9


@pytest.mark.slow
def test_what_is_frozen_stays_bit_equal_statistics_included(base, stripes):
    before = state(base)
    network, _ = tuned(base, stripes, epochs=2, freeze="norm", ema=0.9, weight_decay=0.1)
    after = state(network)
    assert {path for path in before if path.startswith(("conv", "norm"))} == set(after) - {
        "logits/kernel", "logits/bias"
    }  # fmt: skip
    for path, value in after.items():
        if not path.startswith("logits"):
            assert np.array_equal(value, before[path]), path
    assert all(layer.trainable for layer in network.layers)


def test_up_to_a_layer_is_what_leads_to_it(base):
    names = lambda name: [each.name for each in finetune.held(base, recipe(freeze=name))]  # noqa: E731
    assert names("conv")[-2:] == ["normalization", "conv"]
    assert names("norm")[-1] == "norm" and "logits" not in names("norm")


def recipe(**options):
    return Recipe(epochs=4, batch_size=64, learning_rate=0.1, **options)


@pytest.mark.slow
def test_after_unfreezing_it_moves_and_not_before(base, stripes):
    before = state(base)["conv/kernel"]
    seen = []

    class Watch(Silent):
        def advance(self, note=""):
            seen.append(np.array_equal(base.get_layer("conv").kernel.numpy(), before))

    options = bind("recipes", {"name": "short", "epochs": 3, "freeze": "norm", "unfreeze_after": 2})
    fit(Model("m", ModelFile(Path("b")), Training(options)), stripes, 0, Watch(), base=lambda: base)
    assert seen == [True] * 12 + [False] * 6  # an epoch has six steps


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["sgd", "nesterov", "rmsprop", "adamw"])
def test_a_lower_rate_is_that_share_of_the_update(stripes, optimizer):
    """From the same weights, one step: the update of what is held back is a tenth, that of the head the same."""
    moved = {}
    for rate in (1.0, 0.1):
        network = small()
        before = state(network)
        options = {"optimizer": optimizer, "batch_size": 384, "learning_rate": 0.01, "weight_decay": 0.1}
        held = {} if rate == 1 else {"freeze": "conv", "unfreeze_after": 0, "rate_below": rate}
        found, _ = tuned(network, stripes, head="kept", **options, **held)
        moved[rate] = {path: value - before[path] for path, value in state(found).items()}
    for path, change in moved[1.0].items():
        share = 0.1 if path.startswith("conv") else 1
        assert np.abs(change).max() > 0 or "normalization" in path
        assert np.allclose(moved[0.1][path], share * change, atol=1e-7), path


def small():
    keras.utils.set_random_seed(3)
    image = keras.Input((8, 8, 1))
    x = keras.layers.Flatten()(keras.layers.Conv2D(2, 3, activation="relu", name="conv")(image))
    return keras.Model(image, keras.layers.Dense(3, name="logits")(x))


@pytest.mark.slow
def test_what_was_stopped_ends_with_the_same_weights_on_both_sides_of_unfreezing(base, stripes, stops_in, tmp_path):
    keras.utils.set_random_seed(0)
    base.save(tmp_path / "base.keras")
    load = lambda: prepare_models.load(tmp_path / "base.keras")  # noqa: E731
    job = Model("m", ModelFile(Path("b")), Training(bind("recipes", {
        "name": "short", "epochs": 3, "freeze": "norm", "unfreeze_after": 1, "rate_below": 0.5,
        "optimizer": "adamw", "learning_rate": 0.01,
    })))  # fmt: skip
    whole, history = fit(job, stripes, 0, Silent(), base=load)
    for steps in (9, 15):
        with pytest.raises(KeyboardInterrupt):
            fit(job, stripes, 0, stops_in(steps), base=load, unfinished=tmp_path / str(steps))
        again, same = fit(job, stripes, 0, Silent(), base=load, unfinished=tmp_path / str(steps))
        assert same == history
        assert all(np.array_equal(a, b) for a, b in zip(whole.get_weights(), again.get_weights(), strict=True))


@pytest.mark.slow
def test_dropout_in_a_frozen_part_goes_on_drawing(base, stripes):
    network, _ = tuned(base, stripes, freeze="norm")  # its dropout comes after; hold that, too
    last = next(layer.name for layer in network.layers if isinstance(layer, keras.layers.Dropout))
    seeds = lambda net: [v.numpy().copy() for v in net.variables if "seed" in v.path]  # noqa: E731
    before = seeds(network)
    found, _ = tuned(network, stripes, freeze=last)
    assert before and not any(np.array_equal(a, b) for a, b in zip(before, seeds(found), strict=True))


@pytest.mark.slow
def test_another_resolution_tunes_batch_norm_and_head_alone(stripes):
    keras.utils.set_random_seed(0)
    image = x = keras.Input((8, 8, 1))
    for place in range(2):
        x = keras.layers.BatchNormalization(name=f"norm{place}")(keras.layers.Conv2D(4, 3, name=f"conv{place}")(x))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x))
    trained = keras.Model(image, keras.layers.Dense(3, name="logits")(x))
    before = state(trained)
    network, _ = tuned(trained, larger(stripes, 12), head="kept", tune="batch_norm_and_head", weight_decay=0.1)
    assert network.input_shape == (None, 12, 12, 1)
    after = state(network)
    assert set(after) == set(before)
    for path, value in after.items():
        assert np.array_equal(value, before[path]) is not path.startswith(("norm", "logits")), path


def larger(data, side):
    def read(split):
        grow = lambda image: tf.image.resize(tf.cast(image, tf.float32), (side, side))  # noqa: E731
        return data.read(split).map(lambda image, label, id: (tf.clip_by_value(grow(image), 0, 1), label, id))

    return replace(data, image_shape=(side, side, 1), read=read)


@pytest.mark.slow
def test_every_kind_of_layer_of_ours_stands_another_resolution(stripes):
    keras.utils.set_random_seed(0)
    made = efficientnet_b0(input_shape=(16, 16, 1), classes=3, stem="small", width=0.25)
    there = finetune.adapted(made, larger(stripes, 24), recipe(head="kept"))
    back = finetune.adapted(there, larger(stripes, 16), recipe(head="kept"))
    images = larger(stripes, 16).examples("test").images
    assert np.allclose(made(images), back(images), atol=1e-5)


def test_a_network_for_another_size_has_its_statistics_and_gives_the_same_answers_at_its_own(stripes):
    image = keras.Input((8, 8, 1))
    x = keras.layers.Normalization(name="normalization")(image)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, activation="relu")(x))
    made = keras.Model(image, keras.layers.Dense(3, name="logits")(x))
    set_statistics(made.get_layer("normalization"), 0.4, 0.01)
    there = finetune.adapted(made, larger(stripes, 12), recipe(head="kept"))
    back = finetune.adapted(there, stripes, recipe(head="kept"))
    images = stripes.examples("test").images
    assert there.input_shape == (None, 12, 12, 1)
    assert float(there.get_layer("normalization").mean[0, 0, 0, 0]) == pytest.approx(0.4)
    assert np.allclose(made(images), back(images), atol=1e-5)


@pytest.mark.parametrize("inside", [True, False])
def test_a_network_of_grey_levels_is_given_images_in_the_unit_interval(stripes, inside):
    keras.utils.set_random_seed(0)
    image = x = keras.Input((8, 8, 1))
    x = keras.layers.Rescaling(1 / 255)(x) if inside else x
    made = keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(x)))
    images = stripes.examples("test").images
    found = finetune.adapted(made, stripes, recipe(head="kept"), None if inside else (0, 255))
    assert np.allclose(found(images), made(255 * images), rtol=1e-4)
    assert np.allclose(Classifier(found, 3).logits(images), made(255 * images), rtol=1e-4)


def test_pixels_of_a_mean_and_a_deviation_are_brought_there_by_a_first_layer(stripes):
    made = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3)], name="net")
    wanted = {"range": [0, 255], "mean": [100], "std": [50]}
    images = stripes.examples("test").images
    found = finetune.adapted(made, stripes, recipe(head="kept"), preprocessing.read(wanted))
    assert np.allclose(found(images), made((255 * images - 100) / 50), atol=1e-4)


@pytest.mark.slow
def test_mistakes_are_told_with_what_was_meant(base, stripes):
    for options, told in [
        ({"freeze": "nrom"}, "freeze = 'nrom': .* has no such layer; did you mean 'norm'?"),
        ({"unfreeze_after": 2}, "nothing is frozen; set freeze to the name of a layer"),
        ({"freeze": "norm", "rate_below": 0.5}, "rate_below = 0.5: never used; set unfreeze_after"),
        ({"freeze": "logits"}, "nothing is left of .* to learn"),
        ({"head": "kept"}, 'head = "kept" keeps 5 classes, and stripes has 3; write head = "new"'),
    ]:
        with pytest.raises(ModelError, match=told):
            tuned(base, stripes, **options)
    with pytest.raises(ModelError, match=r"takes images of shape \(8, 8, 1\), and these are \(12, 12, 1\): logits/ker"):
        tuned(base, larger(stripes, 12), head="kept")


def test_a_head_that_is_no_dense_layer_and_a_subclass_are_refused(stripes):
    image = keras.Input((8, 8, 1))
    ends = keras.Model(image, keras.layers.GlobalAveragePooling2D(name="end")(keras.layers.Conv2D(5, 3)(image)))
    with pytest.raises(ModelError, match="ends in 'end', a GlobalAveragePooling2D: only a Dense layer is replaced"):
        tuned(ends, stripes)

    class Own(keras.Model):
        pass

    with pytest.raises(ModelError, match=r"is a subclass of keras\.Model; only a functional one can be fine-tuned"):
        tuned(Own(), stripes)


@pytest.mark.slow
def test_a_suite_fine_tunes_a_saved_model_and_keeps_it(base, stripes, tmp_path):
    base.save(tmp_path / "base.keras")
    table = {
        "keras": str(tmp_path / "base.keras"),
        "train": {"recipe": "short", "epochs": 3, "freeze": "conv", "unfreeze_after": 1, "rate_below": 0.1},
    }
    model, store = read_model("mine", table), Store(tmp_path / "store")
    assert prepare_models.identity(model, 0, stripes, store) is None
    fitted = prepare_models.prepare(model, 0, stripes, store, Silent())
    assert fitted.classifier.logits(stripes.examples("test").images).shape == (300, 3)
    assert len(fitted.about["history"]["loss"]) == 3
    assert prepare_models.identity(model, 0, stripes, store) == fitted.identity
    kept = json.loads(next((tmp_path / "store/models").glob("*/key.json")).read_text())
    assert kept["source"]["file"] and kept["train"]["recipe"]["freeze"] == "conv"
    again = prepare_models.prepare(model, 0, stripes, store, Silent())
    assert again.classifier.weights == fitted.classifier.weights
    assert prepare_models.key(model, 1, stripes) != prepare_models.key(model, 0, stripes)


def test_an_objective_needs_an_adversary():
    wrong = {"architecture": "lenet5", "train": {"recipe": "short", "objective": "trades"}}
    with pytest.raises(SuiteError, match=r"train\.objective requires an adversary: also write adversary="):
        read_model("net", wrong)


@pytest.mark.parametrize("decays", ["kernels", "all", "all_but_batch_norm", "kernels_but_depthwise"])
def test_what_decays_of_a_nested_backbone_is_what_decays_of_its_layers(decays):
    inner = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(2, 3, name="conv"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.DepthwiseConv2D(3, name="depthwise"),
            keras.layers.GlobalAveragePooling2D(),
        ],
        name="backbone",
    )
    image = keras.Input((8, 8, 1))
    nested = keras.Model(image, keras.layers.Dense(3, name="logits")(inner(image)))
    flat = keras.Model(inner.inputs, nested.get_layer("logits")(inner.outputs[0]))
    ids = lambda network: {id(w) for w in decayed(recipe(decayed=decays), network)}  # noqa: E731
    assert ids(nested) == ids(flat) and len(ids(flat)) >= 2
