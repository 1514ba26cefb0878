import json

import keras
import numpy as np
import pytest
from keras import layers

import robust
from robust.core.store import Store
from robust.engine import precision
from robust.engine.fitted import Fitted
from robust.models.classifier import Classifier

SHAPE = (4, 4, 1)


def _model():
    keras.utils.set_random_seed(0)
    body = [layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU(), layers.Flatten(), layers.Dense(3)]
    return keras.Sequential([keras.Input(SHAPE), *body])


def _fitted(model):
    return Fitted("net", Classifier(model, 3, batch_size=8), {"notes": ["seen"]})


@pytest.mark.parametrize("faster", ["float32", "bfloat16"])
def test_the_faster_precision_is_chosen_said_and_kept(tmp_path, monkeypatch, faster):
    store, measured = Store(tmp_path), []

    def fake(candidates, image_shape):
        measured.append((sorted(candidates), image_shape))
        return {name: 1.0 if name == faster else 2.0 for name in candidates}

    monkeypatch.setattr(precision, "measured", fake)
    for _ in range(2):
        found = precision.chosen(_fitted(_model()), SHAPE, store)
        assert found.classifier.attack_precision == faster
        seen, said = found.about["notes"]
        assert seen == "seen" and faster in said and "50 %" in said
    assert measured == [(["bfloat16", "float32"], SHAPE)]  # once


def test_both_precisions_are_measured_on_this_machine(tmp_path):
    found = precision.chosen(_fitted(_model()), SHAPE, Store(tmp_path))
    (kept,) = (tmp_path / precision.KIND).glob("*/seconds.json")
    seconds = json.loads(kept.read_text())
    assert set(seconds) == {"float32", "bfloat16"} and min(seconds.values()) > 0
    assert found.classifier.attack_precision == min(seconds, key=seconds.get)


def test_a_black_box_has_one_precision(tmp_path):
    found = precision.chosen(_fitted(lambda images: np.ones((len(images), 3)) / 3), SHAPE, Store(tmp_path))
    assert found.classifier.attack_precision == "float32" and "no copy" in found.about["notes"][-1]


def test_results_in_the_chosen_precision_are_those_of_naming_it(monkeypatch, tmp_path, without_diagnostics):
    """Same keys: what a run with the name has found is not attacked again."""
    monkeypatch.setattr(precision, "measured", lambda candidates, _: {"float32": 2.0, "bfloat16": 1.0})
    monkeypatch.setenv("ROBUST_STORE", str(tmp_path / "store"))
    images = np.random.default_rng(0).uniform(size=(20, *SHAPE)).astype("float32")
    data, path = (images, np.arange(20) % 3), tmp_path / "net.keras"
    _model().save(path)
    units = tmp_path / "store" / "perturbed"
    found = []
    for given in ("bfloat16", "auto"):
        found.append(robust.evaluate(str(path), data, ["fgsm"], eps=0.1, attack_precision=given))
        assert len(list(units.glob("*/key.json"))) == 1
    assert found[0]["value"].equals(found[1]["value"])
