"""Earlier reports of `robust run`: read, and refused where they cannot be compared with another one."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from robust.core import files
from robust.core.errors import ReportError
from robust.core.types import NewTable, Table
from robust.results import manifest, tables
from robust.results.manifest import Changes
from robust.results.summaries.pairing import Superclasses


@dataclass(frozen=True)
class Report:
    """A report folder: its tables are read when first used.

    fingerprint: of the data, a hash of its content. contents: of the images of each case, the same.
    cases: the settings of each case, see `robust.suite.Case.definition`.
    sources: the weights, layers and pixels of the model on which the images of a transfer were made, by `source_key`.
    models: the entry of each in environment.json. groups: the superclasses of the cases that have their own.
    """

    path: Path
    name: str
    data: str
    fingerprint: str
    superclasses: Mapping[str, list[str]]
    contents: Mapping[str, str]
    cases: Mapping[str, NewTable]
    sources: Mapping[str, str]
    models: Mapping[str, Table]
    groups: Mapping[str, Mapping[str, list[str]]]

    @cached_property
    def results(self) -> pd.DataFrame:
        """results.csv."""
        return tables.read_results(self.path / "results.csv")

    @cached_property
    def outcomes(self) -> pd.DataFrame:
        """outcomes.parquet."""
        return tables.read_outcomes(self.path / "outcomes.parquet")

    @cached_property
    def changes(self) -> Changes:
        """What was changed in the folder since it was written."""
        return manifest.changes(self.path)

    def model(self, name: str, seed: int) -> str:
        """What identifies a model, see `one_model`; "" where it is missing."""
        rows = self.results[(self.results["model"] == name) & (self.results["seed"] == seed)]
        return one_model(rows["weights_sha"].iloc[0], self.models.get(name, {})) if len(rows) else ""

    def case(self, name: str) -> tuple[NewTable, str]:
        """The settings of a case and the fingerprint of its images.

        Raises ReportError where the folder does not have them.
        """
        try:
            return settings(self.cases[name]), self.contents[name]
        except (KeyError, TypeError, AttributeError):
            what = f"does not record the settings of the case {name}; run its suite again"
            raise ReportError(f"{self.path}: {what}") from None

    def superclasses_of(self, case: str) -> Mapping[str, list[str]]:
        """The superclasses of a case: those of its own tree or data, or those of the data of the suite."""
        return self.groups.get(case) or self.superclasses

    def source(self, model: str, seed: int, case: str) -> str:
        """What identifies the model on which the images of a transfer were made; "" for no transfer."""
        return self.sources.get(source_key(model, seed, case), "")


def one_model(weights: str, about: Table) -> str:
    """What identifies the function of a model: weights, layers and pixels; "" where any of them is unknown.

    weights: the column of results.csv. about: of the model, as environment.json has it.
    """
    return f"{weights}/{about['form']}" if weights and about.get("form") else ""


def read(path: Path) -> Report:
    """The contents of a report folder.

    Raises ReportError where there is none, where it is damaged, and where it does not record its images and cases.
    """
    if not path.is_dir():
        raise ReportError(f"{path}: there is no such folder in {Path.cwd()}; `robust run SUITE --out {path}` makes it")
    try:
        about = files.parsed(files.text(path / "environment.json"))
        data = about["data"]
        if "fingerprint" not in data or not {"contents", "cases", "sources", "models", "groups"} <= {*about}:
            raise ReportError(f"{path}: does not record its images and cases; run its suite again")
        of_data = data["name"], data["fingerprint"], data["superclasses"]
        of_cases = about["contents"], about["cases"], about["sources"]
        groups = {case: {name: [*members] for name, members in of.items()} for case, of in about["groups"].items()}
        return Report(path, about["suite"], *of_data, *of_cases, about["models"], groups)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, AttributeError) as error:
        raise ReportError(f"{path}: is not a report that can be compared ({error!r})") from error


def comparable(report: Report, name: str, data: str, fingerprint: str) -> None:
    """Raise ReportError where a report is of another suite or of other data than these."""
    if report.name != name:
        raise ReportError(f"{report.path}: is a report of the suite {report.name!r}, this one is {name!r}")
    if report.fingerprint != fingerprint:
        which = f"of {report.data}, here they are of {data}" if report.data != data else f"another version of {data}"
        raise ReportError(f"{report.path}: its images are {which}; only the same images can be compared")


def same_case(report: Report, case: str, here: Table, content: str) -> None:
    """Raise ReportError where a case has other settings there, or other images.

    Args:
        report: the earlier one. case: its name. here: the settings of this one. content: the fingerprint of its images.
    """
    there, known = report.case(case)
    if known != content:
        raise ReportError(
            f"{report.path}: the images of the case {case} are different; only the same images can be compared"
        )
    for key in {**here, **there}:
        if here.get(key) != there.get(key):
            change = f"{key} is {_text(there.get(key))} there and {_text(here.get(key))} here"
            raise ReportError(f"{report.path}: the case {case} has other settings: {change}")


def same_superclasses(path: str | Path, key: str, case: str, theirs: Superclasses, ours: Superclasses) -> None:
    """Raise ReportError where a metric, "superclass_accuracy", has other superclasses there, at `path`."""
    if key.startswith("superclass") and _sets(theirs) != _sets(ours):
        raise ReportError(f"{path}: the case {case} has other superclasses there; run its suite again with these")


def _sets(groups: Superclasses) -> dict[str, set[str]]:
    return {name: set(members) for name, members in groups.items()}


def same_source(path: str | Path, case: str, theirs: str, ours: str) -> None:
    """Raise ReportError where the images of a transfer were made there, in the report at `path`, on another model.

    theirs, ours: the models that made them, as `Report.sources` has them; "" for no transfer.
    """
    if theirs != ours:
        raise ReportError(
            f"{path}: the case {case} has images made on another model, or on one evaluated with other settings"
        )


def source_key(model: str, seed: int, case: str) -> str:
    """The key of an evaluation in `Report.sources`."""
    return json.dumps([model, seed, case])


def settings(definition: Table) -> NewTable:
    """The settings of a case by name, of `robust.suite.Case.definition`; values shared by all strengths once."""
    calls = definition["calls"]
    found = {key: [call.get(key) for call in calls] for key in {key: None for call in calls for key in call}}
    once = {key: each[0] if all(one == each[0] for one in each) else each for key, each in found.items()}
    return {**{key: value for key, value in definition.items() if key != "calls"}, **once}


def _text(value: object) -> str:
    return "nothing" if value is None else json.dumps(value)
