"""Cases with several corruptions: the error of each model under each of them at each severity, with pictures."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image

from robust.core.catalogue import common_corruptions
from robust.core.declared import section
from robust.report import gallery, wording
from robust.report.folder import Folder
from robust.report.reliability_marks import named
from robust.results.summaries.corruption_error import ABSENT, ON_THE_FLY

THUMBNAIL = 96  # pixels of a side to which larger images are shrunk
_TOTALS = {
    "mean_corruption_error": "mean of the {n} common corruptions",
    "corruption_error_ratio": "over the baseline's",
    "relative_error_increase": "increase by corruption, over the baseline's",
    "mce": "mCE",
    "relative_mce": "relative mCE",
}

Pictures = Mapping[tuple[str, int | None], np.ndarray]
"""An image under each corruption, by its name and severity."""


@dataclass(frozen=True)
class Square:
    """One corruption at one severity: an example of it, and of each model the error and its interval."""

    picture: str
    severity: str
    errors: list[tuple[str, str, str]]


@dataclass(frozen=True)
class Line:
    """One corruption: its squares, and of each model the mean error and that error over the baseline's."""

    name: str
    common: bool
    squares: list[Square]
    means: list[tuple[str, str, str]]


@dataclass(frozen=True)
class Sweep:
    """One case: the summary of each model, and the lines."""

    case: str
    totals: list[tuple[str, list[str]]]
    heads: list[str]
    lines: list[Line]
    small: bool


@section(title="Corruptions", after="curves")
def corruptions(folder: Folder) -> list[Sweep]:
    """One for each case with several corruptions."""
    return [_sweep(folder, case) for case in folder.sweeps]


def _sweep(folder: Folder, case: str) -> Sweep:
    rows = folder.results[folder.results["case"] == case]
    corrupted, summed = rows[rows["severity"].notna()], rows[rows["perturbation"] == ON_THE_FLY]
    common = [*common_corruptions()]
    names = sorted(corrupted["perturbation"].unique(), key=lambda n: (n not in common, [*common, n].index(n), n))
    errors = corrupted[(corrupted["metric"] == "top1_error") & (corrupted["subset"] == "")]
    counted = sum(name in common for name in names)
    heads = [metric for metric in _TOTALS if metric in set(summed["metric"])]
    samples = {(c.perturbation, c.severity): path for (_, c), path in folder.samples.items() if c.case == case}
    pictures = {place: gallery.read(path).perturbed[0] for place, path in samples.items()}
    return Sweep(
        case,
        [(name, [_total(of, metric) for metric in heads]) for name, of in _by_model(folder, summed)],
        [_TOTALS[metric].format(n=counted) for metric in heads],
        [_line(folder, name, errors, summed, pictures) for name in names],
        max(folder.environment["data"]["image_shape"][:2]) <= gallery.SMALL,
    )


def _by_model(folder: Folder, rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    found = [(folder.name(run), rows[(rows["model"] == run.model) & (rows["seed"] == run.seed)]) for run in folder.runs]
    return [(named(name, of), of) for name, of in found if len(of)]


def _total(rows: pd.DataFrame, metric: str, group: str = "") -> str:
    found = rows[(rows["metric"] == metric) & (rows["subset"] == group)].to_dict("records")
    if not found:
        return "–"
    if found[0]["ci_method"].startswith(ABSENT):
        return f"– ({found[0]['ci_method']})"
    value = wording.quantity(found[0]["value"], found[0]["unit"])
    between = wording.interval(found[0]["ci_low"], found[0]["ci_high"], found[0]["unit"])
    return f"{value} ({between})" if between else value


def _line(folder: Folder, name: str, errors: pd.DataFrame, summed: pd.DataFrame, pictures: Pictures) -> Line:
    own = errors[errors["perturbation"] == name]
    severities = sorted(own["severity"].unique().tolist())
    return Line(
        name.replace("_", " "),
        name in common_corruptions(),
        [_square(folder, own[own["severity"] == s], pictures.get((name, s))) for s in severities],
        [
            (model, _total(of, "corruption_error", name), _total(of, "corruption_error_ratio", name))
            for model, of in _by_model(folder, summed)
        ],
    )


def _square(folder: Folder, rows: pd.DataFrame, picture: np.ndarray | None) -> Square:
    firsts = [(model, of.iloc[0]) for model, of in _by_model(folder, rows)]
    errors = [
        (m, wording.percent(r["value"]), wording.interval(r["ci_low"], r["ci_high"], "proportion")) for m, r in firsts
    ]
    return Square("" if picture is None else thumbnail(picture), str(rows["severity"].iloc[0]), errors)


def thumbnail(image: np.ndarray) -> str:
    """An image as a data: URI; shrunk where it is large, for there are many."""
    levels = gallery.pixels(image)
    if max(levels.shape[:2]) > THUMBNAIL:
        picture = Image.fromarray(levels[..., 0] if levels.shape[-1] == 1 else levels)
        picture.thumbnail((THUMBNAIL, THUMBNAIL))
        levels = np.asarray(picture).reshape(picture.height, picture.width, -1)
    return gallery.png(levels)
