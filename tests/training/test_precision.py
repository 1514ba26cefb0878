"""Half precision of a network that has weights: which layers take it, and that no change of a pixel is lost."""

from pathlib import Path

import keras
import numpy as np
import pytest

from robust.core.errors import ModelError
from robust.core.progress import Silent
from robust.core.signature import bind
from robust.datasets.dataset import from_splits
from robust.models.classifier import main_logits
from robust.suite import Architecture, Model, ModelFile, Training, preprocessing
from robust.training import fit as fit_
from robust.training import precision
from robust.training.fit import fit


def backbone(*first):
    return keras.Sequential(
        [keras.Input((8, 8, 1)), *first, keras.layers.Conv2D(8, 3, name="stem"), keras.layers.ReLU(name="relu")],
        name="backbone",
    )


def network(*first, nested=False):
    keras.utils.set_random_seed(0)
    inner, image = backbone(*first), keras.Input((8, 8, 1))
    x = inner(image) if nested else keras.Model(inner.inputs, inner.outputs)(image)
    if not nested:
        image = x = inner.inputs[0]
        for layer in inner.layers:
            x = layer(x)
    x = keras.layers.Conv2D(8, 3, name="second")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(keras.layers.BatchNormalization(name="norm")(x))
    return keras.Model(image, keras.layers.Dense(5, name="five")(x), name="net")


def levels():
    layer = keras.layers.Normalization(name="levels")
    layer.adapt(np.random.default_rng(0).random((50, 8, 8, 1)) * 255)
    return layer


FIRST = {
    "inside": ([lambda: keras.layers.Rescaling(1 / 127.5, -1, name="levels")], None),
    "ood": ([], (0, 255)),
    "augmented": ([lambda: keras.layers.RandomFlip(name="flip"), lambda: keras.layers.Rescaling(1 / 255)], None),
    "statistics": ([levels], (0, 255)),
}


@pytest.mark.slow
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("how", FIRST)
def test_what_touches_pixels_is_float32_and_no_small_change_is_lost_in_what_is_exported(stripes, tmp_path, how, nested):
    first, wants = FIRST[how]
    made = network(*(each() for each in first), nested=nested)
    recipe = bind("recipes", {"name": "short", "epochs": 1, "precision": "mixed_bfloat16"})
    job = Model(
        "mine", ModelFile(Path("net.keras")), Training(recipe), preprocessing=wants and preprocessing.read(wants)
    )
    fit(job, stripes, 0, Silent(), base=lambda: made)[0].save(tmp_path / "tuned.keras")
    tuned = keras.saving.load_model(tmp_path / "tuned.keras")
    layers = {layer.name: layer for layer in main_logits.flat(tuned)}
    half = {name for name, layer in layers.items() if layer.compute_dtype == "bfloat16"}
    assert half >= {"second", "norm", "pool"} and half <= {"second", "norm", "pool", "relu"}
    assert {weight.dtype for weight in tuned.trainable_weights} == {"float32"}
    assert not unseen(tuned, layers["stem"], stripes.examples("test").images)


def unseen(tuned, stem, images):
    """How many changes of one pixel by 0.4/255 leave what comes of the first weights as it was."""
    inner = next((layer for layer in tuned.layers if layer.name == "backbone"), tuned)
    first = [layer for layer in tuned.layers if layer.name == "preprocessing"] if inner is not tuned else []
    rest = keras.Model(inner.inputs[0], stem._inbound_nodes[0].outputs[0])

    def until(x):
        for layer in first:
            x = layer(x)
        return rest(x)

    changed, places = images.copy(), np.random.default_rng(0).integers(2, 6, (len(images), 2))
    changed[np.arange(len(images)), places[:, 0], places[:, 1]] += 0.4 / 255
    before, after = (np.asarray(until(each), "float32") for each in (images, changed))
    return int((before == after).all(axis=(1, 2, 3)).sum())


OURS = {
    "lenet5": {"width": 0.5},
    "mlp": {},
    "resnet20": {"width": 0.25},
    "mobilenet_v2": {"width": 0.25},
    "densenet40": {},
    "vgg11": {"width": 0.1},
    "alexnet": {"width": 0.1},  # two groups: two layers see pixels
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in ("mobilenet_v2", "densenet40"))) for name in OURS]
)
def test_no_small_change_is_lost_in_what_is_exported_of_our_own_architectures(tmp_path, name):
    images = np.random.default_rng(0).random((40, 32, 32, 3), "float32")
    data = from_splits({"train": (images, [0, 1] * 20)})
    recipe = bind("recipes", {"name": "short", "epochs": 1, "precision": "mixed_bfloat16"})
    job = Model("own", Architecture(bind("architectures", {"name": name, **OURS[name]})), Training(recipe))
    fit_._built(job, data, 0, "mixed_bfloat16").save(tmp_path / "own.keras")
    network = keras.saving.load_model(tmp_path / "own.keras")
    weighing = [layer for layer in main_logits.flat(network) if len(getattr(layer, "kernel", np.zeros(0)).shape) > 1]
    exact = [layer for layer in weighing if layer.compute_dtype == "float32"]
    assert exact[-1] is main_logits.last(network) and exact[:-1] == weighing[: len(exact) - 1]
    assert weighing[len(exact) - 1].compute_dtype == "bfloat16" and 2 <= len(exact) <= 3
    changed = images.copy()
    changed[:, 16, 16] += np.where(images[:, 16, 16] < 0.5, 0.4, -0.4).astype("float32") / 255
    for layer in exact[:-1]:
        seen = keras.Model(network.inputs[0], layer.output)
        before, after = (np.asarray(seen(each)).reshape(len(images), -1) for each in (images, changed))
        assert before.dtype == np.float32 and (before != after).any(axis=1).all()


@pytest.mark.slow
def test_a_network_in_half_precision_is_tuned_in_float32_where_nothing_else_is_said(stripes):
    keras.config.set_dtype_policy("mixed_bfloat16")
    made = network()
    keras.config.set_dtype_policy("float32")
    job = Model("mine", ModelFile(Path("net.keras")), Training(bind("recipes", {"name": "short", "epochs": 1})))
    tuned, _ = fit(job, stripes, 0, Silent(), base=lambda: made)
    assert {layer.compute_dtype for layer in tuned.layers[1:]} == {"float32"}


def test_a_precision_that_cannot_be_given_is_refused():
    small = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3)], name="small")
    with pytest.raises(ModelError, match=r"small has no layer that could compute in it.*leave it out"):
        precision.set_precision(small, "mixed_bfloat16")
    precision.set_precision(small, "float32")
    half = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, dtype="bfloat16", name="one")], name="half")
    with pytest.raises(ModelError, match="layer 'one' of half has weights of type bfloat16; save the network with"):
        precision.set_precision(half, "float32")
