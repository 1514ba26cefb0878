"""A suite with weights from elsewhere: read, run, kept, and told apart by what is in the file."""

import re

import numpy as np
import pytest

import robust
from robust.core.errors import ModelError
from robust.core.store import Store
from robust.engine import prepare_models
from robust.models.pretrained import load
from robust.suite import Weights

pytestmark = pytest.mark.usefixtures("without_diagnostics")

SUITE = """
data = { arrays = "x.npz" }
[model.theirs]
pretrained = { file = "w.pth", layout = "timm_tf", architecture = "mobilenet_v3_small" }
[case.clean]
expect = { top1 = ">= 1" }
"""


@pytest.fixture
def suite(tmp_path, monkeypatch, reference, form):
    """A suite beside a file of weights and images, whose labels are what Torch's network says of them."""
    theirs = reference("timm_tf", "tf_mobilenetv3_small_100")
    images = np.concatenate(
        [
            theirs.images,
            np.ones((10, 64, 64, 3), np.float32) * np.linspace(0, 0.01, 10, dtype="float32")[:, None, None, None],
        ]
    )
    labels = np.concatenate([theirs.logits.argmax(axis=1), np.arange(10)])
    np.savez(tmp_path / "x.npz", x=images[:2], y=labels[:2])
    np.savez(tmp_path / "ten.npz", x=images, y=labels)
    (tmp_path / "w.pth").write_bytes(form["zip"](theirs.tensors))
    (tmp_path / "s.toml").write_text(SUITE)
    monkeypatch.chdir(tmp_path)
    return theirs


@pytest.mark.slow
def test_it_runs_and_is_kept_until_the_file_changes(suite, tmp_path, monkeypatch, form):
    (tmp_path / "s.toml").write_text(SUITE.replace("x.npz", "ten.npz").replace(">= 1", ">= 0.16"))
    store = Store(tmp_path / "store")
    table = robust.run("s.toml", store=store)
    assert robust.value(table, "top1", case="clean").value >= 2 / 12
    load = prepare_models.pretrained.load
    monkeypatch.setattr(prepare_models.pretrained, "load", None)
    assert robust.run("s.toml", store=store).equals(table)  # nothing is loaded again
    monkeypatch.setattr(prepare_models.pretrained, "load", load)
    (tmp_path / "w.pth").write_bytes(form["legacy"]({**suite.tensors, "classifier.bias": np.ones(10, np.float32)}))
    assert robust.run("s.toml", store=store)["weights_sha"].unique() != table["weights_sha"].unique()


@pytest.mark.slow
@pytest.mark.parametrize("grey", [np.float32, np.uint8])
def test_grey_images_are_shown_to_a_network_of_colours(grey, suite, tmp_path):
    levels = suite.images[..., :1] if grey is np.float32 else np.rint(suite.images[..., :1] * 255).astype(np.uint8)
    weights = Weights(tmp_path / "w.pth", suite.call(), suite.layout)
    network = load.from_file(weights, (64, 64, 3), 10)
    shown = np.repeat(levels / np.float32(255 if grey is np.uint8 else 1), 3, axis=3).astype(np.float32)
    answers = network(shown, training=False).numpy().argmax(axis=1)
    dark = np.zeros((10, 64, 64, 1), grey)
    dark[range(10), range(10), 0] = 1 if grey is np.uint8 else 1 / 255  # none is a copy of another
    np.savez(tmp_path / "x.npz", x=np.concatenate([levels, dark]), y=np.concatenate([answers, np.arange(10)]))
    (tmp_path / "s.toml").write_text(SUITE.replace('expect = { top1 = ">= 1" }', ""))
    guess = "takes 3 channels: the grey images of x are repeated to 3 channels, as with (channels = .*)"
    with pytest.warns(UserWarning, match=guess) as told:
        table = robust.run("s.toml", store=Store(tmp_path / "store"))
    assert robust.value(table, "top1").value == (len(levels) + 1) / (len(levels) + 10)
    [remedy] = [found[1] for each in told if (found := re.search(guess, str(each.message)))]
    (tmp_path / "s.toml").write_text(SUITE.replace('"x.npz"', f'"x.npz", {remedy}'))
    again = robust.value(robust.run("s.toml", store=Store(tmp_path / "store")), "top1")
    assert again.value == (len(levels) + 1) / (len(levels) + 10)
    (tmp_path / "s.toml").write_text(SUITE.replace('"x.npz"', '"x.npz", channels = "gray"'))
    with pytest.raises(ModelError, match=r'images of 3 channels.* or set channels = "rgb"'):
        robust.run("s.toml", store=Store(tmp_path / "store"))


@pytest.mark.slow
def test_a_file_for_other_classes_is_told_with_the_models_name(suite, tmp_path):
    with pytest.raises(
        ModelError, match=r"model theirs: .*classifier\.weight, the last layer, has 10 classes, and the data"
    ):
        robust.run("s.toml", store=Store(tmp_path / "store"))
