"""The recipe's optimiser for a network, and the weights that decay."""

from collections.abc import Callable

import keras

from robust.core.errors import ModelError
from robust.models.classifier import main_logits
from robust.training.recipes import Recipe

OPTIMIZERS: dict[str, Callable[..., keras.optimizers.Optimizer]] = {
    "sgd": lambda momentum, **options: keras.optimizers.SGD(momentum=momentum, **options),
    "nesterov": lambda momentum, **options: keras.optimizers.SGD(momentum=momentum, nesterov=True, **options),
    "rmsprop": lambda momentum, **options: keras.optimizers.RMSprop(0.001, 0.9, momentum, 1e-3, **options),
    "adamw": lambda momentum, **options: keras.optimizers.Adam(**options),  # its decay is decoupled: AdamW
}
DECAYED: dict[str, Callable[[keras.layers.Layer, keras.Variable], bool]] = {
    "all": lambda layer, weight: True,
    "kernels": lambda layer, weight: len(weight.shape) > 1,
    "all_but_batch_norm": lambda layer, weight: not isinstance(layer, keras.layers.BatchNormalization),
    "kernels_but_depthwise": lambda layer, weight: (
        len(weight.shape) > 1 and not isinstance(layer, keras.layers.DepthwiseConv2D)
    ),
}


def optimizer(recipe: Recipe, network: keras.Model, replicas: int = 1) -> keras.optimizers.Optimizer:
    """An optimiser of the network's trainable weights; its learning rate is set anew before each step.

    Each of the `replicas` gives it its share of the gradient, and the bounds of clipping are shared likewise.
    Raises ModelError where both clip_norm and clip_value are set.
    """
    if recipe.clip_norm and recipe.clip_value:
        raise ModelError(f"clip_norm = {recipe.clip_norm:g} and clip_value = {recipe.clip_value:g}: set one of them")
    made = OPTIMIZERS[recipe.optimizer](
        momentum=recipe.momentum,
        weight_decay=(recipe.weight_decay or None) if recipe.decays == "decoupled" else None,
        global_clipnorm=recipe.clip_norm and recipe.clip_norm / replicas,
        clipvalue=recipe.clip_value and recipe.clip_value / replicas,
    )
    if made.weight_decay:
        spared = {id(w) for w in network.trainable_weights} - {id(w) for w in decayed(recipe, network)}
        made.exclude_from_weight_decay([w for w in network.trainable_weights if id(w) in spared])
    outer = keras.optimizers.LossScaleOptimizer(made) if recipe.precision == "mixed_float16" else made
    outer.build(network.trainable_weights)
    if isinstance(made, keras.optimizers.RMSprop):  # as in TensorFlow's releases: first steps are not tenfold
        for average in (each for each in made.variables if each.path.endswith("velocity")):
            average.assign(keras.ops.ones(average.shape, average.dtype))
    return outer


def decayed(recipe: Recipe, network: keras.Model) -> list[keras.Variable]:
    """The trainable weights that decay under the recipe."""
    decays = DECAYED[recipe.decayed]
    return [w for layer in innermost(network) for w in layer.trainable_weights if decays(layer, w)]


def innermost(network: keras.Model) -> list[keras.layers.Layer]:
    """The layers of the network and of all nested models, each once."""
    return list({id(layer): layer for layer in main_logits.flat(network)}.values())
