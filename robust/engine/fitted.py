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
    """A model ready to be evaluated.

    identity: what identifies it. about: what the page reports about it. predictions: those on a split of the suite's
    data. takes: how many channels it takes, see `robust.models.classifier.inputs.channels`.
    """

    identity: str
    classifier: Classifier
    about: Table
    predictions: Callable[[str], Predictions] | None = None
    takes: int | None = None

    def with_model_channels(self, data: Dataset) -> Dataset:
        """The data with as many channels as the model takes; ModelError where the data requests other channels."""
        return channels.for_model(data, self.takes, f"model {self.classifier.model.name}")
