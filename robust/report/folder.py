"""Read a report folder, and refuse it with a clear message where it is incomplete or damaged."""

import json
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from functools import cached_property
from math import isnan
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from robust import bound, cells, files, record, toml
from robust.errors import ReportError
from robust.report.verified import Counted, Expected, absent, allows, counts, expected, verified
from robust.summaries.corruption_error import MADE


class Run(NamedTuple):
    """One trained model: a row of the page's tables."""

    model: str
    seed: int


class Condition(NamedTuple):
    """What was done to the images: a case at one eps or one severity, a column of the page's tables."""

    case: str
    perturbation: str
    norm: str
    eps: float | None
    severity: int | None

    @property
    def clean(self) -> bool:
        """Were the images left alone?"""
        return self.perturbation == "clean"


Cells = dict[tuple[Run, Condition], pd.DataFrame]

_CELL = [*Run._fields, *Condition._fields]
_SAMPLES = {"file": "str", **{c: kind for c, kind in record.OUTCOMES.items() if c in _CELL}}
_OUTCOMES = [*_CELL, "example", "label", "target", "predicted", "confidence", "fooled_by"]
_ROWS, _RADIUS = 10**6, 1e9
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


@dataclass(frozen=True)
class Folder:
    """What stands in a report folder, checked.

    `results` is results.csv; `outcomes` has the rows of outcomes.parquet that the page needs, by model and
    condition; `samples` the .npz file of each; `suite` the text of suite.toml or "".
    """

    path: Path
    environment: dict[str, Any]
    results: pd.DataFrame
    outcomes: Cells
    samples: dict[tuple[Run, Condition], Path]
    suite: str

    @cached_property
    def values(self) -> Cells:
        """The rows of results.csv by model and condition."""
        return _cells(self.results)

    @cached_property
    def cases(self) -> dict[str, list[str] | None]:
        """The cases of suite.toml and the models each is limited to, None for all of them."""
        cases = toml.loads(self.suite).get("case", {})
        return {name: case.get("models") for name, case in cases.items()}

    @cached_property
    def allow_invalid(self) -> set[str]:
        """The cases of suite.toml whose bounds may pass on invalid numbers."""
        return allows(toml.loads(self.suite))

    @cached_property
    def absent(self) -> list[Expected]:
        """The bounds of suite.toml that no value answers."""
        return absent(self.results, toml.loads(self.suite), _measured(self.outcomes))

    @cached_property
    def sweeps(self) -> list[str]:
        """The cases with several corruptions: they have a section of their own, and no conditions."""
        corrupted = self.results[self.results["severity"].notna()]
        count = corrupted.groupby("case", sort=False)["perturbation"].nunique()
        return [str(case) for case in count[count > 1].index]

    @cached_property
    def runs(self) -> list[Run]:
        """Every trained model, whether it was measured yet or not, in the order of the suite."""
        planned = [Run(m, s) for m, about in self.environment["models"].items() for s in about.get("seeds") or []]
        return list(dict.fromkeys([*planned, *(run for run, _ in self.values)]))

    @cached_property
    def conditions(self) -> list[Condition]:
        """Every condition under which anything was measured, in the order of the suite; without `sweeps`."""
        found = list(dict.fromkeys(c for _, c in self.values if c.perturbation != MADE and c.case not in self.sweeps))
        cases = list(dict.fromkeys([*self.cases, *(condition.case for condition in found)]))
        families = list(dict.fromkeys((condition.perturbation, condition.norm) for condition in found))
        return sorted(
            found,
            key=lambda c: (
                cases.index(c.case),
                families.index((c.perturbation, c.norm)),
                c.eps or 0,
                c.severity or 0,
            ),
        )

    @property
    def classes(self) -> list[str]:
        """The names of the classes, in the order of the data set."""
        return self.environment["data"]["classes"]

    def superclasses(self, case: str) -> dict[str, list[str]]:
        """The superclasses that a case judges by: of its own hierarchy, or of the data; may be empty."""
        return self.environment.get("groups", {}).get(case) or self.environment["data"].get("superclasses", {})

    def name(self, run: Run) -> str:
        """The model's name, with its seed where it was trained with several."""
        alone = sum(other.model == run.model for other in self.runs) == 1
        return run.model if alone else f"{run.model}, seed {run.seed}"


def read(path: Path) -> Folder:
    """Read and check a report folder; the arrays of the samples are read when they are drawn.

    Raises ReportError, naming the file, what is wrong with it and the command that makes it.
    """
    if not path.is_dir():
        raise ReportError(f"{path}: there is no such folder{_remedy(path)}")
    environment, results = _load(path, "environment.json", _environment), _load(path, "results.csv", _results)
    outcomes = _load(path, "outcomes.parquet", _outcomes)
    suite = _load(path, "suite.toml", _suite) if (path / "suite.toml").exists() else ""
    return Folder(
        path=path,
        environment=environment,
        results=_load(path, "results.csv", lambda _: verified(results, toml.loads(suite), _measured(outcomes))),
        outcomes=outcomes,
        samples=_load(path, "samples/index.csv", _samples),
        suite=suite,
    )


def _measured(outcomes: Cells) -> Counted:
    """What outcomes.parquet counts, by model, seed, case and strength."""
    return {(*run, *condition): counts(of["label"], of["predicted"]) for (run, condition), of in outcomes.items()}


def _load(path: Path, name: str, reader: Callable[[Path], Any]) -> Any:
    if not (path / name).is_file():
        raise ReportError(f"{path}: {name} is missing{_remedy(path)}")
    try:
        return reader(path / name)
    except ReportError as error:
        raise ReportError(f"{error}{_remedy(path)}") from error
    except Exception as error:  # a damaged file makes its parser fail in ways that no list names
        raise ReportError(f"{path / name}: is damaged ({_first_line(error)}){_remedy(path)}") from error


def _remedy(path: Path) -> str:
    return f"; `robust run SUITE --out {path}` makes it"


def _first_line(error: Exception) -> str:
    return (next(iter(str(error).splitlines()), "") or type(error).__name__)[:300]


def _environment(path: Path) -> dict[str, Any]:
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
    if not all(isinstance(name, str) for name in environment["data"]["classes"]):
        raise ReportError(f"{path}: data.classes must be names")
    notes = environment["data"].get("notes", [])
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise ReportError(f"{path}: data.notes must hold sentences")
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


def _results(path: Path) -> pd.DataFrame:
    results = record.read_results(path)
    for text in set(results["bound"]) - {""}:
        bound.parse(text)
    _sane(path, results)
    return results


def _outcomes(path: Path) -> Cells:
    from pyarrow import parquet

    _columns(path, parquet.read_schema(path).names, _OUTCOMES)
    _counted(path, parquet.read_metadata(path).num_rows)
    outcomes = pd.read_parquet(path, columns=_OUTCOMES)
    for name in (name for name in _OUTCOMES if record.OUTCOMES[name] == "str"):
        if odd := [each for each in outcomes[name].unique() if not isinstance(each, str)]:
            raise ReportError(f"{path}: the column {name} must hold words, not {odd[0]!r}")
    _sane(path, outcomes)
    return _cells(outcomes)


def _counted(path: Path, rows: int) -> None:
    """Of a million rows and more each has some bits of its own: an id, a confidence."""
    if rows > _ROWS and rows > 4 * path.stat().st_size:
        raise ReportError(f"{path}: says that it has {rows:,} rows, and has {path.stat().st_size:,} bytes")


def _sane(path: Path, table: pd.DataFrame) -> None:
    """Radii are finite, and so small that they can be written in units of 1/255."""
    if (odd := table["eps"][table["eps"].abs() > _RADIUS]).size:
        raise ReportError(f"{path}: eps must be finite and no larger than {_RADIUS:g}, not {odd.iloc[0]}")


def _samples(path: Path) -> dict[tuple[Run, Condition], Path]:
    words: dict[Hashable, Any] = {name: str for name, kind in _SAMPLES.items() if kind == "str"}
    index = cells.read(path, dtype=words, keep_default_na=False, na_values={"eps": [""], "severity": [""]})
    _columns(path, index.columns, list(_SAMPLES))
    _sane(path, index.astype({"eps": "float64"}))
    found = _cells(index.astype(_SAMPLES))
    return {cell: _sample_file(path, rows["file"].iloc[0]) for cell, rows in found.items()}


def _sample_file(index: Path, name: str) -> Path:
    if Path(name).name != name:  # the index must not lead out of its folder
        raise ReportError(f"{index}: file {name!r} must be the name of a file beside it")
    if not (index.parent / name).is_file():
        raise ReportError(f"{index}: names {name!r}, which is missing")
    return index.parent / name


def _suite(path: Path) -> str:
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


def _cells(table: pd.DataFrame) -> Cells:
    groups = table.groupby(_CELL, sort=False, dropna=False)
    return {_cell(*key): rows for key, rows in groups}


def _cell(
    model: str, seed: int, case: str, perturbation: str, norm: str, eps: float, severity: int
) -> tuple[Run, Condition]:
    # nine digits, so that a number read from text meets the same number read from binary
    radius = None if isnan(eps) else float(f"{eps:.9g}")
    return Run(model, int(seed)), Condition(
        case, perturbation, norm, radius, None if pd.isna(severity) else int(severity)
    )
