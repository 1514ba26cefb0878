"""A report folder, read, checked and recounted."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import pandas as pd

from robust.core import toml
from robust.core.errors import ReportError
from robust.core.remedies import INTERFACES, Interface
from robust.core.types import NewTable
from robust.report import folder_files
from robust.report.conditions import Cells, Condition, TrainedModel, cells
from robust.report.recomputed_bounds import Expected, absent, allows, verified
from robust.report.recomputed_summaries import summed
from robust.report.recount import Recounts, measured
from robust.results import manifest, tables
from robust.results.manifest import Changes
from robust.results.summaries.corruption_error import ON_THE_FLY

Read = TypeVar("Read")

_GRID = 200_000  # cells of a table of every trained model under every condition: a hundred of each are 10,000


@dataclass(frozen=True)
class Folder:
    """The contents of a report folder, checked.

    `results` is results.csv; `outcomes` has the rows of outcomes.parquet that the page needs, by model and
    condition; `samples` the .npz file of each; `suite` the text of suite.toml or ""; `recounted` the numbers
    computed from the outcomes; `changes` what was changed in the folder since it was written.
    """

    path: Path
    environment: NewTable
    results: pd.DataFrame
    outcomes: Cells
    samples: dict[tuple[TrainedModel, Condition], Path]
    suite: str
    recounted: Recounts = field(default_factory=dict)
    changes: Changes = field(default_factory=Changes)

    @cached_property
    def values(self) -> Cells:
        """The rows of results.csv by model and condition."""
        return cells(self.results[self.results["metric"] != tables.FAILED])

    @cached_property
    def failed(self) -> dict[tuple[TrainedModel, str], str]:
        """Why a model could not be evaluated in a case, by model and case."""
        rows = self.results[self.results["metric"] == tables.FAILED].to_dict("records")
        return {
            (TrainedModel(row["model"], int(row["seed"])), row["case"]): row["ci_method"].removeprefix(tables.NO_VALUE)
            for row in rows
        }

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
        """The bounds of suite.toml without a value."""
        return absent(self.results, toml.loads(self.suite), self.outcomes, self.recounted)

    @cached_property
    def sweeps(self) -> list[str]:
        """The cases with several corruptions: they have their own section, and no conditions."""
        corrupted = self.results[self.results["severity"].notna()]
        count = corrupted.groupby("case", sort=False)["perturbation"].nunique()
        return [str(case) for case in count[count > 1].index]

    @cached_property
    def runs(self) -> list[TrainedModel]:
        """Every trained model, whether it was measured yet or not, in the order of the suite."""
        planned = [
            TrainedModel(m, s) for m, about in self.environment["models"].items() for s in about.get("seeds") or []
        ]
        return list(dict.fromkeys([*planned, *(run for run, _ in [*self.values, *self.failed])]))

    @cached_property
    def _trained(self) -> Counter[str]:
        """How often each model was trained."""
        return Counter(run.model for run in self.runs)

    @cached_property
    def conditions(self) -> list[Condition]:
        """Every condition under which anything was measured, in the order of the suite; without `sweeps`."""
        found = list(
            dict.fromkeys(c for _, c in self.values if c.perturbation != ON_THE_FLY and c.case not in self.sweeps)
        )
        cases = _places([*self.cases, *(condition.case for condition in found)])
        families = _places((condition.perturbation, condition.norm) for condition in found)
        return sorted(
            found,
            key=lambda c: (
                cases[c.case],
                families[c.perturbation, c.norm],
                c.eps or 0,
                c.severity or 0,
            ),
        )

    def clean_of_same_data(self, run: TrainedModel, condition: Condition) -> list[Condition]:
        """The clean cases of a model with kept predictions, on the data of a condition."""
        data = self.data_of(run, condition)
        clean = [c for other, c in self.outcomes if other == run and c.clean]
        return [c for c in clean if self.data_of(run, c) == data]

    def data_of(self, run: TrainedModel, condition: Condition) -> str:
        """The name of the data on which a model was evaluated under a condition; "" where nothing was measured."""
        rows = self.values.get((run, condition))
        return "" if rows is None else str(rows["data"].iloc[0])

    @property
    def interface(self) -> Interface:
        """The interface through which it was filled: remedies are given in its terms."""
        interface = self.environment.get("interface")
        return interface if interface in INTERFACES else "suite"

    @property
    def classes(self) -> list[str]:
        """The names of the classes, in the order of the data set."""
        return self.environment["data"]["classes"]

    def superclasses(self, case: str) -> dict[str, list[str]]:
        """The superclasses of a case: of its hierarchy, or of the data; may be empty."""
        return self.environment.get("groups", {}).get(case) or self.environment["data"].get("superclasses", {})

    def name(self, run: TrainedModel) -> str:
        """The model's name, with its seed where it was trained with several."""
        alone = self._trained[run.model] == 1
        return run.model if alone else f"{run.model}, seed {run.seed}"


def _places(names: Iterable[Hashable]) -> dict[Hashable, int]:
    return {name: place for place, name in enumerate(dict.fromkeys(names))}


def read(path: Path) -> Folder:
    """Read and check a report folder; the arrays of the samples are read when they are shown.

    Raises ReportError, naming the file, what is wrong with it and the command that makes it.
    """
    if not path.is_dir():
        raise ReportError(f"{path}: there is no such folder{_remedy(path)}")
    environment = _load(path, "environment.json", folder_files.environment)
    results = _load(path, "results.csv", folder_files.results)
    outcomes = _load(path, "outcomes.parquet", folder_files.outcomes)
    suite = _load(path, "suite.toml", folder_files.suite) if (path / "suite.toml").exists() else ""
    table = toml.loads(suite)
    recounted = _load(path, "outcomes.parquet", lambda _: _recounted(outcomes, results, environment, table))
    return shown(
        Folder(
            path=path,
            environment=environment,
            results=_load(path, "results.csv", lambda _: verified(results, table, recounted, outcomes)),
            outcomes=outcomes,
            samples=_load(path, "samples/index.csv", folder_files.samples),
            suite=suite,
            recounted=recounted,
            changes=manifest.changes(path),
        )
    )


def shown(folder: Folder) -> Folder:
    """Raise ReportError where the tables of the page, of every model under every condition, would be too large."""
    if (many := len(folder.runs) * len(folder.conditions)) > _GRID:
        raise ReportError(
            f"{folder.path}: {len(folder.runs):,} trained models and {len(folder.conditions):,} conditions make "
            f"{many:,} cells of a table; at most {_GRID:,}{_remedy(folder.path)}"
        )
    return folder


def _recounted(outcomes: Cells, results: pd.DataFrame, environment: NewTable, suite: NewTable) -> Recounts:
    single = measured(outcomes, cells(results), environment, suite)
    return {**single, **summed(outcomes, results, environment, suite)}


def _load(path: Path, name: str, reader: Callable[[Path], Read]) -> Read:
    if not (path / name).is_file():
        raise ReportError(f"{path}: {name} is missing{_remedy(path)}")
    try:
        return reader(path / name)
    except ReportError as error:
        raise ReportError(f"{error}{_remedy(path)}") from error
    except Exception as error:  # a damaged file can make its parser raise any exception
        raise ReportError(f"{path / name}: is damaged ({_first_line(error)}){_remedy(path)}") from error


def _remedy(path: Path) -> str:
    return f"; `robust run SUITE --out {path}` makes it"


def _first_line(error: Exception) -> str:
    return (next(iter(str(error).splitlines()), "") or type(error).__name__)[:300]
