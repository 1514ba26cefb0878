"""A model that is ready to be evaluated."""

from collections.abc import Callable
from dataclasses import dataclass

from robust.core.types import Table
from robust.datasets import channels
from robust.datasets.dataset import Dataset
from robust.models.classifier import Classifier
from robust.results.evaluation import Predictions


@dataclass(frozen=True)
class Fitted:
    """A model ready to be asked: what identifies it, the classifier, what the page says of it, how many channels it
    takes, see `robust.models.classifier.inputs.channels`."""

    identity: str
    classifier: Classifier
    about: Table
    answers: Callable[[str], Predictions] | None = None  # what it says of a split of the data it was made for
    takes: int | None = None

    def seen(self, data: Dataset) -> Dataset:
        """The data with as many channels as the model takes; ModelError where others were asked for."""
        return channels.seen(data, self.takes, f"model {self.classifier.model.name}")
