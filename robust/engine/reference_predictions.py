"""Predictions of a model on unperturbed images: those it was trained on, those held out, those from outside."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from robust.core import store as stores
from robust.core.errors import DataError, ModelError
from robust.core.store import Store
from robust.datasets.dataset import Dataset, data_key
from robust.engine.fitted import Fitted
from robust.models.classifier import Classifier
from robust.models.features import features
from robust.results.evaluation import Predictions
from robust.suite import Model

MOST = 20_000
"""At most this many images of a split are used: means, clusters and a temperature hardly change with more."""

_CHUNK = 8  # batches in memory at a time


@dataclass(frozen=True)
class PredictionsKey:
    """Everything that makes the predictions on a split what they are.

    model: the identity of the network. how: how it is evaluated. data: content, channels and code. takes: the channels
    that the model takes. code: of the evaluation, and of all that it imports.
    """

    model: str
    how: tuple[object, ...]
    data: tuple[str, str, str]
    takes: int | None
    split: str
    code: str


def predictions(fitted: Fitted, model: Model, data: Dataset, store: Store, split: str) -> Predictions:
    """The predictions on the unperturbed images of a split, memory-mapped from the store; computed once per model.

    Raises DataError where the data has no such split.
    """
    if split not in data.sizes:
        what = f"data set {data.name!r} has no split {split!r}, which a metric needs"
        raise DataError(f"{what}; add it, as {{'{split}': (images, labels), ...}}, or leave the metric out")
    how = (model.preprocessing, model.output, model.black_box)
    code = stores.code("robust.engine.reference_predictions")
    key = asdict(PredictionsKey(fitted.identity, how, data_key(data), fitted.takes, split, code))
    path = store.get_or_make(
        "answers", key, lambda out: save(predict(fitted.classifier, fitted.with_model_channels(data), split), out)
    )
    return Predictions(*(np.load(path / f"{name}.npy", mmap_mode="r") for name in Predictions._fields))


def save(found: Predictions, out: Path) -> None:
    """One file per array."""
    for name, values in found._asdict().items():
        np.save(out / f"{name}.npy", values)


def predict(classifier: Classifier, data: Dataset, split: str) -> Predictions:
    """Evaluate the model on a split; the images are read in parts and not kept. Without features D is 0."""
    labels = data.labels(split)  # train is balanced, as it is used for statistics of classes
    chosen = data.choose(split, min(MOST, len(labels)), balanced=split == "train")
    logits, found, begin, size = [], [], 0, _CHUNK * classifier.batch_size
    for images, _, _ in data.split(split).batch(size).as_numpy_iterator():
        images = images[chosen[begin : begin + size]]
        begin += size
        if len(images):
            logits.append(classifier.logits(images))
            found.append(_features(classifier, images))
    return Predictions(labels[chosen], np.concatenate(logits), np.concatenate(found))


def _features(classifier: Classifier, images: np.ndarray) -> np.ndarray:
    try:
        return features(classifier, images)
    except ModelError:  # a metric that needs them gets this error from the result
        return np.zeros((len(images), 0), np.float32)


def restricted(known: Callable[[str], Predictions], kept: Sequence[int]) -> Callable[[str], Predictions]:
    """The predictions of a model that is restricted to some of its classes, in the order of `kept`."""

    def restricted_to_kept(split: str) -> Predictions:
        found = known(split)
        place = np.full(found.logits.shape[1], -1)
        place[list(kept)] = np.arange(len(kept))
        rows = np.flatnonzero(place[found.labels] >= 0)
        return Predictions(place[found.labels[rows]], found.logits[rows][:, list(kept)], found.features[rows])

    return restricted_to_kept
