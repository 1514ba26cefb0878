"""Transfer learning as Keras' guide has it: a nested backbone, its preprocessing, its statistics."""

from pathlib import Path

import keras
import numpy as np
import pytest

from robust.core.errors import ModelError
from robust.core.progress import Silent
from robust.core.signature import bind
from robust.core.store import Store
from robust.datasets.dataset import from_splits
from robust.engine import prepare_models
from robust.suite import Model, ModelFile, Training, read_model
from robust.training import finetune
from robust.training.fit import fit
from robust.training.recipes import Recipe


def backbone(name="backbone", trainable=True, size=8):
    inner = keras.Sequential(
        [
            keras.Input((size, size, 1)),
            keras.layers.Conv2D(4, 3, name="conv1"),
            keras.layers.BatchNormalization(name="norm1"),
            keras.layers.ReLU(name="relu1"),
            keras.layers.Conv2D(4, 3, name="conv2"),
            keras.layers.BatchNormalization(name="norm2"),
        ],
        name=name,
    )
    inner.trainable = trainable
    return inner


def guide(*inner, size=8):
    """As the guide builds it: a backbone called in inference mode, pooling, dropout, a new head."""
    keras.utils.set_random_seed(1)
    image = keras.Input((size, size, 1))
    ends = [keras.layers.GlobalAveragePooling2D()(each(image, training=False)) for each in inner]
    x = ends[0] if len(ends) == 1 else keras.layers.Concatenate()(ends)
    x = keras.layers.Dense(6, activation="relu", name="hidden")(keras.layers.Dropout(0.1)(x))
    return keras.Model(image, keras.layers.Dense(5, name="five")(x), name="guide")


def tuned(base, data, **options):
    recipe = bind("recipes", {"name": "short", "epochs": 2, "warmup": 0.0, "learning_rate": 0.01, **options})
    return fit(Model("mine", ModelFile(Path("base.keras")), Training(recipe)), data, 0, Silent(), base=lambda: base)[0]


def state(network):
    return {v.path.rpartition("backbone/")[2]: v.numpy().copy() for v in network.weights}


def moved(base, data, **options):
    before, after = state(base), state(tuned(base, data, **options))
    return {path for path, value in after.items() if path in before and not np.array_equal(value, before[path])}


HEAD = {"hidden/kernel", "hidden/bias"}
SECOND = {"conv2/kernel", "conv2/bias", "norm2/gamma", "norm2/beta", "norm2/moving_mean", "norm2/moving_variance"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "learns"),
    [
        ("backbone", HEAD),
        ("norm2", HEAD),
        ("backbone/norm2", HEAD),
        ("relu1", HEAD | SECOND),
        ("backbone/norm1", HEAD | SECOND),
        ("conv2", HEAD | {path for path in SECOND if path.startswith("norm2")}),
    ],
)
def test_a_nested_backbone_is_frozen_by_its_name_or_that_of_a_layer_in_it(stripes, tmp_path, name, learns):
    guide(backbone()).save(tmp_path / "guide.keras")
    base = prepare_models.load(tmp_path / "guide.keras")
    assert moved(base, stripes, freeze=name) == learns


@pytest.mark.slow
def test_what_is_unfrozen_learns_with_the_statistics_that_it_had(stripes):
    found = moved(guide(backbone()), stripes, freeze="backbone", unfreeze_after=1)
    assert {"conv1/kernel", "norm1/gamma", "norm1/beta", "conv2/kernel", "norm2/gamma"} <= found
    assert not [path for path in found if "moving" in path]
    assert moved(guide(backbone()), stripes) >= {"norm1/moving_mean", "norm2/moving_variance"}  # nothing was frozen


@pytest.mark.slow
def test_the_layers_are_as_they_were_after_training(stripes):
    network = tuned(guide(backbone()), stripes, freeze="backbone", unfreeze_after=1)
    norm, images = network.get_layer("backbone").get_layer("norm1"), stripes.examples("test").images
    assert all(layer.trainable for layer in network.get_layer("backbone").layers)
    before = norm.moving_mean.numpy().copy()
    network(images, training=True)
    assert not np.array_equal(norm.moving_mean.numpy(), before)


def test_a_frozen_network_gives_the_answers_of_its_statistics_while_it_trains(stripes):
    base = guide(backbone())
    network = finetune.adapted(base, stripes, Recipe(epochs=1, batch_size=8, learning_rate=0.1))
    inner, images = network.get_layer("backbone"), stripes.examples("test").images[:8]
    asked = np.asarray(inner(images, training=False))
    with finetune.in_inference(finetune.held(network, Recipe(1, 8, 0.1, freeze="backbone"))):
        assert np.array_equal(np.asarray(inner(images, training=True)), asked)


def test_a_name_that_two_backbones_have_is_told_by_its_place(stripes):
    base = guide(backbone("one"), backbone("two"))
    with pytest.raises(ModelError, match="has 2 such layers; write 'one/conv1' or 'two/conv1'"):
        tuned(base, stripes, freeze="conv1")
    network = finetune.adapted(base, stripes, Recipe(1, 8, 0.1))
    found = finetune.held(network, Recipe(1, 8, 0.1, freeze="two/conv1"))
    assert found[-1] is network.get_layer("two").get_layer("conv1") and len([x for x in found if x.weights]) == 1


def test_a_name_that_is_nearly_that_of_a_layer_in_a_backbone_is_told(stripes):
    with pytest.raises(ModelError, match="guide has no such layer; did you mean 'conv1'"):
        tuned(guide(backbone()), stripes, freeze="covn1")


@pytest.mark.slow
def test_a_backbone_that_was_saved_frozen_cannot_be_unfrozen_without_a_word(stripes):
    with pytest.raises(ModelError, match=r"was saved with trainable = False.*; set trainable = True and save it again"):
        tuned(guide(backbone(trainable=False)), stripes, freeze="backbone", unfreeze_after=1)
    assert moved(guide(backbone(trainable=False)), stripes, freeze="backbone") == HEAD


@pytest.mark.slow
def test_a_size_that_a_nested_model_does_not_take_is_told_with_one_that_it_takes(stripes, tmp_path):
    guide(backbone(size=12), size=12).save(tmp_path / "guide.keras")
    with pytest.raises(
        ModelError,
        match=r"takes images of shape \(12, 12, 1\), and these are \(8, 8, 1\): .*give the data transform=12,",
    ):
        tuned(prepare_models.load(tmp_path / "guide.keras"), stripes)
    images = np.zeros((30, 12, 12, 4), "uint8")
    other = from_splits({"train": (images, [0, 1, 2] * 10), "validation": (images, [0, 1, 2] * 10)})
    with pytest.raises(ModelError, match="give it images of 1 channels"):
        tuned(prepare_models.load(tmp_path / "guide.keras"), other)
    anything = guide(backbone(size=None), size=None)
    assert tuned(anything, stripes).output_shape == (None, 3)  # the remedy


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["caffe", "torch", "tf"])
def test_preprocessing_goes_into_what_is_written(tmp_path, mode):
    keras.utils.set_random_seed(0)
    layers = [keras.Input((4, 4, 3)), keras.layers.Conv2D(4, 3, name="conv"), keras.layers.Flatten()]
    own = keras.Sequential([*layers, keras.layers.Dense(3, name="logits")], name="own")
    images = np.random.default_rng(0).integers(0, 256, (30, 4, 4, 3)).astype("uint8")
    wants = keras.applications.imagenet_utils.preprocess_input(images.astype("float32"), mode=mode)
    data = from_splits({"train": (images, [0, 1, 2] * 10), "test": (images, [0, 1, 2] * 10)})
    own.save(tmp_path / "own.keras")
    train = {"recipe": "short", "epochs": 1, "freeze": "conv", "head": "kept", "learning_rate": 1e-9}
    model = read_model("own", {"keras": str(tmp_path / "own.keras"), "preprocessing": mode, "train": train})
    with prepare_models.trained(model, 0, data, Store(tmp_path / "store"), Silent()) as folder:
        written = prepare_models.load(folder / "model.keras")
    assert np.allclose(written(images.astype("float32") / 255), own(wants), atol=1e-3, rtol=1e-4)


def test_a_network_of_bytes_is_given_its_levels(stripes):
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 1), dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.Conv2D(2, 3)(keras.ops.cast(image, "float32")))
    base = keras.Model(image, keras.layers.Dense(3)(x))
    found = finetune.adapted(base, stripes, Recipe(1, 8, 0.1, head="kept"))
    images = np.round(stripes.examples("test").images * 255) / 255
    assert np.allclose(found(images), base(np.round(images * 255).astype("uint8")), atol=1e-2, rtol=1e-3)


def test_pixels_and_output_are_part_of_the_key(stripes, tmp_path):
    guide(backbone()).save(tmp_path / "a.keras")
    table = {"keras": str(tmp_path / "a.keras"), "train": {"recipe": "short"}}
    keys = [
        prepare_models.key(read_model("a", {**table, **more}), 0, stripes)
        for more in ({}, {"preprocessing": [0, 255]}, {"output": "five"})
    ]
    assert all(keys[i] != keys[j] for i in range(3) for j in range(i))
