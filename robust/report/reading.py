"""The files of a report folder: read and checked, with what is wrong told by file and key."""

import json
from collections.abc import Collection, Hashable
from numbers import Real
from pathlib import Path
from typing import Any

import pandas as pd

from robust import bound, cells, files, record, toml
from robust.errors import ReportError
from robust.report import conditions
from robust.report.conditions import COLUMNS, Cells, Condition, Run
from robust.report.verified import expected

_SAMPLES = {"file": "str", **{c: kind for c, kind in record.OUTCOMES.items() if c in COLUMNS}}
_OUTCOMES = [
    *COLUMNS, "example", "label", "target", "predicted", "in_top5", "confidence", "margin", "nll", "fooled_by", "linf",
    "l2",
]  # fmt: skip
_ROWS, _RADIUS = 10**6, 1e9
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
    "understood": list,
}  # each may also be null or absent


def environment(path: Path) -> dict[str, Any]:
    """environment.json: where the numbers come from."""
    environment = json.loads(files.text(path))
    _check(path, "", environment, _ENVIRONMENT)
    _check(path, "data.", environment["data"], _DATA)
    for name, model in environment["models"].items():
        _check(path, f"models.{name}.", model, {})
        known = {key: kind for key, kind in _MODEL.items() if model.get(key) is not None}
        _check(path, f"models.{name}.", model, known)
        if not all(isinstance(each, str) for each in model.get("understood") or []):
            raise ReportError(f"{path}: models.{name}.understood must hold sentences")
        if any(type(seed) is not int for seed in model.get("seeds") or []):
            raise ReportError(f"{path}: models.{name}.seeds must be whole numbers")
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


def _groups(path: Path, where: str, groups: Any) -> None:
    _check(path, where, groups, {})
    if not all(isinstance(names, list) and all(isinstance(each, str) for each in names) for names in groups.values()):
        raise ReportError(f"{path}: {where} must hold lists of names")


def _check(path: Path, where: str, value: Any, kinds: dict[str, type]) -> None:
    if not isinstance(value, dict):
        raise ReportError(f"{path}: {where.rstrip('.') or 'it'} must be an object, not {type(value).__name__}")
    for key, kind in kinds.items():
        if key not in value:
            raise ReportError(f"{path}: lacks {where}{key}")
        if not isinstance(value[key], kind):
            got = type(value[key]).__name__
            raise ReportError(f"{path}: {where}{key} must be of type {kind.__name__}, not {got}")


def results(path: Path) -> pd.DataFrame:
    """results.csv as it was written; `robust.report.verified` holds it against the rest."""
    results = record.read_results(path)
    for text in set(results["bound"]) - {""}:
        bound.parse(text)
    _sane(path, results)
    return results


def outcomes(path: Path) -> Cells:
    """The columns of outcomes.parquet that the page and the recount need, by model and condition."""
    from pyarrow import parquet

    _columns(path, parquet.read_schema(path).names, _OUTCOMES)
    _counted(path, parquet.read_metadata(path).num_rows)
    outcomes = pd.read_parquet(path, columns=_OUTCOMES)
    for name in (name for name in _OUTCOMES if record.OUTCOMES[name] == "str"):
        if odd := [each for each in outcomes[name].unique() if not isinstance(each, str)]:
            raise ReportError(f"{path}: the column {name} must hold words, not {odd[0]!r}")
    _sane(path, outcomes)
    return conditions.cells(outcomes)


def _counted(path: Path, rows: int) -> None:
    """Of a million rows and more each has some bits of its own: an id, a confidence."""
    if rows > _ROWS and rows > 4 * path.stat().st_size:
        raise ReportError(f"{path}: says that it has {rows:,} rows, and has {path.stat().st_size:,} bytes")


def _sane(path: Path, table: pd.DataFrame) -> None:
    """Radii are finite and can be written in units of 1/255; cells are so few that a page shows them."""
    if (odd := table["eps"][table["eps"].abs() > _RADIUS]).size:
        raise ReportError(f"{path}: eps must be finite and no larger than {_RADIUS:g}, not {odd.iloc[0]}")
    if (many := table.groupby(COLUMNS, sort=False, dropna=False).ngroups) > _CELLS:
        raise ReportError(f"{path}: has {many:,} models under conditions; at most {_CELLS:,}")


def samples(path: Path) -> dict[tuple[Run, Condition], Path]:
    """The .npz file of each model and condition, by samples/index.csv."""
    words: dict[Hashable, Any] = {name: str for name, kind in _SAMPLES.items() if kind == "str"}
    index = cells.read(path, dtype=words, keep_default_na=False, na_values={"eps": [""], "severity": [""]})
    _columns(path, index.columns, list(_SAMPLES))
    _sane(path, index.astype({"eps": "float64"}))
    found = conditions.cells(index.astype(_SAMPLES))
    return {cell: _sample_file(path, rows["file"].iloc[0]) for cell, rows in found.items()}


def _sample_file(index: Path, name: str) -> Path:
    if Path(name).name != name:  # the index must not lead out of its folder
        raise ReportError(f"{index}: file {name!r} must be the name of a file beside it")
    if not (index.parent / name).is_file():
        raise ReportError(f"{index}: names {name!r}, which is missing")
    return index.parent / name


def suite(path: Path) -> str:
    """The text of suite.toml, whose tables and bounds can be read."""
    text = files.text(path)
    table = toml.loads(text)
    for kind in ("model", "case"):
        _check(path, kind, table.get(kind, {}), {})
        for name, of in table.get(kind, {}).items():
            _check(path, f"{kind}.{name}.", of, {})
            _check(path, f"{kind}.{name}.expect", of.get("expect", {}), {})
            for key in ("seeds", "models"):
                _check(path, f"{kind}.{name}.", {key: of.get(key, [])}, {key: list})
    list(expected(table))
    return text


def _columns(path: Path, found: Collection[Hashable], wanted: list[str]) -> None:
    if missing := [column for column in wanted if column not in found]:
        raise ReportError(f"{path}: lacks the column {missing[0]}")
