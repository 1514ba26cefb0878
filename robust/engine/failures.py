"""What could not be run: it is kept with its message and its place, and everything else is run."""

import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from robust.core import text
from robust.core.errors import ModelError, ReportError, RobustError, StoreError, SuiteError, located
from robust.core.types import NewRow
from robust.results.tables import FAILED, NO_VALUE
from robust.suite import Evaluation, Suite


@dataclass(frozen=True)
class Failure:
    """A piece of work that could not be done: the error, where in the code it was raised, how many images it held."""

    error: Exception
    place: str
    images: int

    @classmethod
    def of(cls, error: Exception, images: int = 0) -> "Failure":
        """The failure of an error that was just caught."""
        frames = traceback.extract_tb(error.__traceback__)
        return cls(error, f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "", images)

    @property
    def message(self) -> str:
        """The type of the error, what it says and, unless it was raised on purpose, where it comes from."""
        known = isinstance(self.error, RobustError)
        return f"{type(self.error).__name__}: {self.error}" + ("" if known else f" ({self.place})")


class UnitsFailedError(Exception):
    """Units of an evaluation that could not be run; all its others were."""

    def __init__(self, failures: list[Failure]):
        super().__init__(failures[0].message)
        self.failures = failures

    def at(self, path: object, line: int, what: str) -> "UnitsFailedError":
        """The same, where the first error begins with the file, the line and what it is about, see `located`."""
        first = self.failures[0]
        try:
            with located(path, line, what):
                raise first.error
        except Exception as error:
            return UnitsFailedError([replace(first, error=error), *self.failures[1:]])


@dataclass(frozen=True)
class Failed:
    """An evaluation that could not be run, and why.

    kind, message: of the first error, its type and what it says. missing: how many of its images have no result.
    """

    evaluation: Evaluation
    kind: str
    message: str
    missing: int
    images: int

    @classmethod
    def of(cls, evaluation: Evaluation, error: Exception, images: int) -> "Failed":
        """For an error that was caught; images: of the whole evaluation."""
        failures = error.failures if isinstance(error, UnitsFailedError) else [Failure.of(error, images)]
        missing = min(sum(one.images for one in failures), images)
        return cls(evaluation, type(failures[0].error).__name__, failures[0].message, missing, images)

    @property
    def why(self) -> str:
        """How many images are missing, where it is not all, and the message of the first error."""
        return ("" if self.missing == self.images else f"{self.missing} of {self.images} images, ") + self.message

    def __str__(self) -> str:
        return f"{self.evaluation.id}: {self.why}"

    def row(self, suite: Suite, data: str) -> NewRow:
        """Its row of results.csv."""
        run = {"model": self.evaluation.model.name, "seed": self.evaluation.seed, "case": self.evaluation.case.name}
        return {
            "suite": suite.name, "data": data, "split": "test", **run, "metric": FAILED, "subset": self.kind,
            "value": self.missing / self.images, "unit": "proportion", "n": self.images,
            "choice": self.evaluation.case.choice, "ci_method": f"{NO_VALUE}{text.printable(self.message)}",
        }  # fmt: skip


class Attempts:
    """Runs pieces of work of evaluations; what fails is kept, and nothing more of its evaluation is run.

    Errors in the suite, in an earlier report or in the store concern everything: they are raised.
    """

    def __init__(self, images: Callable[[Evaluation], int], say: Callable[[str], None], *, fail_fast: bool):
        self._images, self._say, self._fail_fast = images, say, fail_fast
        self.first: Exception | None = None
        self.failed: dict[str, Failed] = {}

    def run(self, evaluation: Evaluation, work: Callable[[], object]) -> None:
        """Do a piece of work, unless one of the same evaluation has failed."""
        if evaluation.id in self.failed:
            return
        try:
            work()
        except (SuiteError, StoreError, ReportError):
            raise
        except Exception as error:
            self._keep(evaluation, error)

    def _keep(self, evaluation: Evaluation, error: Exception) -> None:
        if self._fail_fast:
            raise as_error(evaluation, error)
        self.first = self.first or as_error(evaluation, error)
        self.failed[evaluation.id] = Failed.of(evaluation, error, self._images(evaluation))
        self._say(f"failed: {self.failed[evaluation.id]}")

    def check(self, chosen: Iterable[Evaluation]) -> None:
        """Raise the first error where nothing could be run."""
        if self.first is not None and len(self.failed) == len([*chosen]):
            raise self.first


def as_error(evaluation: Evaluation, error: Exception) -> RobustError:
    """The error to raise: that of a model's own code is a ModelError."""
    first = error.failures[0] if isinstance(error, UnitsFailedError) else Failure.of(error)
    if isinstance(first.error, RobustError):
        return first.error
    raised = ModelError(f"{evaluation.id}: {first.message}")
    raised.__cause__ = first.error
    return raised
