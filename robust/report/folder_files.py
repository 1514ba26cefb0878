"""The files of a report folder: read and checked; an error names the file and the key."""

from collections.abc import Collection, Hashable, Iterable
from numbers import Real
from pathlib import Path

import numpy as np
import pandas as pd

from robust.core import csv_files, files, parquet_files, toml
from robust.core import text as words
from robust.core.errors import ReportError
from robust.core.types import NewTable, Table
from robust.report import conditions
from robust.report.conditions import COLUMNS, Cells, Condition, TrainedModel
from robust.report.recomputed_bounds import expected
from robust.results import tables
from robust.suite import bounds

_SAMPLES = {"file": "str", **{c: kind for c, kind in tables.OUTCOMES.items() if c in COLUMNS}}
_OUTCOMES = [
    *COLUMNS, "example", "label", "target", "predicted", "in_top5", "confidence", "margin", "nll", "success_by", "linf",
    "l2",
]  # fmt: skip
_RADIUS = 1e9
_ROUNDING = 1e-6
_MOST = float(np.finfo(np.float32).max)
_WITHIN = {  # logits are finite, and so is all that is counted from them
    "confidence": (0, 1 + _ROUNDING, "in [0, 1]"),
    "margin": (-_MOST, _MOST, "finite"),
    "nll": (-_ROUNDING, np.inf, "not negative"),
    "linf": (0, _MOST, "finite and not negative"),
    "l2": (0, _MOST, "finite and not negative"),
}
_CELLS = 50_000  # trained models, each under each condition: what one page can show, and a hundred times what any does
_ENVIRONMENT = {
    "suite": str, "summary": str, "seed": int, "made": str, "robust": str, "python": str,
    "packages": dict, "machine": dict, "data": dict, "models": dict,
}  # fmt: skip
_DATA = {"name": str, "split": str, "classes": list, "image_shape": list, "images": int}
_MODEL = {
    "parameters": int,
    "training_seconds": Real,
    "seeds": list,
    "notes": list,
}  # each may also be null or absent


def environment(path: Path) -> NewTable:
    """environment.json: the origin of the numbers."""
    environment = files.parsed(files.text(path))
    readable(path, "it", words.inside(environment))
    _check(path, "", environment, _ENVIRONMENT)
    _check(path, "data.", environment["data"], _DATA)
    for name, model in environment["models"].items():
        _check(path, f"models.{name}.", model, {})
        known = {key: kind for key, kind in _MODEL.items() if model.get(key) is not None}
        _check(path, f"models.{name}.", model, known)
        if not all(isinstance(each, str) for each in model.get("notes") or []):
            raise ReportError(f"{path}: models.{name}.notes must hold sentences")
        if any(type(seed) is not int for seed in model.get("seeds") or []):
            raise ReportError(f"{path}: models.{name}.seeds must be whole numbers")
    if not all(isinstance(each, str) for each in environment.get("sections", [])):
        raise ReportError(f"{path}: sections must be names")
    _groups(path, "data.superclasses", environment["data"].get("superclasses", {}))
    _check(path, "groups.", environment.get("groups", {}), {})
    for case, groups in environment.get("groups", {}).items():
        _groups(path, f"groups.{case}", groups)
    _groups(path, "classes", environment.get("classes", {}))
    if not all(isinstance(name, str) for name in environment["data"]["classes"]):
        raise ReportError(f"{path}: data.classes must be names")
    notes = environment["data"].get("notes", [])
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise ReportError(f"{path}: data.notes must hold sentences")
    if (many := sum(len(of.get("seeds") or []) for of in environment["models"].values())) > _CELLS:
        raise ReportError(f"{path}: models have {many:,} seeds; at most {_CELLS:,}")
    shape = environment["data"]["image_shape"]
    if [type(side) for side in shape] != [int, int, int] or min(shape) < 1:
        raise ReportError(f"{path}: data.image_shape must be [height, width, channels], not {str(shape)[:100]}")
    return environment


def _groups(path: Path, where: str, groups: Table) -> None:
    _check(path, where, groups, {})
    if not all(isinstance(names, list) and all(isinstance(each, str) for each in names) for names in groups.values()):
        raise ReportError(f"{path}: {where} must hold lists of names")


def _check(path: Path, where: str, value: object, kinds: dict[str, type]) -> None:
    if not isinstance(value, dict):
        raise ReportError(f"{path}: {where.rstrip('.') or 'it'} must be an object, not {type(value).__name__}")
    for key, kind in kinds.items():
        if key not in value:
            raise ReportError(f"{path}: lacks {where}{key}")
        if not isinstance(value[key], kind):
            got = type(value[key]).__name__
            raise ReportError(f"{path}: {where}{key} must be of type {kind.__name__}, not {got}")


def results(path: Path) -> pd.DataFrame:
    """results.csv as it was written; `robust.report.recomputed_bounds` checks it against the other files."""
    results = tables.read_results(path)
    _readable_table(path, results)
    for text in set(results["bound"]) - {""}:
        bounds.parse(text)
    sane(path, results)
    return results


def outcomes(path: Path) -> Cells:
    """The columns of outcomes.parquet that the page and the recount need, by model and condition."""
    try:
        found = parquet_files.read(path, {name: tables.OUTCOMES[name] for name in _OUTCOMES})
    except KeyError as error:
        raise ReportError(f"{path}: lacks the column {error.args[0]}") from None
    except ValueError as error:
        raise ReportError(f"{path}: {str(error)[:300]}") from error
    sane(path, found)
    for name, (low, high, allowed) in _WITHIN.items():
        if (odd := found[name][~found[name].between(low, high)]).size:
            raise ReportError(f"{path}: {name} must be {allowed}, not {odd.iloc[0]}")
    return conditions.cells(found)


def sane(path: Path, table: pd.DataFrame) -> None:
    """Radii are finite and can be written in units of 1/255; cells are few enough for a page."""
    if (odd := table["eps"][table["eps"].abs() > _RADIUS]).size:
        raise ReportError(f"{path}: eps must be finite and no larger than {_RADIUS:g}, not {odd.iloc[0]}")
    if (many := table.groupby(COLUMNS, sort=False, dropna=False).ngroups) > _CELLS:
        raise ReportError(f"{path}: has {many:,} models under conditions; at most {_CELLS:,}")


def samples(path: Path) -> dict[tuple[TrainedModel, Condition], Path]:
    """The .npz file of each model and condition, by samples/index.csv."""
    kinds: dict[Hashable, type] = {name: str for name, kind in _SAMPLES.items() if kind == "str"}
    index = csv_files.read(path, dtype=kinds, keep_default_na=False, na_values={"eps": [""], "severity": [""]})
    _columns(path, index.columns, list(_SAMPLES))
    _readable_table(path, index[list(kinds)])
    sane(path, index.astype({"eps": "float64"}))
    found = conditions.cells(index.astype(_SAMPLES))
    return {cell: _sample_file(path, rows["file"].iloc[0]) for cell, rows in found.items()}


def _sample_file(index: Path, name: str) -> Path:
    if Path(name).name != name:  # the index must not lead out of its folder
        raise ReportError(f"{index}: file {name!r} must be the name of a file in the same folder")
    if not (index.parent / name).is_file():
        raise ReportError(f"{index}: names {name!r}, which is missing")
    return index.parent / name


def suite(path: Path) -> str:
    """The text of suite.toml, whose tables and bounds can be read."""
    text = files.text(path)
    if odd := words.odd(text):
        raise ReportError(f"{path}: holds the control character {odd!a}")
    table = toml.loads(text)
    readable(path, "it", words.inside(table))
    for kind in ("model", "case"):
        _check(path, kind, table.get(kind, {}), {})
        for name, of in table.get(kind, {}).items():
            _check(path, f"{kind}.{name}.", of, {})
            _check(path, f"{kind}.{name}.expect", of.get("expect", {}), {})
            for key in ("seeds", "models"):
                _check(path, f"{kind}.{name}.", {key: of.get(key, [])}, {key: list})
    list(expected(table))
    return text


def readable(path: Path, where: str, found: Iterable[str]) -> None:
    """Raise ReportError for text that a page cannot show as it is: too long, or with control characters."""
    if why := words.fault(found):
        raise ReportError(f"{path}: {where} {why}")


def _readable_table(path: Path, table: pd.DataFrame) -> None:
    for name in table:
        if not pd.api.types.is_numeric_dtype(table[name]):
            readable(path, f"the column {name}", table[name].unique())


def _columns(path: Path, found: Collection[Hashable], required: list[str]) -> None:
    if missing := [column for column in required if column not in found]:
        raise ReportError(f"{path}: lacks the column {missing[0]}")
