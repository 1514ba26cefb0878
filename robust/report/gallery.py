"""The pictures: original, perturbation and result, for the same examples everywhere."""

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from robust.core import archives
from robust.core.declared import section
from robust.core.errors import ReportError
from robust.core.types import NewRow
from robust.report.conditions import Condition, TrainedModel
from robust.report.folder import Folder

SMALL = 64  # images up to this side are enlarged in whole steps, pixel by pixel
_STRONGEST = 10**9
EXAMPLES = {True: 10, False: 3}  # the number shown, of small images and of large ones


@dataclass(frozen=True)
class Prediction:
    """The prediction of a model for an image."""

    predicted: str
    confidence: str
    right: bool
    target: str


@dataclass(frozen=True)
class Shot:
    """One example under one condition; `prediction` is None where the outcomes do not have it."""

    difference: str
    perturbed: str
    unchanged: bool
    prediction: Prediction | None


@dataclass(frozen=True)
class Example:
    """One example: its original picture and a shot for each condition, None where none was kept."""

    id: str
    label: str
    original: str
    prediction: Prediction | None
    shots: list[Shot | None]


@dataclass(frozen=True)
class Gallery:
    """The examples of one model. `heads` has the conditions and how much their change is amplified."""

    model: str
    heads: list[tuple[Condition, int]]
    examples: list[Example]


@dataclass(frozen=True)
class _Sample:
    """The arrays of one file; images are float32 [k, H, W, C] in [0, 1]."""

    ids: list[str]
    targets: list[str]
    original: np.ndarray
    perturbed: np.ndarray
    factor: int


Samples = dict[tuple[TrainedModel, Condition], _Sample]
"""Of each model and condition."""


@section(title="Pictures", after="trainings")
def pictures(folder: Folder) -> list[Gallery]:
    """A gallery for each model that has samples, all of the same examples, the first ones.

    Of a model whose cases have several sets of data one for each: there an example of the same id is another image.
    """
    shown = [cell for cell in folder.samples if not cell[1].clean and cell[1].case not in folder.sweeps]
    samples = {cell: read(folder.samples[cell]) for cell in shown}
    sets = list(dict.fromkeys(folder.data_of(*cell) for cell in shown))
    found = [gallery for data in sets for gallery in _of_data(folder, data, samples, several=len(sets) > 1)]
    return [gallery for gallery in found if gallery.examples]


def _of_data(folder: Folder, data: str, samples: Samples, *, several: bool) -> Iterator[Gallery]:
    own = {cell: sample for cell, sample in samples.items() if folder.data_of(*cell) == data}
    ids = list(dict.fromkeys(name for sample in own.values() for name in sample.ids))
    small = all(max(sample.original.shape[1:3]) <= SMALL for sample in own.values())
    for run in folder.runs:
        name = f"{folder.name(run)}, {data}" if several else folder.name(run)
        yield _gallery(folder, run, name, own, ids[: EXAMPLES[small]])


def _gallery(folder: Folder, run: TrainedModel, name: str, samples: Samples, ids: list[str]) -> Gallery:
    own = {c: samples[run, c] for c in _ordered(folder, run, samples)}
    predictions = {c: _predictions(folder, run, c, ids, sample) for c, sample in own.items()}
    before: NewRow = {}
    for clean in folder.clean_of_same_data(run, next(iter(own))) if own else ():
        before = {**_predictions(folder, run, clean, ids), **before}  # a case may show some of the images only
    heads = [(condition, sample.factor) for condition, sample in own.items()]
    shown = [name for name in ids if any(name in sample.ids for sample in own.values())]
    return Gallery(name, heads, [_example(name, own, before, predictions) for name in shown])


def _ordered(folder: Folder, run: TrainedModel, samples: Samples) -> list[Condition]:
    kept = [condition for other, condition in samples if other == run]
    order = {condition: place for place, condition in enumerate(folder.conditions)}
    return sorted(kept, key=lambda condition: order.get(condition, len(order)))


def _predictions(
    folder: Folder, run: TrainedModel, condition: Condition, ids: list[str], sample: _Sample | None = None
) -> NewRow:
    """The outcomes of these examples; where they were attacked with many targets, those of the target that is shown."""
    rows = folder.outcomes.get((run, condition), pd.DataFrame({"example": []}))
    found = rows[rows["example"].isin(ids)].to_dict("records")
    shown = dict(zip(sample.ids, sample.targets, strict=True)) if sample else {}
    return {row["example"]: row for row in sorted(found, key=lambda row: shown.get(row["example"]) == row["target"])}


def _example(name: str, own: dict, before: NewRow, predictions: dict[Condition, NewRow]) -> Example:
    sample = next(sample for sample in own.values() if name in sample.ids)
    outcomes = [before.get(name), *(predictions[c].get(name) for c in own)]
    return Example(
        name,
        next((row["label"] for row in outcomes if row), ""),
        png(pixels(sample.original[sample.ids.index(name)])),
        _prediction(outcomes[0]),
        [_shot(sample, name, row) for sample, row in zip(own.values(), outcomes[1:], strict=True)],
    )


def _prediction(row: NewRow | None) -> Prediction | None:
    if row is None:
        return None
    right = row["predicted"] == row["label"]
    return Prediction(row["predicted"], f"{100 * row['confidence']:.0f} %", right, row["target"])


def _shot(sample: _Sample, name: str, row: NewRow | None) -> Shot | None:
    if name not in sample.ids:
        return None
    place = sample.ids.index(name)
    original, perturbed = sample.original[place], sample.perturbed[place]
    change = png(difference(original, perturbed, sample.factor))
    return Shot(change, png(pixels(perturbed)), bool((original == perturbed).all()), _prediction(row))


def read(path: Path) -> _Sample:
    """The arrays of one file of samples; raises ReportError where it is damaged."""
    try:
        with archives.arrays(path) as arrays:
            ids, targets, original, perturbed = (arrays[n] for n in ("ids", "targets", "original", "perturbed"))
    except Exception as error:  # a damaged archive fails in many ways
        raise ReportError(f"{path}: is damaged ({error}); `robust run` makes it") from error
    for fault in _faults(ids, targets, original, perturbed):
        raise ReportError(f"{path}: {fault}; `robust run` makes it")
    return _Sample(ids.tolist(), targets.tolist(), original, perturbed, amplification(perturbed - original))


def _faults(ids: np.ndarray, targets: np.ndarray, original: np.ndarray, perturbed: np.ndarray) -> Iterator[str]:
    if fault := shape_fault("original", original):
        yield fault
    if perturbed.shape != original.shape:
        yield f"perturbed has shape {list(perturbed.shape)}, original {list(original.shape)}"
    for name, words in (("ids", ids), ("targets", targets)):
        if words.shape != original.shape[:1]:
            yield f"{name} has shape {list(words.shape)} for {len(original)} images"
    for name, images in (("original", original), ("perturbed", perturbed)):
        if fault := range_fault(name, images):
            yield fault


def shape_fault(name: str, images: np.ndarray) -> str:
    """What is wrong with the shape of an array of images; "" where nothing is."""
    right = images.ndim == 4 and images.shape[-1] in (1, 3) and 0 not in images.shape[1:]
    return "" if right else f"{name} has shape {list(images.shape)}, not [images, height, width, 1 or 3]"


def range_fault(name: str, images: np.ndarray) -> str:
    """The same for its numbers; NaN is not in range."""
    right = images.dtype.kind == "f" and bool(((images >= 0) & (images <= 1)).all())
    return "" if right else f"{name} must hold floats in [0, 1]"


def amplification(delta: np.ndarray) -> int:
    """The largest whole factor, from 1 to a billion, that keeps a perturbation within half the range of a pixel.

    >>> amplification(np.array([8 / 255, -2 / 255])), amplification(np.array([1e-310]))
    (15, 1000000000)
    """
    largest = float(np.abs(delta).max(initial=0))
    return max(1, int(min(0.5 / largest, _STRONGEST))) if largest else 1


def difference(original: np.ndarray, perturbed: np.ndarray, factor: int) -> np.ndarray:
    """The signed perturbation as a picture, uint8: mid-grey is no change, lighter is more, darker is less."""
    return pixels(np.clip(0.5 + factor * (perturbed.astype(np.float64) - original), 0, 1))


def pixels(image: np.ndarray) -> np.ndarray:
    """Floats in [0, 1] as the nearest of 256 levels."""
    return np.rint(image.astype(np.float64) * 255).astype(np.uint8)


def png(image: np.ndarray) -> str:
    """A uint8 image [H, W, 1 or 3] as a data: URI, lossless."""
    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
