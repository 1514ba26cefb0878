"""A suite of one model, from Python."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from robust.core.errors import DataError, ModelError, SuiteError, suggest
from robust.core.progress import Progress
from robust.core.signature import convert
from robust.core.store import Store, default
from robust.core.types import AttackPrecision, Channels, NewTable, Table
from robust.datasets import channels as as_channels
from robust.datasets import from_python, order
from robust.datasets.data_call import presented
from robust.datasets.dataset import Dataset
from robust.engine.session import run
from robust.models.classifier import black_box, main_logits
from robust.models.loading import load
from robust.suite import Case, InMemory, Model, ModelFile, Suite, read_case, read_data, read_model, transfer
from robust.suite import classes as class_names
from robust.suite.preprocessing import read as read_preprocessing
from robust.suite.source import CALL_OPTIONS, call_options


def evaluate(
    model: object,
    data: str | tuple[Any, Any] | tf.data.Dataset | Dataset,
    attacks: str | Sequence[str | Table] = (),
    *,
    eps: float | str | Sequence[float | str] | None = None,
    metrics: str | Sequence[str | Table] = ("accuracy",),
    classes: int | str | Sequence[str] | None = None,
    channels: Channels | None = None,
    transform: int | str | Table | None = None,
    preprocessing: object = None,
    output: str | None = None,
    black_box: bool = False,
    attack_precision: AttackPrecision = "float32",
    seed: int = 0,
    max_images: int | None = None,
    balanced: bool = False,
    out: str | Path | None = None,
    allow_code: bool = False,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Evaluate a model on clean images and under attacks.

    Args:
        model: a `keras.Model` that classifies; a function from images to probabilities, a black box
            without gradients; the path of a .keras or .tflite file; or a table as in a suite, in which "model" is
            one in memory: {"model": model, "output": "main"}, {"keras": "x.keras", "black_box": True}.
        data: the name of a data set or the path of a folder; (images [N, H, W, C] in [0, 1] or uint8, labels [N]),
            a `tf.data.Dataset` of (image, label), in batches or not, which is read once and held in memory, or a
            `robust` data set.
        attacks: names, or tables as in a suite: {"name": "pgd", "eps": "8/255", "steps": 40}. The source of a
            transfer is another `keras.Model` that takes the same images: {"name": "transfer", "source": other, ...}.
        eps: of the attacks that set none; a list is run in ascending order.
        metrics: what is computed for each.
        classes: names of the classes in the order of the model's outputs, or a file of them as in a suite; of arrays
            also how many, else the number of the model's outputs. Data with its own class names is put into that order.
        channels: show images in colour or in grey; by default as many channels as the model takes.
        transform: of a data set or folder whose images differ in size: "imagenet" (the central 224 x 224), the side of
            a square, or a table: {"size": 96, "antialias": False} is what Keras' loader does.
        preprocessing: what the model expects, where its own layers do not show it: (0, 255), "caffe" ..., see
            `robust.suite.preprocessing`.
        output: which of several outputs classifies, where its name does not show it.
        black_box: use its outputs only, no gradients, as where a softmax cannot be removed.
        attack_precision: the precision in which attacks search; "bfloat16" is faster where the processor has it, and
            "auto" measures which is. What they find is confirmed in float32.
        seed: of all that is random. max_images: how many of the test split, chosen at random; all if not given.
        balanced: choose as many of each class, instead of in proportion to the classes.
        out: a folder for the report, if one is to be written.
        allow_code: may the file of a model run third-party code (a Lambda, a SavedModel)?
        progress: receives how far the work is.

    Results of a model from a file are kept in the store, see `robust.core.store.default`.

    Returns a DataFrame with the columns of `robust.results.tables.RESULTS`; cases are "clean" and the attacks' names.

    Raises RobustError for what is wrong with the model, the data or the attacks.
    """
    with as_model_error():
        named = _model(model, seed, allow_code)
        named = replace(
            named,
            preprocessing=named.preprocessing if preprocessing is None else read_preprocessing(preprocessing),
            output=named.output if output is None else output,
            black_box=named.black_box or black_box,
            attack_precision=attack_precision,
        )
    tables = [dict(a) if isinstance(a, Mapping) else {"name": a} for a in _listed(attacks)]
    same = {"metrics": _listed(metrics), **_choice(max_images, balanced)}
    cases = [_case("clean", same)]
    sources = _sources(tables, named)
    for table in tables:
        name = _unused(str(table.get("name", "")), [case.name for case in cases])
        cases.append(_case(name, {"attack": table if eps is None else {"eps": eps, **table}, **same}))
    cases = [replace(case, models=(named.name,)) for case in cases]
    names = classes if isinstance(classes, int | None) else class_names.names(classes)
    found = _dataset(data, named, names, channels, transform)
    suite = Suite(f"evaluate-{named.name}", (named, *sources), tuple(cases), found, seed)
    in_memory = any(isinstance(each.source, InMemory) for each in suite.models)  # else a run that is stopped can go on
    with TemporaryDirectory(prefix="robust-") as scratch:
        folder = Path(out) if out is not None else Path(scratch) / "report"
        store = Store(Path(scratch)) if in_memory else default()
        return run(suite, folder, store=store, progress=progress, fail_fast=True)


def _choice(max_images: int | None, balanced: bool) -> NewTable:
    return {**({} if max_images is None else {"max_images": max_images}), **({"balanced": True} if balanced else {})}


def _sources(tables: list[NewTable], shown: Model) -> list[Model]:
    """The source models of transfer attacks; in the tables they are replaced by their names."""
    found = {id(shown.source.network): shown} if isinstance(shown.source, InMemory) else {id(shown): shown}
    for table in tables:
        source = table.get("source")
        if table.get("name") == transfer.NAME and not isinstance(source, keras.Model):
            raise ModelError(f"source = {source!r}: from Python it is another keras.Model")
        if isinstance(source, keras.Model):
            name = _unused(source.name, [known.name for known in found.values()])
            table["source"] = found.setdefault(id(source), Model(name, InMemory(source))).name
    return [model for model in found.values() if model is not shown]


def _case(name: str, table: NewTable) -> Case:
    return read_case(name, plain(table))


@contextmanager
def as_model_error() -> Iterator[None]:
    """Raise what is wrong with the table of a model as a ModelError."""
    try:
        yield
    except SuiteError as error:
        raise ModelError(f"model: {error}") from None


def _model(given: Any, seed: int, allow_code: bool) -> Model:
    """`given` as the model of a suite."""
    if isinstance(given, str | Path):
        given = {"tflite" if Path(given).suffix == ".tflite" else "keras": str(given)}
    table = dict(given) if isinstance(given, Mapping) else {"model": given}
    if "model" not in table:
        path = next((table[key] for key in ("keras", "tflite") if key in table), "model")
        return read_model(Path(path).stem, plain(table), seed, allow_code=allow_code)
    model = black_box.wrapped(table.pop("model"))
    if unknown := next((key for key in table if key not in CALL_OPTIONS), None):
        raise SuiteError(f"a model has no {unknown!r}{suggest(unknown, ('model', *CALL_OPTIONS))}")
    return Model(model.name, InMemory(model), seeds=(seed,), **call_options(plain(table)))


def _dataset(data: Any, model: Model, classes: int | tuple[str, ...] | None, channels: Any, transform: Any) -> Dataset:
    resized = str(transform) if isinstance(transform, int) else transform
    if isinstance(data, str | Path):
        call = read_data(str(data), transform=resized)
        found = from_python.read(presented(call, classes=classes if isinstance(classes, tuple) else None))
    elif resized is not None:
        raise DataError(
            f"transform = {transform!r}: only for a data set or folder given by name; resize arrays yourself"
        )
    elif isinstance(data, Dataset):
        found = order.ordered(data, classes) if isinstance(classes, tuple) else data
    else:
        found = from_python.dataset_of(data, classes=outputs(model) if classes is None else classes)
    if isinstance(classes, int) and len(found.classes) != classes:
        raise DataError(
            f"classes = {classes}: {found.name} has {len(found.classes)}; give their names in the model's order"
        )
    return found if channels is None else as_channels.converted(found, convert(channels, Channels, "channels"))


def outputs(model: Model) -> int | None:
    """The number of the model's classes, where its last layer shows it."""
    match model.source:
        case ModelFile(path):
            network = load(path, allow_code=model.allow_code)
        case InMemory(network):
            pass
        case _:
            return None
    return main_logits.outputs(network, model.output, black_box=model.black_box)


def _listed(given: Any) -> list[Any]:
    return [given] if isinstance(given, str | Mapping) else list(given)


def plain(value: object) -> Any:
    """As TOML could hold it: NumPy's numbers and arrays, and tuples, as Python's."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: plain(v) for key, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, tuple | list) else value


def _unused(name: str, used: list[str]) -> str:
    return name if name not in used else next(n for i in range(2, 99) if (n := f"{name}-{i}") not in used)
