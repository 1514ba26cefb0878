"""What timm calls the layers of our networks, and what its weights require of them."""

from functools import partial
from itertools import accumulate

import keras

from robust.models.pretrained import names
from robust.models.pretrained.layout import Layout

REPEATS = {
    "mobilenet_v2": (1, 2, 3, 4, 3, 3, 1),
    "mobilenet_v3_large": (1, 2, 3, 4, 2, 3),
    "mobilenet_v3_small": (1, 2, 3, 2, 3),
}
"""Blocks of each stage; our MobileNets count them through."""
_TORCH = {"padding": "symmetric", "epsilon": 1e-5}
_TF = {"padding": "same", "epsilon": 1e-3}
_HALVES = {"mean": (0.5,) * 3, "std": (0.5,) * 3}


def _vgg(model: keras.Model) -> dict[str, str]:
    return names.vgg(model, ("pre_logits.fc1", "pre_logits.fc2", "head.fc"))


def _mobilenet_v2(model: keras.Model) -> dict[str, str]:
    ends = {"conv1_conv": "conv_stem", "conv1_bn": "bn1", "last_conv": "conv_head", "last_bn": "bn2"}
    return _blocks(model, staged("mobilenet_v2")) | ends | {"logits": "classifier"}


def _mobilenet_v3(model: keras.Model, name: str) -> dict[str, str]:
    last = f"blocks.{len(REPEATS[name])}.0"
    ends = {"conv1_conv": "conv_stem", "conv1_bn": "bn1", "last_conv": f"{last}.conv", "last_bn": f"{last}.bn1"}
    return _blocks(model, staged(name)) | ends | {"dense": "conv_head", "logits": "classifier"}


def _efficientnet(model: keras.Model) -> dict[str, str]:
    places = {
        block: f"{int(block[0]) - 1}.{ord(block[1]) - ord('a')}" for _, block, *_ in names.inverted(model)
    }  # our "3b" is their 2.1
    ends = {"stem_conv": "conv_stem", "stem_bn": "bn1", "top_conv": "conv_head", "top_bn": "bn2"}
    return _blocks(model, places) | ends | {"logits": "classifier"}


def staged(name: str) -> dict[str, str]:
    """Our number of a block, from 1 on -> their stage and place in it, from 0 on."""
    starts = accumulate(REPEATS[name], initial=1)
    return {
        str(start + place): f"{stage}.{place}"
        for stage, (start, repeats) in enumerate(zip(starts, REPEATS[name], strict=False))
        for place in range(repeats)
    }


def _blocks(model: keras.Model, places: dict[str, str]) -> dict[str, str]:
    found = {}
    for name, block, parts, part, kind in names.inverted(model):
        place = [p for p in parts if p != "squeeze"].index(part) + 1 if part != "squeeze" else 0
        project = "conv_pwl" if "expand" in parts else "conv_pw"
        convolution = {"expand": "conv_pw", "depthwise": "conv_dw", "project": project}.get(part)
        own = {"conv": convolution, "bn": f"bn{place}", "reduce": "se.conv_reduce", "expand": "se.conv_expand"}[kind]
        found[name] = f"blocks.{places[block]}.{own}"
    return found


_V3 = {name: partial(_mobilenet_v3, name=name) for name in ("mobilenet_v3_large", "mobilenet_v3_small")}

LAYOUTS = {
    **dict.fromkeys(("vgg11", "vgg13", "vgg16", "vgg19"), Layout(_vgg)),
    **dict.fromkeys(("resnet18", "resnet34"), Layout(names.resnet)),
    **dict.fromkeys(("resnet50", "resnet101", "resnet152"), Layout(names.resnet, {"form": "v1.5"})),
    **dict.fromkeys(("densenet121", "densenet161", "densenet169", "densenet201"), Layout(names.densenet)),
    "mobilenet_v2": Layout(_mobilenet_v2, _TORCH),
    **{name: Layout(table, _TORCH) for name, table in _V3.items()},
    **dict.fromkeys([f"efficientnet_b{n}" for n in range(8)], Layout(_efficientnet, _TORCH)),
}
"""By architecture: the models that timm 1.0 calls by the same name, or with a "_100" after it."""
TF_LAYOUTS = {
    **{name: Layout(table, _TF, **_HALVES) for name, table in _V3.items()},
    **dict.fromkeys([f"efficientnet_b{n}" for n in range(8)], Layout(_efficientnet, _TF)),
    **dict.fromkeys([f"efficientnet_lite{n}" for n in range(3)], Layout(_efficientnet, **_HALVES)),
}
"""The models that timm calls "tf_...": the same names in the file, TensorFlow's borders and epsilon."""
