"""Weights of one Keras network for another of the same function, which is proved before one is copied."""

import inspect

import keras
import numpy as np

from robust.core import registry
from robust.core.errors import ModelError
from robust.models.architectures.normalization import set_statistics
from robust.models.architectures.units import BATCH_NORM, BIAS, DEPTHWISE, IMAGE, LINEAR, Unit, describe
from robust.models.classifier import main_logits

OPTIONS = {"strides": "form", "padding": "padding", "epsilon": "epsilon"}
"""Which option of an architecture decides a setting, where it has that option."""


def port(source: keras.Model, target: keras.Model) -> None:
    """Copy the weights of a `keras.applications` model into ours, if both are the same function.

    Shapes do not show it: a wrong stride, border, epsilon or activation fits and is silently wrong. So
    both graphs are walked in parallel, from the logits back to the image; every pair of units has to
    agree in kind, kernel, strides, padded pixels, dilation, groups, epsilon, activation and pooling.
    Nothing is copied before all do. Biases that the target lacks go into the moving means of
    BatchNorm, a softmax and auxiliary heads are left aside, a 1x1 convolution may be a dense layer.

    Pixels: layers of the source that rescale or normalise its images (EfficientNet, MobileNetV3) are
    put into the target's Normalization, so that target(x) = source(255 x) for x in [0, 1], or
    source(x) where the source's own layers expect that. A source without such layers (VGG, ResNet,
    DenseNet, MobileNet, MobileNetV2) leaves the target's Normalization as it is: target(x) = source(x)
    as long as that is the identity, and what `preprocess_input` does is the caller's to set.

    Args:
        source: a functional model for images of a fixed size, with its weights.
        target: one of `robust.models.architectures`, for the same images and as many classes.

    Raises ModelError, naming both sides, where they differ, and for layers that it does not know.

    >>> from robust.models.architectures import resnet50
    >>> from keras.applications import ResNet50
    >>> port(ResNet50(weights=None, input_shape=(64, 64, 3)), resnet50(input_shape=(64, 64, 3)))

    Networks: `robust.models.architectures`; the weights of `keras.applications` (Chollet et al., 2015) come
    with their own licences.
    """
    theirs, ours = describe(main_logits.linear(source)), describe(main_logits.linear(target))
    pairs = matched(theirs, ours)
    for their, our in pairs:
        if differing := _differing(their, our):
            words = _words(differing, their, our) + hint(differing, target)
            raise ModelError(
                f"port: source {source.name!r} and target {target.name!r} are different functions: {words}"
            )
    if len({our for _, our in pairs}) < len(pairs):
        raise ModelError(f"port: layers of {source.name!r} and {target.name!r} can be matched in more than one way")
    pixels = _pixels(pairs, main_logits.pixel_range(source)[1], target)
    for their, our in pairs:
        COPIED.get(our.kind, nothing)(their, our)
    if pixels:
        set_statistics(*pixels)


def matched(theirs: list[Unit], ours: list[Unit]) -> list[tuple[Unit, Unit]]:
    """Which units correspond in both, from their ends back to the images; in the order of ours."""
    pairs, waiting = {}, [(theirs[-1], ours[-1])]  # a dict, for its order
    while waiting:
        pair = their, our = waiting.pop()
        if pair not in pairs:
            pairs[pair] = None
            if their.kind == our.kind:
                waiting += zip(their.inputs, our.inputs, strict=False)
    place = {unit: index for index, unit in enumerate(ours)}
    return sorted(pairs, key=lambda pair: place[pair[1]])


def _differing(their: Unit, our: Unit) -> str:
    """The first property in which two units differ; "" if they compute the same, given their weights and inputs."""
    if their.kind != our.kind:
        return "kind"
    if len(their.inputs) != len(our.inputs):
        return "inputs"
    return next((key for key, value in our.settings.items() if their.settings[key] != value), "")


def _words(differing: str, their: Unit, our: Unit) -> str:
    if differing == "kind":
        return f"the source's {their.name} is {their.kind} where the target's {our.name} is {our.kind}"
    one, other = ({"inputs": len(unit.inputs), **unit.settings}[differing] for unit in (their, our))
    return f"the source's {their.name} has {differing} {one}, the target's {our.name} has {other}"


def hint(differing: str, target: keras.Model) -> str:
    """The option of ours that decides this, if there is one."""
    option = OPTIONS.get(differing)
    if option is None or target.name not in registry.names("architectures"):
        return ""
    known = inspect.signature(registry.resolve("architectures", target.name)).parameters
    return f"; {target.name}({option}=...) decides that" if option in known else ""


def _pixels(pairs: list[tuple[Unit, Unit]], high: float, target: keras.Model) -> tuple | None:
    """The target's Normalization, and the mean and variance with which it does what the source's layers do.

    Those make scale * (high * x) + shift of x in [0, 1]. None if the source has no such layers.
    """
    their, our = next(pair for pair in pairs if pair[1].kind == IMAGE)
    if [type(layer) for layer in our.layers] != [keras.layers.Normalization]:
        raise ModelError(f"port: target {target.name!r} does not begin with one Normalization alone")
    if not their.layers:
        return None
    scale, shift = np.float64(1), np.float64(0)
    for layer in their.layers:
        if isinstance(layer, keras.layers.Rescaling):
            times, plus = np.asarray(layer.scale), np.asarray(layer.offset)
        else:
            times = 1 / np.maximum(np.sqrt(np.squeeze(layer.variance)), keras.config.epsilon())
            plus = -np.squeeze(layer.mean) * times
        scale, shift = scale * times, shift * times + plus
    return our.layers[0], -shift / (scale * high), (scale * high) ** -2.0


def _copy_kernel(their: Unit, our: Unit) -> None:
    our.layers[0].kernel.assign(np.reshape(their.layers[0].kernel, our.layers[0].kernel.shape))


def _copy_bias(their: Unit, our: Unit) -> None:
    our.layers[0].bias.assign(their.layers[0].bias)


def copy_batch_norm(their: Unit, our: Unit) -> None:
    """Its statistics, less the bias before it, and with the rounding of its epsilon made up for."""
    (norm, *biased), (mine, *filled) = their.layers, our.layers
    for name in ("gamma", "beta"):
        if (weight := getattr(mine, name)) is not None:
            weight.assign(getattr(norm, name))
    shift = sum(np.asarray(layer.bias) for layer in biased)
    for layer in filled:
        layer.bias.assign(np.zeros(layer.bias.shape))
    mine.moving_mean.assign(np.asarray(norm.moving_mean) - shift)
    mine.moving_variance.assign(np.asarray(norm.moving_variance) + (norm.epsilon - mine.epsilon))


def nothing(their: Unit, our: Unit) -> None:
    """Units without weights."""


COPIED = {
    BATCH_NORM: copy_batch_norm,
    BIAS: _copy_bias,
    DEPTHWISE: _copy_kernel,
    LINEAR: _copy_kernel,
}
