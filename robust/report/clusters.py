"""Clusters within each class: how well each is recognised, with a few of its images."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from robust.core import archives, csv_files
from robust.core.declared import section
from robust.core.errors import ReportError
from robust.report import wording
from robust.report.conditions import Condition, TrainedModel
from robust.report.folder import Folder
from robust.report.gallery import pixels, png, range_fault, shape_fault
from robust.report.reliability_marks import named

MOST = 30  # clusters of one model and condition, the worst first
_WORDS = ("model", "case", "perturbation", "norm", "metric", "subset", "example", "file")


@dataclass(frozen=True)
class Picture:
    """One image of a cluster, and the class that the model predicts."""

    source: str
    predicted: str
    right: bool


@dataclass(frozen=True)
class Cluster:
    """A cluster of one class, its recall, its number of images, and some of them."""

    name: str
    value: str
    interval: str
    n: str
    pictures: list[Picture]


@dataclass(frozen=True)
class Card:
    """The clusters of one model under one condition, the worst first; `left_out` of them are not shown."""

    title: str
    clusters: list[Cluster]
    left_out: int


@section(title="Clusters", after="flows")
def clusters(folder: Folder) -> list[Card]:
    """One for every cell whose classes were clustered; for a model with several trainings, of the first one."""
    shown = _shown(folder.path / "samples" / "shown.csv")
    firsts = {run.model: run for run in reversed(folder.runs)}
    found = []
    for (run, condition), rows in folder.values.items():
        own = rows[rows["metric"] == "cluster_recall"].sort_values("value", kind="stable")
        if len(own) and run == firsts[run.model]:
            listed = _listed(folder, run, condition, own.head(MOST), shown)
            title = named(f"{folder.name(run)}, {wording.title(condition)}", rows)
            found.append(Card(title, listed, len(own) - len(listed)))
    return found


def _listed(
    folder: Folder, run: TrainedModel, condition: Condition, rows: pd.DataFrame, shown: pd.DataFrame
) -> list[Cluster]:
    strength = {"eps": condition.eps, "severity": condition.severity}
    here = shown[(shown["model"] == run.model) & (shown["seed"] == run.seed) & (shown["case"] == condition.case)]
    here = here[(here["perturbation"] == condition.perturbation) & (here["norm"] == condition.norm)]
    for key, value in strength.items():
        here = here[here[key].isna() if value is None else np.isclose(here[key], value, rtol=1e-6)]
    images = _images(folder.path / "samples" / here["file"].iloc[0]) if len(here) else {}
    outcomes = folder.outcomes.get((run, condition), pd.DataFrame({"example": []}))
    predictions = outcomes[outcomes["example"].isin(images.keys())].set_index("example")
    found = []
    for row in rows.to_dict("records"):
        named = here.loc[(here["metric"] == row["metric"]) & (here["subset"] == row["subset"]), "example"]
        pictures = [
            _picture(name, images, predictions) for name in named if name in images and name in predictions.index
        ]
        interval = wording.interval(row["ci_low"], row["ci_high"], row["unit"])
        found.append(Cluster(row["subset"], wording.percent(row["value"]), interval, str(row["n"]), pictures))
    return found


def _picture(name: str, images: dict[str, np.ndarray], predictions: pd.DataFrame) -> Picture:
    predicted, label = (str(predictions.at[name, column]) for column in ("predicted", "label"))
    return Picture(png(pixels(images[name])), predicted, predicted == label)


def _shown(path: Path) -> pd.DataFrame:
    if not path.is_file():
        return pd.DataFrame(columns=[*_WORDS, "seed", "eps", "severity"])
    try:
        words: dict = dict.fromkeys(_WORDS, str)
        found = csv_files.read(path, dtype=words, keep_default_na=False, na_values={"eps": [""], "severity": [""]})
        if unsafe := [name for name in found["file"].unique() if Path(name).name != name]:
            raise ReportError(f"{path}: file {unsafe[0]!r} must be the name of a file in the same folder")
        return found[[*_WORDS, "seed", "eps", "severity"]]
    except (ValueError, KeyError) as error:
        raise ReportError(f"{path}: is damaged ({error}); `robust run` makes it") from error


def _images(path: Path) -> dict[str, np.ndarray]:
    try:
        with archives.arrays(path) as arrays:
            images = arrays["perturbed"]
            if fault := shape_fault("perturbed", images) or range_fault("perturbed", images):
                raise ValueError(fault)
            return dict(zip(arrays["ids"].tolist(), images, strict=True))
    except Exception as error:  # a damaged archive fails in many ways
        raise ReportError(f"{path}: is damaged ({error}); `robust run` makes it") from error
