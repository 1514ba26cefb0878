"""HDF5 files, and models of Keras 2: read where that is possible, else the remedy that is named arrives."""

import re
import warnings

import h5py
import keras
import numpy as np
import pytest
from keras import layers

import robust
from robust.core import keras_files
from robust.core.errors import ModelError, RobustError
from robust.models.classifier import Classifier
from robust.models.loading import load

pytestmark = pytest.mark.usefixtures("without_diagnostics")

random = np.random.default_rng(0)
IMAGES = random.uniform(0, 1, (12, 8, 8, 3)).astype(np.float32)


def own():
    """A model of Keras 3, compiled."""
    parts = [layers.Conv2D(4, 3, activation="relu"), layers.GlobalAveragePooling2D(), layers.Dense(3, "softmax")]
    model = keras.Sequential([keras.Input((8, 8, 3)), *parts], name="own")
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


@pytest.fixture
def old():
    """`old(*layers)`: a model of Keras 2; the layers between image and pooling, by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tf_keras = pytest.importorskip("tf_keras")

    def build(*between):
        x = image = tf_keras.Input((8, 8, 3))
        for layer in between:
            x = layer(tf_keras.layers)(x)
        x = tf_keras.layers.GlobalAveragePooling2D()(x)
        model = tf_keras.Model(image, tf_keras.layers.Dense(3, "softmax")(x), name="old")
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    return build


USUAL = (
    lambda its: its.Conv2D(4, 3, activation="relu"),
    lambda its: its.DepthwiseConv2D(3),
    lambda its: its.BatchNormalization(),
    lambda its: its.Dropout(0.2),
)


def quietly(function, *arguments):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "You are saving your model as an HDF5 file")
        return function(*arguments)


def alike(network, wanted):
    found = keras.ops.softmax(Classifier(network, 3).logits(IMAGES))
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["own.h5", "own.hdf5", "own.keras"])
def test_an_hdf5_file_is_read_whatever_it_is_called(name, tmp_path):
    model = own()
    quietly(model.save, tmp_path / "own.h5")
    (tmp_path / "own.h5").rename(tmp_path / name)
    alike(load(tmp_path / name), model(IMAGES))
    wanted = model(IMAGES).numpy().argmax(axis=1)
    table = robust.evaluate(str(tmp_path / name), (IMAGES, wanted), ["pgd"], eps="1/255", preprocessing=(0, 1))
    assert robust.value(table, "top1", case="clean").value == 1


def test_code_in_an_hdf5_file_is_not_run_without_trust(tmp_path):
    marker = tmp_path / "marker"
    wrote = f"lambda x: [__import__('pathlib').Path({str(marker)!r}).touch(), x][1]"
    image = keras.Input((8, 8, 3))
    model = keras.Model(
        image, layers.Dense(3)(layers.Flatten()(layers.Lambda(eval(wrote), output_shape=(8, 8, 3))(image)))
    )
    quietly(model.save, tmp_path / "shady.h5")
    marker.unlink(missing_ok=True)
    with pytest.raises(ModelError, match=r"shady.h5 holds a Lambda, which runs third-party code; if you trust"):
        load(tmp_path / "shady.h5")
    assert not marker.exists()


@pytest.mark.slow
def test_weights_without_layers_say_what_to_do_and_that_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network = own()
    network.save_weights("w.weights.h5")
    with pytest.raises(ModelError, match="holds weights and no layers; build the network in Python, ") as caught:
        load(tmp_path / "w.weights.h5")
    remedy = str(caught.value).partition("in Python, ")[2].split(", ")
    wanted, network = network(IMAGES), own()
    for line in remedy:
        eval(line, {"network": network})
    alike(load(tmp_path / "w.weights.keras"), wanted)


def test_a_damaged_hdf5_file_and_one_of_other_things_are_told(tmp_path):
    quietly(own().save, tmp_path / "own.h5")
    (tmp_path / "cut.h5").write_bytes((tmp_path / "own.h5").read_bytes()[:900])
    with h5py.File(tmp_path / "odd.h5", "w") as file:
        file.attrs["model_config"] = "{"
    with h5py.File(tmp_path / "vast.h5", "w") as file:
        file.create_dataset("w", (2**40,), "f4", chunks=(2**20,))
        file.attrs["model_config"] = "{}"
    for name in ("cut", "odd", "vast"):
        with pytest.raises(ModelError, match=f"{name}.h5: "):
            load(tmp_path / f"{name}.h5")


@pytest.mark.slow
def test_the_file_of_a_compiled_model_is_read_without_its_optimizer(tmp_path, capfd):
    model = own()
    model.fit(IMAGES, np.arange(12) % 3, verbose=0)
    model.save(tmp_path / "own.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = load(tmp_path / "own.keras")
        robust.evaluate(str(tmp_path / "own.keras"), (IMAGES, np.arange(12) % 3), preprocessing=(0, 1))
    assert getattr(found, "optimizer", None) is None
    assert "optimizer" not in capfd.readouterr().err


@pytest.mark.slow
def test_an_hdf5_file_of_keras_2_is_read(old, tmp_path):
    model = old(*USUAL)
    quietly(model.save, str(tmp_path / "old.h5"))
    assert keras_files.of_keras_2(tmp_path / "old.h5")
    alike(load(tmp_path / "old.h5"), model(IMAGES))


@pytest.mark.slow
def test_a_model_of_keras_2_says_what_to_do_and_that_works(old, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = old(*USUAL)
    data = IMAGES, model(IMAGES).numpy().argmax(axis=1)
    with pytest.raises(
        RobustError, match=r"'old' is a model of Keras 2 \(tf_keras\); run model.save\('old.h5'\), and"
    ) as caught:
        robust.evaluate(model, data, ["pgd"], eps="1/255")
    quietly(eval, re.search(r"model\.save\('.*?'\)", str(caught.value))[0], {"model": model})
    table = robust.evaluate("old.h5", data, ["pgd"], eps="1/255", preprocessing=(0, 1))
    assert robust.value(table, "top1", case="clean").value == 1


def test_a_keras_archive_of_keras_2_says_what_to_do_and_that_works(old, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = old(*USUAL)
    model.save("old.keras")
    for allow_code in (False, True):
        with pytest.raises(
            ModelError, match=r"old.keras: was written by Keras 2\.\d+\.\d+; there, run model.save"
        ) as caught:
            load(tmp_path / "old.keras", allow_code=allow_code)
    quietly(eval, re.search(r"model\.save\('.*?'\)", str(caught.value))[0], {"model": model})
    alike(load(tmp_path / "old.h5"), model(IMAGES))


@pytest.mark.slow
def test_what_keras_3_cannot_read_is_exported(old, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    model = old(lambda its: its.LocallyConnected2D(4, 3))
    quietly(model.save, "old.h5")
    with pytest.raises(ModelError, match=r"old.h5: was saved by Keras 2, and Keras 3.* cannot read it") as caught:
        load(tmp_path / "old.h5")
    eval(re.search(r"model\.export\('.*?'\)", str(caught.value))[0], {"model": model})
    data = IMAGES, model(IMAGES).numpy().argmax(axis=1)
    table = robust.evaluate(
        "folder", data, ["noise"], eps="1/255", black_box=True, allow_code=True, preprocessing=(0, 1)
    )
    assert robust.value(table, "top1", case="clean").value == 1
