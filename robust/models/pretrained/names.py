"""Layers of our networks by the pattern of their names: what the tables of Torch's libraries have in common."""

import re
from collections.abc import Iterator

import keras

PARTS = ("expand", "depthwise", "squeeze", "project")
"""Of an inverted residual, in their order."""


def fitting(model: keras.Model, pattern: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The layers whose whole name fits the pattern, and its groups."""
    for layer in model.layers:
        if match := re.fullmatch(pattern, layer.name):
            yield layer.name, match.groups()


def inverted(model: keras.Model) -> Iterator[tuple[str, str, list[str], str, str]]:
    """Of each layer in an inverted residual: name, block ("3b"), the block's parts in order, its part and kind."""
    found = list(fitting(model, rf"block(\w+?)_({'|'.join(PARTS)})_(conv|bn|reduce|expand)"))
    has = {(block, part) for _, (block, part, _) in found}
    for name, (block, part, kind) in found:
        yield name, block, [p for p in PARTS if (block, p) in has], part, kind


def resnet(model: keras.Model) -> dict[str, str]:
    """ResNets of torchvision and timm."""
    names = {"conv1_conv": "conv1", "conv1_bn": "bn1", "logits": "fc"}
    for name, (stage, block, place, kind) in fitting(model, r"conv(\d)_block(\d+)_(\d)_(conv|bn)"):
        last = f"downsample.{('conv', 'bn').index(kind)}" if place == "0" else f"{kind}{place}"
        names[name] = f"layer{int(stage) - 1}.{int(block) - 1}.{last}"
    return names


def densenet(model: keras.Model) -> dict[str, str]:
    """DenseNets of torchvision and timm."""
    names = {"conv1_conv": "features.conv0", "conv1_bn": "features.norm0", "final_bn": "features.norm5"}
    torch = {"conv": "conv", "bn": "norm"}
    for name, (stage, layer, place, kind) in fitting(model, r"conv(\d)_block(\d+)_(\d)_(conv|bn)"):
        names[name] = f"features.denseblock{int(stage) - 1}.denselayer{layer}.{torch[kind]}{place}"
    for name, (stage, kind) in fitting(model, r"pool(\d)_(conv|bn)"):
        names[name] = f"features.transition{int(stage) - 1}.{torch[kind]}"
    return names | {"logits": "classifier"}


def vgg(model: keras.Model, head: tuple[str, str, str]) -> dict[str, str]:
    """VGGs: the convolutional part is one sequence, ReLUs and pools counted; `head` names the dense layers."""
    body = {name: f"features.{place}" for place, (name, _) in enumerate(fitting(model, r"block\d.*"))}
    return body | dict(zip(("fc1", "fc2", "logits"), head, strict=True))
