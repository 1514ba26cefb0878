"""Reports that `robust run` has written before: read, and refused where they cannot be compared with another one."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from robust import files, record, toml
from robust.errors import ReportError

_JUDGED = ("expect", "models", "measure", "inspect", "baseline")  # keys of a case that leave each image as it is


@dataclass(frozen=True)
class Report:
    """A report folder: its tables are read when they are asked for.

    fingerprint: of the data, a hash of its content. contents: of the images of each case, the same.
    suite: the text of suite.toml, "" for a suite from Python.
    """

    path: Path
    name: str
    data: str
    fingerprint: str
    superclasses: Mapping[str, list[str]]
    suite: str
    contents: Mapping[str, str]

    @cached_property
    def results(self) -> pd.DataFrame:
        """results.csv."""
        return record.read_results(self.path / "results.csv")

    @cached_property
    def outcomes(self) -> pd.DataFrame:
        """outcomes.parquet."""
        return record.read_outcomes(self.path / "outcomes.parquet")

    def weights(self, model: str, seed: int) -> str:
        """The hash of a model's weights; "" where it is not there."""
        rows = self.results[(self.results["model"] == model) & (self.results["seed"] == seed)]
        return rows["weights"].iloc[0] if len(rows) else ""


def read(path: Path) -> Report:
    """What stands in a report folder.

    Raises ReportError where there is none, where it is damaged, and where it does not say on which images it was made.
    """
    if not path.is_dir():
        raise ReportError(f"{path}: there is no such folder in {Path.cwd()}; `robust run SUITE --out {path}` makes it")
    try:
        about = json.loads(files.text(path / "environment.json"))
        data = about["data"]
        suite = path / "suite.toml"
        text = files.text(suite) if suite.is_file() else ""
        toml.loads(text)
        if "fingerprint" not in data:
            raise ReportError(f"{path}: does not say on which images it was made; run its suite again")
        told = data["name"], data["fingerprint"], data["superclasses"]
        return Report(path, about["suite"], *told, text, about.get("contents", {}))
    except (OSError, ValueError, KeyError, TypeError, RecursionError, AttributeError) as error:
        raise ReportError(f"{path}: is no report that can be compared ({error!r})") from error


def comparable(report: Report, name: str, data: str, fingerprint: str) -> None:
    """Raise ReportError where a report is of another suite or of other data than these."""
    if report.name != name:
        raise ReportError(f"{report.path}: is a report of the suite {report.name!r}, this one is {name!r}")
    if report.fingerprint != fingerprint:
        which = f"of {report.data}, here they are of {data}" if report.data != data else f"another version of {data}"
        raise ReportError(f"{report.path}: its images are {which}; only the same images can be compared")


def same_case(report: Report, case: str, suite: str, content: str | None) -> None:
    """Raise ReportError where a case stands there with another perturbation, or on other images, than in `suite`.

    Args:
        report: the earlier one. case: its name. suite: the text of this suite; nothing is compared where one has none.
        content: the fingerprint of the images of this case, as far as it is known.
    """
    if content and report.contents.get(case, content) != content:
        raise ReportError(f"{report.path}: the images of the case {case} are others; only the same can be compared")
    if not report.suite or not suite:
        return
    there, here = (_case(text, case) for text in (report.suite, suite))
    for key in {**here, **there}:
        if here.get(key) != there.get(key):
            said = f"{key} is {_said(there.get(key))} there and {_said(here.get(key))} here"
            raise ReportError(f"{report.path}: the case {case} is another one: {said}")


def _case(text: str, name: str) -> dict[str, Any]:
    case = toml.loads(text).get("case", {}).get(name, {})
    return {key: value for key, value in case.items() if key not in _JUDGED}


def _said(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value)
