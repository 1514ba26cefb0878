"""A validation split is taken off train where something is trained or measured on it, and only there."""

import dataclasses
import json

import keras
import numpy as np
import pytest

import robust
from robust.core.progress import Silent
from robust.core.signature import Call, bind
from robust.core.store import Store
from robust.datasets.dataset import from_splits
from robust.engine.session import Session
from robust.suite import Architecture, InMemory, Model, Suite, Training, read_case

pytestmark = pytest.mark.usefixtures("without_diagnostics")

TRAINED = Model("own", Architecture(Call("architectures", "mlp")), Training(bind("recipes", "short")))
MEMORY = Model("theirs", InMemory(None))


@pytest.fixture
def data():
    """Which splits were read is in `seen`."""
    random, seen = np.random.default_rng(0), []
    splits = {split: (random.random((40, 4, 4, 1), "float32"), [0, 1] * 20) for split in ("train", "test")}
    data = from_splits(splits)
    witness = dataclasses.replace(data, read=lambda split: seen.append(split) or data.read(split), encoded=None)
    return witness, seen


def session(data, tmp_path, *models, measure="accuracy"):
    cases = (read_case("clean", {"metrics": [measure]}),)
    return Session(Suite("s", models, cases, data), Store(tmp_path), Silent())


def test_who_only_evaluates_reads_no_label_of_train_and_has_the_data_as_it_is(data, tmp_path):
    data, seen = data
    assert session(data, tmp_path, MEMORY).data is data and not seen


def test_a_training_and_a_measure_on_the_validation_split_have_one(data, tmp_path):
    data, seen = data
    for found in (session(data, tmp_path, MEMORY, TRAINED), session(data, tmp_path, MEMORY, measure="temperature")):
        assert dict(found.data.sizes) == {"train": 36, "validation": 4, "test": 40}
        assert found.data.fingerprint != data.fingerprint
    assert "train" in seen


def test_what_is_learned_from_train_alone_needs_none_taken_off(data, tmp_path):
    assert dict(session(data[0], tmp_path, MEMORY, measure="structure").data.sizes) == {"train": 40, "test": 40}


@pytest.mark.slow
def test_reports_with_and_without_one_are_of_the_same_images(data, tmp_path):
    network = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    for name, measure in (("plain", "accuracy"), ("held", "temperature")):
        cases = (read_case("clean", {"metrics": [measure]}),)
        suite = Suite("s", (Model("theirs", InMemory(network)),), cases, data[0])
        robust.run(suite, tmp_path / name, store=Store(tmp_path / "store"), progress=Silent())
        told = json.loads((tmp_path / name / "environment.json").read_text())["data"]
        assert told["fingerprint"] == data[0].fingerprint
