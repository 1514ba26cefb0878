"""What a model costs, counted from its graph."""

import math
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from robust.core.declared import profile
from robust.datasets.dataset import Dataset
from robust.models.classifier import Classifier
from robust.models.classifier.black_box import BlackBox
from robust.models.layer_table import has_graph, layer_table, sized, totals
from robust.results.evaluation import Value


@profile(
    names=(
        "parameters", "trainable_parameters", "weights_size", "macs", "depth", "weighted_activations",
        "forward_activations", "forward_memory", "training_activations", "training_memory", "uncounted_layers",
    ),
    dynamic=("uncounted_layers",),
    table="cost",
    headings={
        "parameters": "parameters", "macs": "MACs", "depth": "depth", "forward_memory": "memory, forward",
        "training_memory": "memory, training", "weights_size": "weights",
    },
)  # fmt: skip
def cost(classifier: Classifier, data: Dataset) -> Iterator[Value]:
    """Parameters, multiply-accumulates, activations and their memory, size and depth, for one image.

    - parameters, trainable_parameters: all of them as papers count, frozen ones included and no statistics or
      constants of a normalisation (see `robust.models.parameters`), and those that training changes.
    - weights_size: bytes of all weights as they are stored, BatchNorm's statistics included; a .keras file adds
      some kilobytes of description.
    - macs: multiply-accumulates of convolutions and dense layers; biases, pools and the like count 0.
    - depth: convolutions and dense layers on the longest path, as papers count; a squeeze-and-excitation
      gate is on that path.
    - weighted_activations: values that convolutions and dense layers output.
    - forward_activations, forward_memory: values, and bytes as float32, with BatchNorm, activations, dropout,
      padding and reshaping in place: the input and the outputs of convolutions, dense layers, pools,
      concatenations, sums and products.
    - training_activations, training_memory: every output is kept for the backward pass, auxiliary heads included.
    - uncounted_layers: how many layers were counted as 0 macs because their kind is not known; one value a
      kind, and one for all of them.

    All but training_* are of the model as it is evaluated: without auxiliary heads and softmax. Of a
    model without a graph of layers (a subclassed one) only the first three can be given, of a black box the first
    at most.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    >>> from robust.datasets.dataset import from_arrays
    >>> data = from_arrays([[[[0.0], [0.0]], [[0.0], [0.0]]]], [0], classes=3)
    >>> {value.metric: value.value for value in cost(Classifier(model, classes=3), data)}["macs"]
    12.0
    """
    yield from _weights(classifier)
    if not has_graph(classifier.model):
        return
    table = layer_table(sized(classifier.model, data.image_shape))
    evaluated, trained = totals(table), totals(layer_table(sized(classifier.network, data.image_shape)))
    yield Value("macs", float(evaluated["macs"]), 1, unit="MACs")
    yield Value("depth", float(evaluated["depth"]), 1, unit="layers")
    yield Value("weighted_activations", float(evaluated["weighted"]), 1, unit="values")
    yield Value("forward_activations", float(evaluated["forward"]), 1, unit="values")
    yield Value("forward_memory", float(np.dtype(np.float32).itemsize * evaluated["forward"]), 1, unit="bytes")
    yield Value("training_activations", float(trained["training"]), 1, unit="values")
    yield Value("training_memory", float(np.dtype(np.float32).itemsize * trained["training"]), 1, unit="bytes")
    yield Value("uncounted_layers", float(evaluated["uncounted"]), 1, unit="layers")
    for kind, uses in table.loc[table["macs"].isna(), "kind"].value_counts(sort=False).items():
        yield Value("uncounted_layers", float(uses), 1, str(kind), unit="layers")


def _weights(classifier: Classifier) -> Iterator[Value]:
    if classifier.parameters is not None:
        yield Value("parameters", float(classifier.parameters), 1, unit="parameters")
    if isinstance(model := classifier.model, BlackBox):
        return
    trainable = sum(math.prod(v.shape) for v in model.trainable_variables)
    size = sum(math.prod(v.shape) * tf.as_dtype(v.dtype).size for v in model.weights)
    yield Value("trainable_parameters", float(trainable), 1, unit="parameters")
    yield Value("weights_size", float(size), 1, unit="bytes")
