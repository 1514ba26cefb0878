"""Exact copies among test images, and of what is learned, are counted and told."""

import json
import warnings

import keras
import numpy as np
import pytest

import robust
from robust.api import train as train_module
from robust.datasets import copies
from robust.datasets.dataset import from_arrays, from_splits
from robust.engine import prepare_models
from robust.results import tables
from robust.suite import read_data, read_model

IMAGES = np.random.default_rng(0).integers(0, 255, (40, 6, 6, 1), "uint8")
LABELS = np.arange(40) % 4


def made(train=(), test=range(40), labels=LABELS):
    taken, given = list(test), list(train)
    splits = {"test": (IMAGES[taken], labels[taken])}
    return from_splits(splits | ({"train": (IMAGES[given], labels[given])} if given else {}), 4, "x")


def test_data_without_copies_have_nothing_said():
    assert copies.found(made(range(20), range(20, 40)), learned=True) == []


@pytest.mark.parametrize(("test", "n"), [([0, 1, 2, 1], 1), ([0, 0, 0, 1, 1, 2], 3), ([*range(40), *range(40)], 40)])
def test_each_test_image_but_one_of_a_kind_is_a_copy(test, n):
    (told,) = copies.found(made(test=test), learned=True)
    assert told.startswith(f"data x: {n} of its {len(test)} test images {'is an' if n == 1 else 'are'} exact cop")
    assert "intervals are too narrow" in told and "another label" not in told


def test_copies_of_another_label_are_told():
    data = from_arrays(IMAGES[[0, 0, 0, 1]], [1, 2, 2, 0], 4)
    assert "; 1 of these with a different label" in copies.found(data, learned=False)[0]


def test_floats_and_bytes_of_one_picture_are_copies():
    floats = (IMAGES[:5].astype("float32") / 255, LABELS[:5])
    data = from_splits({"train": floats, "test": (IMAGES[3:9], LABELS[3:9])}, 4)
    assert copies.found(data, learned=True)[0].startswith("data arrays: 2 of its 6 test images are also in train: ")


def test_what_is_learned_is_looked_at_only_where_something_learns():
    data = made(range(25), range(20, 40))
    assert copies.found(data, learned=False) == []
    assert copies.found(data, learned=True)[0].startswith("data x: 5 of its 20 test images are also in train: ")


@pytest.mark.slow
def test_training_warns_of_copies_before_anything_is_trained(tmp_path, monkeypatch):
    train, test = IMAGES[:25], IMAGES[20:40]
    np.savez(tmp_path / "d.npz", x_train=train, y_train=LABELS[:25], x_test=test, y_test=LABELS[20:40])
    model = read_model("net", {"architecture": "lenet5", "train": {"recipe": "short"}})  # a fifth is held out
    monkeypatch.setattr(prepare_models, "trained", lambda *_: pytest.fail("trained"))
    with warnings.catch_warnings(record=True) as said, pytest.raises(pytest.fail.Exception, match="trained"):
        warnings.simplefilter("always")
        train_module.train(model, read_data(str(tmp_path / "d.npz")), tmp_path / "m.keras")
    told = [str(each.message) for each in said if "test images" in str(each.message)]
    assert [each.partition(": a")[0] for each in told] == [
        "data d: 4 of its 20 test images are also in train",
        "data d: 1 of its 20 test images is also in validation",
    ]


def test_large_splits_are_not_looked_at(monkeypatch):
    monkeypatch.setattr(copies, "LIGHT", 4 * 36)
    assert copies.found(made(test=[0, 0, 1, 1]), learned=True) and not copies.found(made(test=[0] * 5), learned=True)


@pytest.mark.slow
def test_a_run_warns_of_copies_and_says_which_figures_are_balanced(tmp_path):
    """Of 30 images of one class and 10 of the other a balanced choice gives the mean of the recalls."""
    keras.utils.set_random_seed(1)  # one that is not right in another order of the classes by chance
    model = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Flatten(), keras.layers.Dense(2)], name="tiny")
    labels = np.repeat([0, 1], [30, 10])
    images = IMAGES.copy()
    images[1] = images[0]
    with pytest.warns(UserWarning, match="1 of its 40 test images is an exact copy"):
        table = robust.evaluate(
            model, (images, labels), ["fgsm"], eps="8/255", max_images=20, balanced=True, out=tmp_path
        )
    written = tables.read_results(tmp_path / "results.csv")
    assert set(table["choice"]) == set(written["choice"]) == {"balanced"}
    notes = json.loads((tmp_path / "environment.json").read_text())["data"]["notes"]
    assert any("exact copy" in note for note in notes)
    assert any(note.endswith("so that all classes weigh the same: clean, fgsm") for note in notes)
    page = (tmp_path / "index.html").read_text()
    assert "n = 20 balanced" in page and "exact copy" in page
