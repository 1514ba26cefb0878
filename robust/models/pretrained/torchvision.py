"""What torchvision calls the layers of our networks, and what its weights require of them."""

import keras

from robust.models.pretrained import names
from robust.models.pretrained.layout import Layout

_SYMMETRIC = {"padding": "symmetric", "epsilon": 1e-5}


def _vgg(model: keras.Model) -> dict[str, str]:
    return names.vgg(model, ("classifier.0", "classifier.3", "classifier.6"))


def _mobilenet_v2(model: keras.Model) -> dict[str, str]:
    found = {"conv1_conv": "features.0.0", "conv1_bn": "features.0.1", "logits": "classifier.1"}
    found |= {"last_conv": "features.18.0", "last_bn": "features.18.1"}
    for name, block, parts, part, kind in names.inverted(model):
        place, step = parts.index(part), ("conv", "bn").index(kind)
        within = place + step if part == "project" else f"{place}.{step}"  # the projection is not nested
        found[name] = f"features.{block}.conv.{within}"
    return found


def _mobilenet_v3(model: keras.Model) -> dict[str, str]:
    blocks = nested(model, {block: block for _, block, *_ in names.inverted(model)})
    last = f"features.{len({name.split('_')[0] for name in blocks}) + 1}"
    ends = {"conv1_conv": "features.0.0", "conv1_bn": "features.0.1", "last_conv": f"{last}.0", "last_bn": f"{last}.1"}
    return blocks | ends | {"dense": "classifier.0", "logits": "classifier.3"}


def _efficientnet(model: keras.Model) -> dict[str, str]:
    found = {block: f"{block[0]}.{ord(block[1]) - ord('a')}" for _, block, *_ in names.inverted(model)}
    ends = {
        "stem_conv": "features.0.0",
        "stem_bn": "features.0.1",
        "top_conv": "features.8.0",
        "top_bn": "features.8.1",
    }
    return nested(model, found) | ends | {"logits": "classifier.1"}


def nested(model: keras.Model, places: dict[str, str]) -> dict[str, str]:
    """Blocks that count their parts, and in each part the convolution and its BatchNorm."""
    steps = {"conv": "0", "bn": "1", "reduce": "fc1", "expand": "fc2"}
    return {
        name: f"features.{places[block]}.block.{parts.index(part)}.{steps[kind]}"
        for name, block, parts, part, kind in names.inverted(model)
    }


LAYOUTS = {
    **dict.fromkeys(("vgg11", "vgg13", "vgg16", "vgg19"), Layout(_vgg)),
    **dict.fromkeys(("resnet18", "resnet34"), Layout(names.resnet)),
    **dict.fromkeys(("resnet50", "resnet101", "resnet152"), Layout(names.resnet, {"form": "v1.5"})),
    **dict.fromkeys(("densenet121", "densenet161", "densenet169", "densenet201"), Layout(names.densenet)),
    "mobilenet_v2": Layout(_mobilenet_v2, _SYMMETRIC),
    **dict.fromkeys(
        ("mobilenet_v3_large", "mobilenet_v3_small"),
        Layout(_mobilenet_v3, {"padding": "symmetric", "epsilon": 1e-3}, momentum=0.99),
    ),
    **dict.fromkeys([f"efficientnet_b{n}" for n in range(5)], Layout(_efficientnet, _SYMMETRIC)),
    **dict.fromkeys(
        [f"efficientnet_b{n}" for n in range(5, 8)],
        Layout(_efficientnet, {"padding": "symmetric", "epsilon": 1e-3}, momentum=0.99),
    ),
}
"""By architecture: torchvision.models 0.29."""
