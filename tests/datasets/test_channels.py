"""Grey images beside a model of colours, and the reverse: each model sees as many channels as it takes."""

import json
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from PIL import Image

import robust
from robust.api.cli import app
from robust.api.train import train
from robust.core.errors import ModelError, RobustError
from robust.core.signature import Call
from robust.core.store import Store
from robust.datasets.channels import for_model
from robust.datasets.data_call import presented
from robust.datasets.dataset import from_arrays
from robust.engine.session import run
from robust.suite import load, read_model

pytestmark = pytest.mark.usefixtures("without_diagnostics")  # none of these is about them

COUNT = {"grey": 1, "colour": 3}
WORD = {1: "gray", 3: "rgb"}
SAID = {1: "takes 1 channel: the colour images", 3: "takes 3 channels: the grey images"}


def network(channels, side=8, first=False):
    """Logits of two classes, from random weights that tell the channels apart."""
    keras.utils.set_random_seed(0)
    shape = (channels, side, side) if first else (side, side, channels)
    image = keras.Input(shape)
    scaled = layers.Rescaling(20.0, offset=-10.0)(image)
    return keras.Model(image, layers.Dense(2, name="head")(layers.Flatten()(scaled)), name=f"net{channels}")


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """`photos(kind)`: the name of a folder of 40 images, grey or in colour, of two classes."""
    monkeypatch.chdir(tmp_path)

    def make(kind, under="", n=40):
        random = np.random.default_rng(len(under))
        for i in range(n):
            place = tmp_path / kind / under / f"class{i % 2}"
            place.mkdir(parents=True, exist_ok=True)
            pixels = random.integers(0, 256, (8, 8, 3) if kind == "colour" else (8, 8), np.uint8)
            Image.fromarray(pixels).save(place / f"{i:02d}.png")
        return kind

    return make


def by_keras(model, folder, channels):
    """The share that is right when Keras alone reads the files and asks the model."""
    mode = {1: "grayscale", 3: "rgb"}[channels]
    files = sorted(folder.glob("class*/*.png"))
    images = np.stack([keras.utils.img_to_array(keras.utils.load_img(f, color_mode=mode)) for f in files]) / 255
    labels = [int(file.parent.name[-1]) for file in files]
    return float((model.predict(images, verbose=0).argmax(1) == labels).mean())


def top1(table, **where):
    return robust.value(table, "top1", case="clean", **where).value


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "takes"), [("grey", 3), ("colour", 1)])
def test_a_folder_is_seen_as_the_model_takes_it_and_that_is_said(kind, takes, photos, tmp_path):
    photos(kind)
    model = network(takes)
    with pytest.warns(UserWarning, match=SAID[takes]):
        found = robust.evaluate(model, f"{kind}/", "fgsm", eps="2/255")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asked = robust.evaluate(model, f"{kind}/", "fgsm", eps="2/255", channels=WORD[takes])
    assert found[["case", "metric", "value"]].equals(asked[["case", "metric", "value"]])
    assert top1(found) == by_keras(model, tmp_path / kind, takes)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "takes"), [("grey", 3), ("colour", 1), ("grey", 1), ("colour", 3)])
def test_channels_that_were_asked_for_are_no_guess(kind, takes, photos):
    """A model that takes others is refused and told the key, also where the store has the numbers of the guess."""
    photos(kind)
    network(takes).save("net.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        robust.evaluate("net.keras", f"{kind}/")
    wrong = WORD[4 - takes]
    words = f"{takes} channels?, .*channels='{wrong}'; leave that out, or set channels='{WORD[takes]}'"
    with pytest.raises(ModelError, match=words):
        robust.evaluate("net.keras", f"{kind}/", channels=wrong)


def test_floats_are_weighed_as_tensorflow_weighs_them():
    images = np.random.default_rng(0).random((20, 8, 8, 3), "float32")
    found = for_model(from_arrays(images, [0, 1] * 10), 1).examples("test").images
    np.testing.assert_allclose(found, tf.image.rgb_to_grayscale(images), atol=2e-4)


SUITE = """
data = {{ folder = "{kind}" }}
[model.one]
keras = "one.keras"
[model.three]
keras = "three.keras"
[case.clean]
metrics = ["accuracy"]
[case.fgsm]
attack = {{ name = "fgsm", eps = "2/255" }}
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["grey", "colour"])
def test_one_suite_has_models_of_grey_and_of_colours(kind, photos, tmp_path, remembering):
    photos(kind)
    models = {"one": network(1), "three": network(3)}
    for name, model in models.items():
        model.save(f"{name}.keras")
    (tmp_path / "s.toml").write_text(SUITE.format(kind=kind))
    store, other = Store(tmp_path / "store"), "three" if kind == "grey" else "one"
    for _ in range(2):  # the second time all is in the store
        progress = remembering()
        found = run("s.toml", "out", store=store, progress=progress)
        told = [line for line in progress.lines if "channel" in line and ": the " in line]
        assert len(told) == 1
        assert told[0].startswith(f"{other} {SAID[4 - COUNT[kind]]}")
        assert told[0] in json.loads((tmp_path / "out/environment.json").read_text())["data"]["notes"]
        assert SAID[4 - COUNT[kind]] in (tmp_path / "out/index.html").read_text()
    for name, takes in (("one", 1), ("three", 3)):
        assert top1(found, model=name) == by_keras(models[name], tmp_path / kind, takes)


@pytest.mark.slow
def test_whoever_has_no_one_number_of_channels_sees_the_images_as_they_are():
    shapes, grey = [], from_arrays(np.random.default_rng(0).random((8, 6, 6, 1)), [0, 1] * 4)
    any_channels = keras.Sequential([keras.Input((6, 6, None)), layers.GlobalMaxPooling2D()])
    assert for_model(grey, robust.models.classifier.inputs.channels(any_channels)) is grey

    def ask(images):
        shapes.append(images.shape[1:])
        return np.tile([[0.2, 0.8]], (len(images), 1))

    robust.evaluate(ask, grey)
    assert {*shapes} == {(6, 6, 1)}


@pytest.mark.slow
def test_channels_first_tell_their_channels_and_rows_are_told_the_key():
    grey = from_arrays(np.random.default_rng(0).random((8, 6, 6, 1)), [0, 1] * 4)
    model, rows = network(3, side=6, first=True), keras.Sequential([keras.Input((108,)), layers.Dense(2)])
    with pytest.warns(UserWarning, match=SAID[3]):
        found = robust.evaluate(model, grey)
    assert top1(found) == top1(robust.evaluate(model, grey, channels="rgb"))
    with pytest.raises(ModelError, match=r"give the data channels='rgb'"):
        robust.evaluate(rows, grey)
    assert len(robust.evaluate(rows, grey, channels="rgb"))


def test_four_channels_are_neither_grey_nor_colours():
    with pytest.raises(ModelError, match=r"takes images of shape \(8, 8, 3\), but those of arrays are \(8, 8, 4\)"):
        robust.evaluate(network(3), (np.eye(4, 256, dtype="uint8").reshape(4, 8, 8, 4) * 9, [0, 1, 0, 1]))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["grey", "colour"])
def test_a_file_is_fine_tuned_on_images_of_other_channels(kind, photos, tmp_path):
    for split in ("train", "test"):
        photos(kind, split)
    takes = 4 - COUNT[kind]
    network(takes).save("net.keras")
    table = {"keras": "net.keras", "train": {"recipe": "short", "epochs": 1, "learning_rate": 1e-4}}
    model, store = read_model("net", table), Store(tmp_path / "store")
    data = Call("datasets", "folder", {"path": kind})
    for _ in range(2):  # the second time it is in the store
        with pytest.warns(UserWarning, match=f"net {SAID[takes]}"):
            done = train(model, data, tmp_path / "tuned.keras", store=store)
        assert any(SAID[takes] in note for note in done.notes)
    tuned = keras.saving.load_model("tuned.keras")
    assert tuned.input_shape == (None, 8, 8, takes)
    assert done.test[1] == by_keras(tuned, tmp_path / kind / "test", takes)
    given = presented(data, channels=WORD[takes])
    again = train(model, given, tmp_path / "asked.keras", store=store)
    assert again.notes == tuple(note for note in done.notes if SAID[takes] not in note)
    assert again.history.equals(done.history)
    with pytest.raises(ModelError, match=f"channels='{WORD[4 - takes]}'"):
        train(model, presented(data, channels=WORD[4 - takes]), tmp_path / "no.keras", store=store)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["grey", "colour"])
def test_one_image_is_attacked_as_the_model_takes_it(kind, photos, capsys):
    photos(kind, n=2)
    for takes in (1, 3):
        network(takes).save("net.keras")
        app(["attack", f"{kind}/class0/00.png", "--model", "net.keras", "--out", "out"], result_action="return_value")
        assert ("00.png is seen in" in capsys.readouterr().out) == (takes != COUNT[kind])


@pytest.mark.slow
def test_robust_accuracy_sees_what_the_model_takes():
    images, labels = np.random.default_rng(0).random((20, 8, 8, 1), "float32"), np.arange(20) % 2
    model = network(3)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    watch = robust.RobustAccuracy((images, labels), "fgsm", eps="1/255")
    with pytest.warns(UserWarning, match=SAID[3]) as told:
        for_model = model.fit(np.repeat(images, 3, -1), labels, verbose=0, callbacks=[watch]).history
    assert sum(SAID[3] in str(each.message) for each in told) == 1
    expected = robust.evaluate(model, (images, labels), "fgsm", eps="1/255", channels="rgb")
    assert for_model["val_robust_accuracy"] == [robust.value(expected, "top1", case="fgsm", allow_invalid=True).value]


@pytest.mark.slow
def test_what_lies_outside_may_have_other_channels(photos, tmp_path, remembering):
    """Of colours a model of colours sees all, beside grey images of its classes."""
    photos("grey", "train"), photos("grey", "test"), photos("colour")
    network(3).save("three.keras")
    network(1).save("one.keras")
    outside = '[case.clean]\nmetrics = ["outliers"]\nood = { folder = "colour" }\n'
    case = f'{outside}[case.shifted]\ndata = {{ folder = "colour" }}\n'
    head = SUITE.format(kind="grey").partition("[case")[0]
    (tmp_path / "s.toml").write_text(head + case)
    found = run("s.toml", "out", store=Store(tmp_path / "store"), progress=(progress := remembering()))
    told = [line.partition(" are ")[0] for line in progress.lines if any(each in line for each in SAID.values())]
    assert told == [f"one {SAID[1]} of colour", f"three {SAID[3]} of grey"]
    assert {*found["model"]} == {"one", "three"}
    rows = found[(found["metric"] == "top1") & (found["case"] == "shifted")].set_index("model")["value"]
    for name, model, takes in (("one", network(1), 1), ("three", network(3), 3)):
        assert rows[name] == by_keras(model, tmp_path / "colour", takes)


@pytest.mark.slow
def test_a_transfer_from_grey_to_colours_is_refused(photos):
    photos("grey")
    table = {"name": "transfer", "source": network(1), "attack": "fgsm"}
    with warnings.catch_warnings(), pytest.raises(RobustError, match="takes 3 channels and cannot be evaluated"):
        warnings.simplefilter("ignore")
        robust.evaluate(network(3), "grey/", [table], eps="2/255")


@pytest.mark.slow
def test_a_suite_says_the_channels_of_its_data(photos, tmp_path):
    photos("grey")
    network(1).save("one.keras")
    network(3).save("three.keras")
    text = SUITE.format(kind="grey").replace('"grey"', '"grey", channels = "rgb"')
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(ModelError, match=r'^model one takes images of 1 channel, .*channels = "rgb"'):
        run(load("s.toml"), "out", store=Store(tmp_path / "store"), fail_fast=True)
