"""A network with pretrained weights, ready for use."""

import re
from collections.abc import Mapping

import keras
import numpy as np

from robust.core.errors import ModelError
from robust.core.signature import Call, bind
from robust.core.types import Table
from robust.models.architectures.normalization import set_statistics
from robust.models.layer_table import unallocated
from robust.models.pretrained import checkpoint, packaged, prefixes, releases, timm, torchvision
from robust.models.pretrained.fill import fill, slots
from robust.models.pretrained.keras import from_keras, own_shape
from robust.models.pretrained.layout import Layout, check
from robust.models.pretrained.prefixes import Normalisation
from robust.models.pretrained.tensor import Tensor
from robust.suite import Pretrained, Published, Weights

LAYOUTS: dict[str, dict[str, Layout]] = {
    "torchvision": torchvision.LAYOUTS,
    "timm": timm.LAYOUTS,
    "timm_tf": timm.TF_LAYOUTS,
    "efficientnet_pytorch": packaged.LAYOUTS,
}


def load(source: Pretrained, input_shape: tuple[int, int, int], classes: int) -> keras.Model:
    """The network that a suite's `pretrained` names, for images of this shape and this many classes.

    Raises ModelError if the weights are missing, cannot be read, or belong to another function.

    >>> load(Published("keras:resnet50"), (32, 32, 3), 10)
    Traceback (most recent call last):
    robust.core.errors.ModelError: keras:resnet50 is for images of shape (224, 224, 3) in ImageNet's 1000 classes; ...
    """
    if isinstance(source, Weights):
        return from_file(source, input_shape, classes)
    if source.name.startswith("keras:"):
        return from_keras(source.name.removeprefix("keras:"), input_shape, classes)
    return from_file(_packaged(source), input_shape, classes)


def original(source: Pretrained, input_shape: tuple[int, int, int]) -> keras.Model:
    """The network with all of its own classes, to be fine-tuned; those of Keras for images of their own shape.

    Raises ModelError as `load` does.
    """
    if isinstance(source, Published) and source.name.startswith("keras:"):
        name = source.name.removeprefix("keras:")
        return from_keras(name, own_shape(name), 1000)
    weights = source if isinstance(source, Weights) else _packaged(source)
    with unallocated():
        last = _layout(weights).modules(_built(weights.architecture, input_shape, 1000))["logits"]
    held = [tensor for name, tensor in _read(weights).items() if f".{name}".endswith(f".{last}.weight")]
    tensor = held[0] if held else None
    return from_file(weights, input_shape, tensor.shape[0] if tensor and tensor.shape else 1000)


def channels(source: Pretrained) -> int | None:
    """How many channels the images have that the weights were trained on; None if the file does not show it.

    Only a convolution of the pixels themselves has three of them, and only one of grey pixels, or a depthwise one, has
    one.
    """
    if not isinstance(source, Weights):
        return 3
    wide = {tensor.shape[1] for tensor in _read(source).values() if len(tensor.shape) == 4}
    return next((count for count in (3, 1) if count in wide), None)


def _packaged(source: Published) -> Weights:
    return Weights(packaged.file(source.name), bind("architectures", source.name), "efficientnet_pytorch")


def from_file(weights: Weights, input_shape: tuple[int, int, int], classes: int) -> keras.Model:
    """The network of a file of weights that Torch's libraries have trained; it takes [0, 1] images.

    What weights do not show (strides, borders, epsilon) is known for each library and has to match
    the options of the architecture; its mean and deviation of pixels go into the normalisation.

    Args:
        weights: the file, the architecture and whose layout it has, as in a suite's `pretrained`.
        input_shape: (height, width, channels) of the images, from 32x32.
        classes: as many as the file's last layer has.

    Raises ModelError, naming both sides, for a file that cannot be read and for what does not match.

    >>> from pathlib import Path
    >>> from_file(Weights(Path("r.pth"), bind("architectures", "resnet50"), "torchvision"), (224, 224, 3), 1000)
    Traceback (most recent call last):
    robust.core.errors.ModelError: resnet50 with form = "v1" (the stride in a block's first 1x1) is not what ...

    Layouts: torchvision (Marcel & Rodriguez, ACM Multimedia 2010), timm (Wightman, 2019).
    """
    layout, call = _layout(weights), weights.architecture
    check(call, layout, weights.layout)
    tensors = _read(weights)
    try:
        return _filled(weights, layout, tensors, _built(call, input_shape, classes))
    except ModelError as error:
        raise ModelError(f"{weights.file} into {call.name}: {error}") from error


def _read(weights: Weights) -> dict[str, Tensor]:
    return {modern(name): tensor for name, tensor in checkpoint.read(weights.file).items()}


def normalisation(weights: Weights, held: Normalisation | None = None) -> tuple[Normalisation, str]:
    """Mean and deviation of [0, 1] pixels, and their source: the user, the file, its name, or else its layout.

    held: what the file itself holds.
    """
    layout, named = _layout(weights), releases.of(weights.file)
    (mean, std), why = (layout.mean, layout.std), f"as in layout {weights.layout!r}, unless the file has others"
    if held is not None:
        (mean, std), why = held, "as stored in the file"
    elif named is not None:
        (mean, std), why = named[0], f"inferred from its name ({named[1]}, of {weights.file.name})"
    if weights.mean or weights.std:
        return (weights.mean or mean, weights.std or std), "as declared"
    return (mean, std), why


def notes(source: Pretrained) -> tuple[str, ...]:
    """Which of several weights in a file are taken, and how their pixels are normalised, in words."""
    if not isinstance(source, Weights):
        return ()
    (mean, std), why = normalisation(source)
    numbers = [f"({', '.join(f'{n:g}' for n in each)})" for each in (mean, std)]
    taken = checkpoint.read(source.file).of if source.file.is_file() else ""
    choice = (f"{taken}; for others save them separately: torch.save(checkpoint[...], file)",) if taken else ()
    return (
        *choice,
        f"normalised inside by mean {numbers[0]} and deviation {numbers[1]}, {why}; set others with mean and std",
    )


def _layout(weights: Weights) -> Layout:
    known = LAYOUTS[weights.layout]
    if weights.architecture.name not in known:
        raise ModelError(
            f"weights of layout {weights.layout!r} are not known for {weights.architecture.name}; allowed: "
            + ", ".join(known)
        )
    return known[weights.architecture.name]


def _built(call: Call, input_shape: tuple[int, int, int], classes: int) -> keras.Model:
    if call.arguments.get("stem") == "small":
        raise ModelError('stem = "small" is a form for small images, and these weights are for stem = "imagenet"')
    return Call(call.kind, call.name, {**call.arguments, "stem": "imagenet"})(input_shape=input_shape, classes=classes)


def _filled(weights: Weights, layout: Layout, tensors: Mapping[str, Tensor], model: keras.Model) -> keras.Model:
    modules = layout.modules(model)
    tensors, held = prefixes.stripped(tensors, slots(model, modules))
    _check_norm(weights.architecture, tensors)
    _check_classes(modules["logits"], tensors, model.output_shape[-1])
    fill(model, tensors, modules)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = layout.momentum
    _normalise(model, *normalisation(weights, held)[0])
    return model


def _normalise(model: keras.Model, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    channels = model.input_shape[-1]
    if not len(mean) == len(std) == channels:
        raise ModelError(f"mean and std have {len(mean)} and {len(std)} numbers; the images have {channels} channels")
    set_statistics(model.get_layer("normalization"), mean, np.square(std))


def modern(name: str) -> str:
    """torchvision's first DenseNet files, still its published ones, write norm.1 for norm1."""
    return re.sub(r"(denselayer\d+\.(?:norm|conv))\.(\d)", r"\1\2", name)


def _check_norm(call: Call, tensors: Table) -> None:
    held = "batch" if any(name.endswith(".running_mean") for name in tensors) else "none"
    if (wanted := call.arguments.get("norm", held)) != held:
        raise ModelError(
            f'norm = "{wanted}" is requested, and the file is {"with" if held == "batch" else "without"} BatchNorm; '
            f'write architecture = {{ name = "{call.name}", norm = "{held}" }}'
        )


def _check_classes(last: str, tensors: Mapping[str, Tensor], classes: int) -> None:
    tensor = tensors.get(f"{last}.weight")
    if tensor is not None and tensor.shape[:1] not in ((), (classes,)):
        raise ModelError(f"{last}.weight, the last layer, has {tensor.shape[0]} classes, and the data has {classes}")
