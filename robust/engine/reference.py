"""What a model says of images that no case has touched: those it was trained on, those held out, those from outside."""

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
"""So many images of a split are looked at: means, clusters and a temperature hardly change with more."""

_CHUNK = 8  # batches that are held at a time


@dataclass(frozen=True)
class AnswersKey:
    """Everything that makes the answers to a split what they are.

    model: the identity of the network. asked: how it is asked. data: content, channels and code. takes: the channels
    that the model takes. code: of what asks, and of all that it imports.
    """

    model: str
    asked: tuple[object, ...]
    data: tuple[str, str, str]
    takes: int | None
    split: str
    code: str


def answers(fitted: Fitted, model: Model, data: Dataset, store: Store, split: str) -> Predictions:
    """The answers to the unperturbed images of a split, memory-mapped from the store; computed once a model.

    Raises DataError where the data has no such split.
    """
    if split not in data.sizes:
        what = f"data set {data.name!r} has no split {split!r}, which a measure asks for"
        raise DataError(f"{what}; give it one, as {{'{split}': (images, labels), ...}}, or leave the measure out")
    asked = (model.preprocessing, model.output, model.black_box)
    code = stores.code("robust.engine.reference")
    key = asdict(AnswersKey(fitted.identity, asked, data_key(data), fitted.takes, split, code))
    path = store.keep("answers", key, lambda out: save(look(fitted.classifier, fitted.seen(data), split), out))
    return Predictions(*(np.load(path / f"{name}.npy", mmap_mode="r") for name in Predictions._fields))


def save(found: Predictions, out: Path) -> None:
    """One array a file."""
    for name, values in found._asdict().items():
        np.save(out / f"{name}.npy", values)


def look(classifier: Classifier, data: Dataset, split: str) -> Predictions:
    """Ask the model about a split; the images are read in parts and not held. Without features D is 0."""
    labels = data.labels(split)  # of train as many of each class, as it is asked for what belongs to a class
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
    except ModelError:  # whoever needs them asks the result for its own and is told
        return np.zeros((len(images), 0), np.float32)


def restricted(known: Callable[[str], Predictions], kept: Sequence[int]) -> Callable[[str], Predictions]:
    """The answers of a model that is asked about some of its classes only, in the order of `kept`."""

    def some(split: str) -> Predictions:
        found = known(split)
        place = np.full(found.logits.shape[1], -1)
        place[list(kept)] = np.arange(len(kept))
        rows = np.flatnonzero(place[found.labels] >= 0)
        return Predictions(place[found.labels[rows]], found.logits[rows][:, list(kept)], found.features[rows])

    return some
