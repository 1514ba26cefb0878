"""Confusion matrices as the page shows them: a chart of each, where they are few, and the worst pairs."""

import pandas as pd

from robust.core.declared import section
from robust.core.types import NewTable
from robust.report import charts, wording
from robust.report import confusion as counted
from robust.report.folder import Folder
from robust.report.reliability_marks import named

CELLS = 60_000  # of all confusion matrices together, so that the page opens quickly


@section(title="Confusion", after="gradients")
def confusion(folder: Folder) -> dict[str, list[NewTable]]:
    """For each model its matrices and worst pairs; no matrix where the classes or the cells are too many."""
    cards: dict[str, list[NewTable]] = {}
    cells = 0
    for one in counted.confusions(folder):
        cells += len(one.counts)
        drawn = len(folder.classes) <= charts.DRAWN and cells <= CELLS
        card = {
            "title": named(wording.title(one.condition), *pooled(folder, one)),
            "right": one.right,
            "images": one.images,
            "trainings": one.trainings,
            "chart": charts.matrix(one, folder.classes) if drawn else None,
            "pairs": one.worst(3 if drawn else 10).to_dict("records"),
        }
        cards.setdefault(one.model, []).append(card)
    return cards


def pooled(folder: Folder, one: counted.Confusion) -> list[pd.DataFrame]:
    """The rows of results.csv of the trainings whose predictions were added up."""
    return [rows for (run, where), rows in folder.values.items() if (run.model, where) == (one.model, one.condition)]
