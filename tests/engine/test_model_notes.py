"""Whatever a run says of how it understood model and data stands on the page, too, and is said from the store again."""

import html
import json

import keras
import numpy as np
import pytest

import robust
from robust.core.store import Store
from robust.suite import load


class Watching:
    """Keeps what is said."""

    def __init__(self):
        self.lines = []

    def stage(self, name, total): ...
    def advance(self, note=""): ...

    def say(self, line):
        self.lines.append(line)


@pytest.fixture
def suite(tmp_path):
    """A model of colours beside grey images, of which one class has none."""
    keras.utils.set_random_seed(0)
    layers = [keras.Input((4, 4, 3)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(3)]
    keras.Sequential(layers).save(tmp_path / "net.keras")
    images = np.random.default_rng(0).integers(0, 256, (12, 4, 4, 1)).astype("uint8")
    np.savez(tmp_path / "pets.npz", x=images, y=np.arange(12) % 2)
    data = 'data = { arrays = "pets.npz", classes = ["cat", "dog", "cow"] }'
    (tmp_path / "s.toml").write_text("\n".join([data, "[model.net]", 'keras = "net.keras"', "[case.clean]"]))
    return tmp_path / "s.toml"


@pytest.mark.slow
def test_the_terminal_and_the_page_say_the_same_each_time(suite, tmp_path):
    store, out = Store(tmp_path / "store"), tmp_path / "out"
    runs = []
    for _ in range(2):
        told = Watching()
        robust.run(load(suite), out, store=store, progress=told)
        runs.append({line for line in told.lines if not line.startswith("clean[net]")})
    notes = json.loads((out / "environment.json").read_text())["data"]["notes"]
    assert runs[0] == runs[1] == set(notes)
    assert any(line.startswith("classes in this order: 0 cat, 1 dog, 2 cow; images of 2 of") for line in notes)
    assert any("takes 3 channels: the grey images of" in line for line in notes)
    assert any(line.startswith("net: pixels [0, 255], from its layer") for line in notes)
    page = html.unescape((out / "index.html").read_text())
    assert all(line in page for line in notes)
