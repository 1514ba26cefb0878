"""Confusion matrices, counted from the outcomes, pooled over the seeds of a model."""

from dataclasses import dataclass

import pandas as pd

from robust.core import statistics
from robust.report.conditions import Condition, TrainedModel
from robust.report.folder import Folder


@dataclass(frozen=True)
class Confusion:
    """The confusion matrix of one model under one condition, as a list of its cells that are not zero.

    `counts` has a row for each pair of label and predicted class: how many `times` it occurred, and that as a
    share of all images with the label; `trainings`: over how many trainings the predictions were added up.
    """

    model: str
    condition: Condition
    counts: pd.DataFrame
    trainings: int

    @property
    def images(self) -> int:
        """How many images were evaluated, each once for every training."""
        return int(self.counts["times"].sum())

    @property
    def right(self) -> int:
        """How many of them were classified correctly."""
        return int(self.counts.loc[self.counts["label"] == self.counts["predicted"], "times"].sum())

    def worst(self, most: int) -> pd.DataFrame:
        """The pairs of classes that are confused most often."""
        wrong = self.counts[self.counts["label"] != self.counts["predicted"]]
        return wrong.sort_values(["times", "share"], ascending=False, kind="stable").head(most)


def confusions(folder: Folder) -> list[Confusion]:
    """The confusion of every model under every condition with evaluated predictions, in the order of the suite."""
    cells = [
        (model, condition, *_outcomes(folder, model, condition))
        for model in dict.fromkeys(run.model for run in folder.runs)
        for condition in folder.conditions
    ]
    return [Confusion(m, c, _count(rows, folder.classes), times) for m, c, rows, times in cells if len(rows)]


def _outcomes(folder: Folder, model: str, condition: Condition) -> tuple[pd.DataFrame, int]:
    keys = [(run, condition) for run in folder.runs if run.model == model and measured(folder, run, condition)]
    found = [folder.outcomes[key] for key in keys if key in folder.outcomes]
    return (pd.concat(found) if found else pd.DataFrame()), len(found)


def measured(folder: Folder, run: TrainedModel, condition: Condition) -> bool:
    """Was a share of the images counted? A case that only profiles the model has no predictions.

    A targeted attack, or a search for the nearest other class, is excluded: it has its own section.
    """
    rows = folder.values.get((run, condition))
    if rows is None or rows["metric"].isin(["sent", "censored"]).any():
        return False
    return bool((rows["ci_method"] == statistics.EXACT).any())


def _count(outcomes: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
    counts = outcomes.groupby(["label", "predicted"]).size().rename("times").reset_index()
    counts["share"] = counts["times"] / counts.groupby("label")["times"].transform("sum")
    order = {name: place for place, name in enumerate(classes)}
    places = counts[["label", "predicted"]].apply(lambda names: names.map(order))
    return counts.loc[places.sort_values(["label", "predicted"], kind="stable").index].reset_index(drop=True)
