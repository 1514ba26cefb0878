"""Fine-tuning: a network that has weights, for other images and other classes, and which parts learn when."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

import keras
import numpy as np
import tensorflow as tf

from robust.core.errors import ModelError
from robust.core.remedies import setting
from robust.datasets import channels
from robust.datasets.dataset import Dataset
from robust.models.classifier import inputs, main_logits
from robust.suite.preprocessing import Preprocessing
from robust.training import parts
from robust.training.recipes import Recipe


def adapted(
    network: keras.Model, data: Dataset, recipe: Recipe, pixels: Preprocessing | None = None, output: str | None = None
) -> keras.Model:
    """The network for [0, 1] images of the data's shape, ending in logits of its classes; otherwise unchanged.

    Args:
        network: with its weights. pixels: what it expects; inferred from its layers or the type of its inputs.
        output: which of several classifies.
        data: seen with the channels that the network takes; its height and width may be others than the network's,
            if no weight depends on the size.
        recipe: head = "new" replaces the last layer, "kept" needs as many classes as before.

    Raises ModelError for networks that are not functional, and for images or classes that do not fit.

    Another resolution for a trained network: Touvron et al., Fixing the train-test resolution discrepancy,
    NeurIPS 2019.
    """
    network = main_logits.understood(network, output=output).model
    if not getattr(network, "outputs", None):
        raise ModelError(f"{network.name!r} is a subclass of keras.Model; only a functional one can be fine-tuned")
    wanted = inputs.pixels(network, pixels)[0]
    data = channels.for_model(data, inputs.channels(network, pixels), network.name)
    fits = wanted == Preprocessing() and network.inputs[0].dtype == "float32"
    if not fits or network.input_shape[1:] != data.image_shape:
        network = for_images(network, data.image_shape, wanted)
    if recipe.head == "new":
        return with_head(network, len(data.classes))
    if (classes := network.output_shape[-1]) != len(data.classes):
        raise ModelError(
            f'head = "kept" keeps {classes} classes, and {data.name} has {len(data.classes)}; write head = "new"'
        )
    return network


def held(network: keras.Model, recipe: Recipe) -> list[keras.layers.Layer]:
    """The layers that the recipe freezes, at least for some epochs.

    Raises ModelError for a layer that does not exist, and if there is nothing to unfreeze.
    """
    if recipe.freeze is None and recipe.tune == "all":
        if (recipe.unfreeze_after, recipe.rate_below) != (None, 1.0):
            raise ModelError("unfreeze_after and rate_below: nothing is frozen; set freeze to the name of a layer")
        return []
    if recipe.unfreeze_after is None and recipe.rate_below != 1.0:
        raise ModelError(f"rate_below = {recipe.rate_below:g}: never used; set unfreeze_after, 0 for the beginning")
    layers = set() if recipe.freeze is None else parts.up_to(network, recipe.freeze)
    if recipe.tune == "batch_norm_and_head":
        last = main_logits.last(network)
        normal = keras.layers.BatchNormalization
        layers |= {each for each in main_logits.flat(network) if each is not last and not isinstance(each, normal)}
    found = [layer for layer in main_logits.flat(network) if layer in layers and layer.trainable]
    if recipe.unfreeze_after is not None and not any(layer.trainable_weights for layer in found):
        raise ModelError(
            f"unfreeze_after = {recipe.unfreeze_after:g}: what is frozen up to {recipe.freeze!r} was saved with "
            "trainable = False, or has no weights, so nothing could learn; set trainable = True and save it again"
        )
    if len({id(w) for layer in found for w in layer.trainable_weights}) == len(network.trainable_weights):
        raise ModelError(f"freeze = {recipe.freeze!r}: nothing is left of {network.name} to learn")
    return found


@contextmanager
def in_inference(layers: Iterable[keras.layers.Layer]) -> Iterator[None]:
    """Batch normalisation among these layers keeps its statistics, even where it learns its scale and offset.

    As in Keras' guide to transfer learning, which calls the backbone with training=False: statistics that move when
    it is unfrozen would undo what it has learned.
    """
    normal = [each for each in layers if isinstance(each, keras.layers.BatchNormalization)]
    for layer in normal:
        layer.call = partial(_without_training, type(layer).call, layer)
    try:
        yield
    finally:
        for layer in normal:
            del layer.call


def _without_training(
    call: Callable[..., tf.Tensor],
    layer: keras.layers.Layer,
    inputs: object,
    training: object = None,
    mask: object = None,
) -> tf.Tensor:
    return call(layer, inputs, training=False, mask=mask)


def is_frozen(recipe: Recipe, epoch: int) -> bool:
    """Are the held layers frozen in this epoch, counted from 0?"""
    return recipe.unfreeze_after is None or epoch < recipe.unfreeze_after


def with_head(network: keras.Model, classes: int) -> keras.Model:
    """The network with a new last layer, linear, for this many classes."""
    last = main_logits.last(network)
    if not isinstance(last, keras.layers.Dense):
        raise ModelError(
            f"{network.name} ends in {last.name!r}, a {type(last).__name__}: only a Dense layer is replaced; "
            'give the network one, or write head = "kept"'
        )
    features = main_logits.features(network)
    logits = keras.layers.Dense(classes, dtype="float32", name=main_logits.unused("logits", features))(features)
    return keras.Model(network.inputs[0], logits, name=network.name)


def for_images(network: keras.Model, shape: tuple[int, ...], pixels: Preprocessing) -> keras.Model:
    """A copy of the network with the same weights, for [0, 1] images of another shape."""
    logits = network.outputs[0]
    image = keras.Input(shape, name=main_logits.unused("image", logits))
    x = preprocessed(image, pixels, logits)
    made: dict[str, object] = {}

    def call(layer: keras.Operation, *args: object, **options: object) -> object:
        check_nested(layer, args[0])
        made[layer.name] = layer(*args, **options)
        return made[layer.name]

    source = keras.Model(network.inputs[0], logits)
    try:
        keras.models.clone_model(source, input_tensors=x, call_function=call)
    except ValueError as error:
        own, why = inputs.image_shape(network, pixels), " ".join(str(error).split())
        raise ModelError(
            f"{network.name} takes images of shape {own}, and these are {shape}: a layer in it, or a model that is "
            f"nested in it, takes no others ({why[:300]}); {remedy(own, shape)}"
        ) from None
    copy = keras.Model(image, made[main_logits.last(source).name], name=network.name)
    for old, new in zip(network.weights, copy.weights, strict=True):
        if old.shape != new.shape:
            raise ModelError(
                f"{network.name} takes images of shape {inputs.image_shape(network, pixels)}, and these are {shape}: "
                f"{old.path} is made for its own size"
            )
    copy.set_weights(network.get_weights())
    for layer in main_logits.flat(copy):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
    return copy


def check_nested(layer: keras.Operation, given: object) -> None:
    """Raise ValueError if a nested model takes no such images; Keras notices some of that when it trains."""
    listed = getattr(layer, "inputs", None) if isinstance(layer, keras.Model) else None
    if not listed or not hasattr(given, "shape"):
        return
    own, shape = tuple(listed[0].shape)[1:], tuple(given.shape)[1:]
    if len(own) != len(shape) or any(a not in (None, b) for a, b in zip(own, shape, strict=True)):
        raise ValueError(f"{layer.name!r} takes {own}, not {shape}")


def preprocessed(image: keras.KerasTensor, pixels: Preprocessing, logits: keras.KerasTensor) -> keras.KerasTensor:
    """[0, 1] images as the network expects them, in float32 and by layers and operations that are saved as data."""
    x = keras.ops.flip(image, axis=-1) if pixels.order == "bgr" else image
    mean, std = np.array(pixels.mean or [0.0]), np.array(pixels.std or [1.0])
    scale, offset = (pixels.high - pixels.low) / std, (pixels.low - mean) / std
    if (scale != 1).any() or (offset != 0).any():
        name = main_logits.unused("preprocessing", logits)
        x = keras.layers.Rescaling(scale.tolist(), offset.tolist(), dtype="float32", name=name)(x)
    if pixels.layout == "channels_first":
        x = keras.layers.Permute((3, 1, 2), dtype="float32", name=main_logits.unused("channels_first", logits))(x)
    return x


def remedy(own: tuple[int | None, ...], shape: tuple[int, ...]) -> str:
    """What to do about images of another shape."""
    height, width, channels = own
    if channels not in (None, shape[-1]):
        return f"give it images of {channels} channels"
    size = setting("transform", {"size": height}) if height == width else f"images of {height} x {width}"
    return f"give the data {size}, or build the nested model for any size, as in keras.Input((None, None, {channels}))"
