"""Fine-tuning: a network that has weights, for other images and other classes, and what of it learns when."""

from typing import Any

import keras
import numpy as np

from robust.classifier import heads
from robust.datasets.dataset import Dataset
from robust.errors import ModelError, suggest
from robust.pixels import Pixels, read
from robust.training.recipes import Recipe


def adapted(network: keras.Model, data: Dataset, recipe: Recipe, pixels: Pixels | None = None) -> keras.Model:
    """The network for [0, 1] images of the data's shape, ending in logits of its classes; the rest is as it was.

    Args:
        network: with its weights. pixels: what it wants; found where its first layer says it.
        data: its image shape may be another than the network's, where no weight hangs on the size.
        recipe: head = "new" replaces the last layer, "kept" needs as many classes as before.

    Raises ModelError for networks that are not functional, and for images or classes that do not fit.

    Another resolution for a trained network: Touvron et al., Fixing the train-test resolution discrepancy,
    NeurIPS 2019.
    """
    network = heads.linear(network)
    if not getattr(network, "outputs", None):
        raise ModelError(f"{network.name!r} is a subclass of keras.Model; only a functional one can be fine-tuned")
    wanted = read(pixels or heads.pixel_range(network))
    if wanted != Pixels() or network.input_shape[1:] != data.image_shape:
        network = _for_images(network, data.image_shape, wanted)
    if recipe.head == "new":
        return _with_head(network, len(data.classes))
    if (classes := network.output_shape[-1]) != len(data.classes):
        raise ModelError(
            f'head = "kept" keeps {classes} classes, and {data.name} has {len(data.classes)}; write head = "new"'
        )
    return network


def held(network: keras.Model, recipe: Recipe) -> list[keras.layers.Layer]:
    """The layers that the recipe freezes, at least for some epochs.

    Raises ModelError for a layer that is not there, and where there is nothing to unfreeze.
    """
    if recipe.freeze is None and recipe.tune == "all":
        if (recipe.unfreeze_after, recipe.rate_below) != (None, 1.0):
            raise ModelError("unfreeze_after and rate_below: nothing is frozen; set freeze to the name of a layer")
        return []
    if recipe.unfreeze_after is None and recipe.rate_below != 1.0:
        raise ModelError(f"rate_below = {recipe.rate_below:g}: never used; set unfreeze_after, 0 for the beginning")
    layers = set() if recipe.freeze is None else _up_to(network, recipe.freeze)
    if recipe.tune == "batch_norm_and_head":
        last = heads.last(network)
        normal = keras.layers.BatchNormalization
        layers |= {each for each in heads.flat(network) if each is not last and not isinstance(each, normal)}
    found = [layer for layer in heads.flat(network) if layer in layers and layer.trainable]
    if len({id(w) for layer in found for w in layer.trainable_weights}) == len(network.trainable_weights):
        raise ModelError(f"freeze = {recipe.freeze!r}: nothing is left of {network.name} to learn")
    return found


def is_frozen(recipe: Recipe, epoch: int) -> bool:
    """Are the held layers frozen in this epoch, counted from 0?"""
    return recipe.unfreeze_after is None or epoch < recipe.unfreeze_after


def _up_to(network: keras.Model, name: str) -> set[keras.layers.Layer]:
    """The layer of this name, and all that lead to it."""
    names = [layer.name for layer in network.layers]
    if name not in names:
        raise ModelError(f"freeze = {name!r}: {network.name} has no such layer{suggest(name, names)}")
    return set(heads.flat(keras.Model(network.inputs, network.get_layer(name).output)))


def _with_head(network: keras.Model, classes: int) -> keras.Model:
    """The network with a new last layer, linear, for so many classes."""
    last = heads.last(network)
    if not isinstance(last, keras.layers.Dense):
        raise ModelError(
            f"{network.name} ends in {last.name!r}, a {type(last).__name__}: only a Dense layer is replaced; "
            'give the network one, or write head = "kept"'
        )
    features = heads.features(network)
    logits = keras.layers.Dense(classes, dtype="float32", name=heads.unused("logits", features))(features)
    return keras.Model(network.inputs, logits, name=network.name)


def _for_images(network: keras.Model, shape: tuple[int, ...], pixels: Pixels) -> keras.Model:
    """A copy of the network with the same weights, for [0, 1] images of another shape."""
    if (pixels.order, pixels.layout) != ("rgb", "channels_last"):
        raise ModelError(f"{network.name} wants pixels {pixels}; one that is fine-tuned takes RGB, channels last")
    answers = network.outputs[0]
    image = x = keras.Input(shape, name=heads.unused("image", answers))
    if pixels != Pixels():
        low, high, mean, std = pixels.low, pixels.high, np.array(pixels.mean or [0.0]), np.array(pixels.std or [1.0])
        scale, offset = (high - low) / std, (low - mean) / std
        name = heads.unused("pixels", answers)
        x = keras.layers.Rescaling(scale.tolist(), offset.tolist(), dtype="float32", name=name)(x)
    made: dict[str, Any] = {}

    def call(layer: Any, *args: Any, **options: Any) -> Any:
        made[layer.name] = layer(*args, **options)
        return made[layer.name]

    source = keras.Model(network.inputs[0], answers)
    keras.models.clone_model(source, input_tensors=x, call_function=call)
    copy = keras.Model(image, made[heads.last(source).name], name=network.name)
    for old, new in zip(network.weights, copy.weights, strict=True):
        if old.shape != new.shape:
            raise ModelError(
                f"{network.name} takes images of shape {network.input_shape[1:]}, and these are {shape}: "
                f"{old.path} is made for its own size"
            )
    copy.set_weights(network.get_weights())
    for layer in heads.flat(copy):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
    return copy
