"""The logits of Torch's own networks: the stored references of tests/models/pretrained.

    python tools/make_torch_references.py tests/models/pretrained/references

in an environment with torch, torchvision, timm and safetensors, none of which the tests need. Every
weight and pixel comes from a formula of its name and place, which the tests compute as well with NumPy;
stored are names, shapes, types and the logits of the network in evaluation mode.
"""

import hashlib
import json
import sys
from math import prod
from pathlib import Path

import numpy as np

CLASSES = 10
VGG11 = (64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M")
WIDTH = 0.1  # of the VGGs, whose first dense layer alone would have 102 million weights
MEAN, STD, HALVES = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), (0.5, 0.5, 0.5)
NETWORKS = {
    "torchvision": {
        "resnet18": "resnet18", "resnet50": "resnet50", "vgg11": "vgg11", "vgg11_bn": "vgg11",
        "densenet121": "densenet121", "mobilenet_v2": "mobilenet_v2", "mobilenet_v3_large": "mobilenet_v3_large",
        "mobilenet_v3_small": "mobilenet_v3_small", "efficientnet_b0": "efficientnet_b0",
    },
    "timm": {
        "resnet50": "resnet50", "vgg11_bn": "vgg11", "densenet121": "densenet121", "mobilenetv2_100": "mobilenet_v2",
        "mobilenetv3_large_100": "mobilenet_v3_large", "mobilenetv3_small_100": "mobilenet_v3_small",
        "efficientnet_b0": "efficientnet_b0",
    },
    "timm_tf": {
        "tf_efficientnet_b0": "efficientnet_b0", "tf_mobilenetv3_large_100": "mobilenet_v3_large",
        "tf_mobilenetv3_small_100": "mobilenet_v3_small", "tf_efficientnet_lite0": "efficientnet_lite0",
    },
}  # fmt: skip
"""Layout -> their name -> ours, of the networks whose logits are stored."""
SIZED = {
    "torchvision": [
        "vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn", "resnet18", "resnet34",
        "resnet50", "resnet101", "resnet152", "densenet121", "densenet161", "densenet169", "densenet201",
        "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small", *(f"efficientnet_b{n}" for n in range(8)),
    ],
    "timm": [
        "vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn", "resnet18", "resnet34",
        "resnet50", "resnet101", "resnet152", "densenet121", "densenet161", "densenet169", "densenet201",
        "mobilenetv2_100", "mobilenetv3_large_100", "mobilenetv3_small_100",
        *(f"efficientnet_b{n}" for n in range(8)),
    ],
    "timm_tf": [
        "tf_mobilenetv3_large_100", "tf_mobilenetv3_small_100", *(f"tf_efficientnet_b{n}" for n in range(8)),
        *(f"tf_efficientnet_lite{n}" for n in range(3)),
    ],
}  # fmt: skip
"""Layout -> their names of all networks whose tensors' names and shapes are stored, as one hash each."""


def uniform(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers in [0, 1) from a counter and a hash of the name (SplitMix64, Steele et al., OOPSLA 2014)."""
    seed = np.frombuffer(hashlib.sha256(name.encode()).digest()[:8], np.uint64)
    z = seed + np.arange(1, prod(shape) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(11)).reshape(shape) * 2.0**-53


def weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A tensor of a state dict: activations neither vanish nor explode, and no BatchNorm is the identity."""
    u = uniform(name, shape)
    if name.endswith("num_batches_tracked"):
        return np.array(1, np.int64)
    if name.endswith("running_var") or (name.endswith("weight") and len(shape) == 1):
        return (0.5 + u).astype(np.float32)
    if len(shape) == 1:
        return (0.6 * (u - 0.5)).astype(np.float32)
    return ((2 * u - 1) * np.sqrt(6 / prod(shape[1:]))).astype(np.float32)


def images(side: int) -> np.ndarray:
    """Two images of 8 x 8 random squares, float32 [2, side, side, 3] in [0, 1)."""
    squares = uniform("image", (2, 8, 8, 3)).repeat(side // 8, axis=1).repeat(side // 8, axis=2)
    return squares.astype(np.float32)


def signature(shapes: dict[str, tuple[int, ...]]) -> str:
    """A hash of names and shapes, independent of their order; the counters of BatchNorm are left out."""
    lines = [f"{name} {list(shape)}" for name, shape in shapes.items() if not name.endswith("num_batches_tracked")]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]


def build(layout: str, name: str, **options):
    import timm
    import torchvision

    return (
        getattr(torchvision.models, name)(**options) if layout == "torchvision" else timm.create_model(name, **options)
    )


def network(layout: str, name: str):
    """Their network with CLASSES classes."""
    return vgg(layout, name) if name.startswith("vgg") else build(layout, name, num_classes=CLASSES)


def vgg(layout: str, name: str):
    """VGG-11 with few channels, from the libraries' own classes."""
    import timm
    import torchvision
    from torch import nn

    plan = [c if c == "M" else round(c * WIDTH) for c in VGG11]
    units, norm = round(4096 * WIDTH), name.endswith("_bn")
    if layout == "timm":
        model = timm.models.vgg.VGG(plan, num_classes=CLASSES, norm_layer=nn.BatchNorm2d if norm else None)
        model.pre_logits = timm.models.vgg.ConvMlp(plan[-2], units, 7)
        model.head = timm.layers.ClassifierHead(units, CLASSES)
        return model
    model = torchvision.models.vgg.VGG(torchvision.models.vgg.make_layers(plan, batch_norm=norm), CLASSES)
    model.classifier = nn.Sequential(
        nn.Linear(plan[-2] * 49, units), nn.ReLU(), nn.Dropout(), nn.Linear(units, units), nn.ReLU(), nn.Dropout(),
        nn.Linear(units, CLASSES),
    )  # fmt: skip
    return model


def reference(layout: str, name: str, path: Path) -> None:
    import torch

    model = network(layout, name)
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    types = {key: str(value.dtype).removeprefix("torch.") for key, value in model.state_dict().items()}
    model.load_state_dict({key: torch.from_numpy(weight(key, shape)) for key, shape in shapes.items()})
    side = 224 if name.startswith("vgg") else 64
    halves = layout == "timm_tf" and ("mobilenet" in name or "lite" in name)
    mean, std = (np.array(v, np.float32) for v in ((HALVES, HALVES) if halves else (MEAN, STD)))
    x = torch.from_numpy(((images(side) - mean) / std).transpose(0, 3, 1, 2).copy())
    with torch.no_grad():
        logits = model.eval()(x).numpy()
    print(f"{layout:12}{name:26}{logits.std():10.4f}{np.abs(logits[0] - logits[1]).mean() / logits.std():8.4f}")
    tensors = json.dumps([[key, shape, types[key]] for key, shape in shapes.items()])
    about = json.dumps({"layout": layout, "name": name, "architecture": NETWORKS[layout][name], "side": side})
    np.savez_compressed(path, tensors=np.array(tensors), about=np.array(about), logits=logits)


def signatures(path: Path) -> None:
    import torch

    found: dict[str, dict[str, str]] = {}
    for layout, names in SIZED.items():
        for name in names:
            with torch.device("meta"):
                state = build(layout, name).state_dict()
            found.setdefault(layout, {})[name] = signature({key: tuple(value.shape) for key, value in state.items()})
    path.write_text(json.dumps(found, indent=1) + "\n")


def tiny(folder: Path) -> None:
    """The same five tensors as Torch writes them in its three forms: a reference besides the tests' own writer."""
    import torch
    from safetensors.torch import save_file

    shapes = {"conv.weight": (2, 3, 1, 2), "conv.bias": (2,), "bn.num_batches_tracked": ()}
    state = {key: torch.from_numpy(weight(key, shape)) for key, shape in shapes.items()}
    state["half"] = torch.from_numpy(weight("half", (2, 2))).bfloat16()
    state["turned"] = torch.from_numpy(weight("turned", (3, 2))).T  # a view with its own strides
    torch.save(state, folder / "tiny.zip.pth")
    torch.save({"epoch": 3, "state_dict": state}, folder / "tiny.legacy.pth", _use_new_zipfile_serialization=False)
    save_file({key: tensor.contiguous() for key, tensor in state.items()}, folder / "tiny.safetensors")


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tiny(folder)
    signatures(folder / "signatures.json")
    for layout, names in NETWORKS.items():
        for name in names:
            reference(layout, name, folder / f"{layout}.{name}.npz")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
