"""Gradient flow: the gradients at each layer of a network in one backward pass."""

import math
from collections.abc import Iterator
from typing import Literal

import numpy as np
import tensorflow as tf

from robust.core.declared import profile
from robust.core.types import Count, Positive, Seed
from robust.datasets.dataset import Dataset
from robust.metrics.profile.gradients import Flow, Layer, flow
from robust.models.classifier import Classifier
from robust.results.evaluation import Value

RATIO = 1e3
"""How many times larger or smaller a gradient may be in the first layer than in the last."""

FLOOR = 1e-7
"""The least norm of a gradient by weights: where all of them are small, their ratios are meaningless."""

LOSS = 10
"""The most that the loss may be, in units of ln(classes), the loss of a uniform prediction."""


@profile(
    names=(
        "healthy", "vanishing", "exploding", "probe_loss", "output_gradient_ratio", "weight_gradient_ratio", "step",
        "weight_gradient", "update_ratio", "dead", "saturated",
    ),
    dynamic=(
        "weight_gradient", "output_gradient", "activation_std", "update_ratio", "dead", "saturated",
    ),
    shares=("dead", "saturated"),
)  # fmt: skip
def gradient_flow(
    classifier: Classifier,
    data: Dataset,
    *,
    images: Count = 64,
    inputs: Literal["data", "normal"] = "data",
    seed: Seed = 0,
    learning_rate: Positive = 0.01,
    clip_norm: Positive | None = None,
) -> Iterator[Value]:
    """Gradients, layer by layer, and whether they vanish or explode (Glorot & Bengio, AISTATS 2010).

    One batch goes forward as in training (batch statistics, dropout) and its mean cross-entropy L backward;
    the network is not changed. Every further output is an auxiliary head whose loss is added 0.3 times.
    In subset NAME, for each layer with weights W of two axes or more, in order:

        weight_gradient  ||dL/dW||
        output_gradient  ||dL/dh||, where h is the output of the layer's activation (BatchNorm or the
                         sum with a shortcut may come before it); without an activation, that output itself
        activation_std   standard deviation of h
        dead             of a ReLU: units that are 0 for every image; a unit of a convolution is a map
        saturated        of a tanh: values with |h| > .97; of a sigmoid: values outside (.03, .97)
        update_ratio     ||step|| / ||W|| of one step of gradient descent, about 1e-3 in a network that learns well

    Of the network as a whole, in subset "":

        vanishing        1 where output_gradient_ratio < 1e-3 or any weight_gradient < 1e-7, else 0
        exploding        1 where output_gradient_ratio or weight_gradient_ratio > 1e3, the loss > 10 ln(classes),
                         or anything is not finite, else 0
        healthy          1 where both are 0, else 0
        output_gradient_ratio, weight_gradient_ratio
                         first layer over last one, on the way to the main logits. In ReLU networks the second
                         stays near 1 even where gradients vanish: backward and forward shrinking cancel
        weight_gradient  the norm of the gradient by all trainable weights
        step             the norm of the step: learning_rate * min(weight_gradient, clip_norm)
        update_ratio     the largest of all layers; dead and saturated are of all units and values
        probe_loss       the loss of the main logits, in nats

    Args:
        images: how many are in the batch.
        inputs: "data" takes the first ones of each class, from the training split where there is one;
            "normal" draws every input from N(0, 1) and the labels at random, passed to the network as they are.
        seed: of what is drawn, dropout included.
        learning_rate: of the step.
        clip_norm: the step's gradient is shortened to this norm over all weights (Pascanu, Mikolov & Bengio,
            ICML 2013); None leaves it as it is. Whether it vanishes or explodes is judged before that.

    Raises ModelError for a model whose layers are not accessible, DataError where there are fewer images.

    >>> from robust.models.architectures.mlp import mlp
    >>> from robust.datasets.dataset import from_arrays
    >>> data = from_arrays(np.zeros([1, 28, 28], "uint8"), [0], classes=10)
    >>> deep = Classifier(mlp(depth=20, activation="sigmoid", initializer="glorot"), classes=10)
    >>> {v.metric: v.value for v in gradient_flow(deep, data, inputs="normal")}["vanishing"]
    1.0
    """
    batch, labels = probe(classifier, data, images, inputs, seed)
    found = flow(classifier, batch, labels, seed)
    rate = learning_rate * (1.0 if clip_norm is None else clip_norm / max(clip_norm, found.norm))
    yield from _of_all(found, len(data.classes), rate, images)
    for layer in (*found.main, *found.heads):
        yield from _of_layer(layer, rate, images)


def probe(classifier: Classifier, data: Dataset, images: int, inputs: str, seed: int) -> tuple[tf.Tensor, np.ndarray]:
    """A batch [N, H, W, C] in the pixel range of the network, and its labels."""
    if inputs == "data":
        examples = data.examples("train" if "train" in data.sizes else "test", images)
        return classifier.inputs(tf.constant(examples.images, classifier.dtype)), examples.labels
    random = np.random.default_rng(seed)
    noise = random.standard_normal((images, *data.image_shape))
    return tf.constant(noise, classifier.dtype), random.integers(0, len(data.classes), images)


def _of_all(found: Flow, classes: int, rate: float, n: int) -> Iterator[Value]:
    layers = [*found.main, *found.heads]
    vanishing, exploding = pathologies(found, classes)
    yield Value("healthy", float(not (vanishing or exploding)), n, unit="")
    yield Value("vanishing", float(vanishing), n, unit="")
    yield Value("exploding", float(exploding), n, unit="")
    yield Value("output_gradient_ratio", ratio([layer.by_output for layer in found.main]), n, unit="")
    yield Value("weight_gradient_ratio", ratio([layer.by_weights for layer in found.main]), n, unit="")
    yield Value("probe_loss", found.loss, n, unit="nats")
    yield Value("weight_gradient", found.norm, n, unit="")
    yield Value("step", rate * found.norm, n, unit="")
    yield Value("update_ratio", float(np.max([_update(layer, rate) for layer in layers])), n, unit="")
    for metric in ("dead", "saturated"):
        by_output = {layer.output: layer for layer in layers if layer.units and _silent_metric(layer) == metric}
        if by_output:
            units = sum(layer.units for layer in by_output.values())
            yield Value(metric, sum(layer.silent * layer.units for layer in by_output.values()) / units, n)


def pathologies(found: Flow, classes: int) -> tuple[bool, bool]:
    """Does the gradient vanish, does it explode? It is healthy where it does neither."""
    outputs = [layer.by_output for layer in found.main]
    weights = [layer.by_weights for layer in found.main]
    numbers = [*outputs, *weights, *(layer.deviation for layer in found.main), found.loss, found.norm]
    vanishing = ratio(outputs) < 1 / RATIO or min(weights) < FLOOR
    large = any(r > RATIO for r in (ratio(outputs), ratio(weights))) or found.loss > LOSS * math.log(classes)
    return vanishing, large or not np.isfinite(numbers).all()


def ratio(norms: list[float]) -> float:
    """The first over the last; NaN where both are 0.

    >>> ratio([2.0, 7.0, 4.0])
    0.5
    """
    if norms[-1] == 0:
        return math.inf if norms[0] else math.nan
    return norms[0] / norms[-1]


def _of_layer(layer: Layer, rate: float, n: int) -> Iterator[Value]:
    yield Value("weight_gradient", layer.by_weights, n, layer.name, "")
    yield Value("output_gradient", layer.by_output, n, layer.name, "")
    yield Value("activation_std", layer.deviation, n, layer.name, "")
    yield Value("update_ratio", _update(layer, rate), n, layer.name, "")
    if layer.units:
        yield Value(_silent_metric(layer), layer.silent, n, layer.name)


def _silent_metric(layer: Layer) -> Literal["dead", "saturated"]:
    return "dead" if layer.activation == "relu" else "saturated"


def _update(layer: Layer, rate: float) -> float:
    return rate * layer.by_weights / layer.weights if layer.weights else math.inf
