"""What the tests of the gradient flow share."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from robust.core import registry
from robust.datasets.dataset import from_arrays
from robust.metrics.profile import gradient_flow
from robust.models.classifier import Classifier


def _sorted_out(values) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    of_all, of_layers = {}, {}
    for value in values:
        if value.subset:
            of_layers.setdefault(value.metric, {})[value.subset] = value.value
        else:
            of_all[value.metric] = value.value
    return of_all, of_layers


@pytest.fixture
def sorted_out() -> Callable[..., tuple[dict[str, float], dict[str, dict[str, float]]]]:
    """`sorted_out(values)`: {metric: value} of the whole network, {metric: {layer: value}} of its layers in order."""
    return _sorted_out


@pytest.fixture
def read() -> Callable[..., tuple[dict[str, float], dict[str, dict[str, float]]]]:
    """`read(network, **options)`: the flow through a network that is fed with N(0, 1), sorted out."""

    def look(network: keras.Model, **options: Any):
        shape = network.output_shape
        classes = (shape[0] if isinstance(shape, list) else shape)[-1]
        nothing = from_arrays(np.zeros((1, *network.input_shape[1:])), [0], classes=classes)
        return _sorted_out(gradient_flow(Classifier(network, classes), nothing, inputs="normal", **options))

    return look


@pytest.fixture
def built() -> Callable[..., keras.Model]:
    """`built(name, shape, seed, **options)`: one of our networks as it is initialised."""

    def build(name: str, shape=(28, 28, 1), seed=0, classes=10, **options: Any):
        keras.utils.set_random_seed(seed)
        return registry.resolve("architectures", name)(input_shape=shape, classes=classes, **options)

    return build
