"""Put the page together: what the folder says, through the template, into one file."""

from pathlib import Path

import pandas as pd

from robust.core import files
from robust.core.types import NewTable
from robust.report import (
    charts,
    clusters,
    comparisons,
    confusion,
    corruptions,
    diagnostics,
    distances,
    felled,
    flows,
    gallery,
    gradients,
    grid,
    html,
    published_errors,
    reliability,
    structure,
    targetability,
    trainings,
    values,
    verdict,
    wording,
)
from robust.report.doubt import named
from robust.report.folder import Folder, read
from robust.results.flags import doubted

CELLS = 60_000  # of all confusion matrices together, so that the page opens at once


def write(path: Path) -> Path:
    """Draw `index.html` from the folder; see `robust.report.write`."""
    return files.write(path / "index.html", render(read(path)).encode("utf-8", "replace"))


def render(folder: Folder) -> str:
    """The page as text."""
    return html.render("page.html.j2", _context(folder))


def _context(folder: Folder) -> NewTable:
    judged = verdict.judgements(folder)
    listed = values.listed(folder.results)
    return {
        "about": folder.environment,
        "suite": folder.suite,
        "headline": verdict.headline(judged),
        "judgements": judged,
        "taken": verdict.taken(judged),
        "suspect": suspect(folder),
        "accuracy": grid.accuracy(folder, judged),
        "diagnostics": diagnostics.judged(folder),
        "comparisons": comparisons.comparisons(folder),
        "published": published_errors.beside(folder),
        "costs": grid.costs(folder),
        "sizes": grid.sizes(folder),
        "curves": charts.curves(folder),
        "corruptions": corruptions.sweeps(folder),
        "felled": felled.felled(folder),
        "distances": distances.distances(folder),
        "targetability": targetability.targetability(folder),
        "gradients": gradients.profiles(folder),
        "confusions": confusions(folder),
        "structure": structure.table(folder, structure.STRUCTURE),
        "flows": flows.flows(folder),
        "clusters": clusters.clusters(folder),
        "calibration": structure.table(folder, structure.CALIBRATION),
        "outliers": structure.outliers(folder),
        "reliability": reliability.reliability(folder),
        "trainings": trainings.trainings(folder),
        "galleries": gallery.galleries(folder),
        "wording": wording,
        "enlarged": enlarged(folder.environment["data"]["image_shape"]),
        "columns": values.columns(listed),
        "values": values.rows(listed),
        "left_out": len(folder.results) - len(listed),
    }


def suspect(folder: Folder) -> list[dict[str, str]]:
    """The cells whose number the reliability checks doubt."""
    return [
        {"place": f"{folder.name(run)} on {wording.title(condition)}", "reliability": word}
        for (run, condition), rows in folder.values.items()
        for word in rows["reliability"].unique()
        if doubted(word)
    ]


def confusions(folder: Folder) -> dict[str, list[NewTable]]:
    """For each model its matrices and worst pairs; no matrix where the classes or the cells are too many."""
    cards: dict[str, list[NewTable]] = {}
    cells = 0
    for one in confusion.confusions(folder):
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


def pooled(folder: Folder, one: confusion.Confusion) -> list[pd.DataFrame]:
    """The rows of results.csv of the trainings whose answers were added up."""
    return [rows for (run, where), rows in folder.values.items() if (run.model, where) == (one.model, one.condition)]


def enlarged(shape: list[int]) -> int:
    """How wide a picture is shown, in pixels of the page: small images in whole steps."""
    side = max(shape[:2])
    return shape[1] * max(1, round(84 / side)) if side <= gallery.SMALL else 128
