"""What a model costs."""

import math
from collections.abc import Iterator
from typing import Literal

from robust.classifier import Classifier
from robust.datasets.dataset import Dataset
from robust.trial import Value


def cost(classifier: Classifier, data: Dataset) -> Iterator[Value[Literal["parameters", "trainable_parameters"]]]:
    """Parameters: all of them, and those that training changes.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    >>> from robust.datasets.dataset import from_arrays
    >>> data = from_arrays([[[[0.0], [0.0]], [[0.0], [0.0]]]], [0], classes=3)
    >>> next(cost(Classifier(model, classes=3), data)).value
    15.0
    """
    model = classifier.model
    trainable = sum(math.prod(v.shape) for v in model.trainable_variables)
    yield Value("parameters", float(model.count_params()), 1, unit="parameters")
    yield Value("trainable_parameters", float(trainable), 1, unit="parameters")
