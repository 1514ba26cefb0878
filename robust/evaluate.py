"""A suite of one model, from Python."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from robust.datasets.dataset import Dataset
from robust.datasets.given import dataset_of
from robust.errors import ModelError
from robust.progress import Progress
from robust.run import run
from robust.store import Store
from robust.suite import Case, Model, Suite, read_case


def evaluate(
    model: keras.Model,
    data: tuple[Any, Any] | tf.data.Dataset | Dataset,
    attacks: str | Sequence[str | Mapping[str, Any]] = (),
    *,
    eps: float | str | Sequence[float | str] | None = None,
    measures: str | Sequence[str | Mapping[str, Any]] = ("accuracy",),
    classes: int | Sequence[str] | None = None,
    pixels: tuple[float, float] | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Measure a Keras model on clean images and under attacks.

    Args:
        model: any `keras.Model` that classifies; what its pixels range over is `pixels`, where its own
            layers do not say it.
        data: (images [N, H, W, C] in [0, 1] or uint8, labels [N]), a `tf.data.Dataset` of (image, label), in
            batches or not, which is read once and held in memory, or a `robust` data set.
        attacks: names, or tables as in a suite: {"name": "pgd", "eps": "8/255", "steps": 40}.
        eps: of the attacks that give none of their own; a list is run upward.
        measures: what is measured of each.
        classes: names of the classes, or how many; else the model's outputs are counted.
        seed: of all that is random. out: a folder for the report, if one is wanted.
        progress: told how far the work is; nobody where it is not given.

    Returns a DataFrame with the columns of `robust.record.RESULTS`; cases are "clean" and the attacks' names.

    Raises RobustError for what is wrong with the model, the data or the attacks.
    """
    if not isinstance(model, keras.Model):
        raise ModelError(f"model: a {type(model).__name__} came; it must be a keras.Model")
    named = Model(model.name, "memory", model, seeds=(seed,), pixels=pixels)
    tables = [dict(a) if isinstance(a, Mapping) else {"name": a} for a in _listed(attacks)]
    cases = [_case("clean", {}, measures)]
    for table in tables:
        name = _unused(str(table.get("name", "")), [case.name for case in cases])
        cases.append(_case(name, {"attack": table if eps is None else {"eps": eps, **table}}, measures))
    suite = Suite(f"evaluate-{model.name}", (named,), tuple(cases), _dataset(data, model, classes), seed)
    with TemporaryDirectory(prefix="robust-") as scratch:
        folder = Path(out) if out is not None else Path(scratch) / "report"
        return run(suite, folder, store=Store(Path(scratch)), progress=progress)


def _case(name: str, table: dict[str, Any], measures: Any) -> Case:
    return read_case(name, _plain({**table, "measure": _listed(measures)}))


def _dataset(data: Any, model: keras.Model, classes: int | Sequence[str] | None) -> Dataset:
    if isinstance(data, Dataset):
        return data
    shape = getattr(model, "output_shape", None)
    if classes is None and isinstance(shape, tuple):
        classes = shape[-1]
    if classes == 1:
        raise ModelError(f"model {model.name!r} has one output; a classifier of two classes needs two logits: Dense(2)")
    return dataset_of(data, classes=classes)


def _listed(given: Any) -> list[Any]:
    return [given] if isinstance(given, str | Mapping) else list(given)


def _plain(value: Any) -> Any:
    """What TOML could hold: NumPy's numbers and arrays, and tuples, as Python's."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: _plain(v) for key, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, tuple | list) else value


def _unused(name: str, used: list[str]) -> str:
    return name if name not in used else next(n for i in range(2, 99) if (n := f"{name}-{i}") not in used)
