"""Bounds against another model or an earlier report: what they need, what they gave, and how verdicts are said."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from robust.core.errors import ReportError, located
from robust.core.types import NewRow
from robust.results.summaries import comparison, earlier
from robust.results.summaries.pairing import Superclasses, at
from robust.suite import Evaluation, Suite
from robust.suite.bounds import NoWorse


class CaseOutcomes(NamedTuple):
    """What a model said in a case: rows of outcomes, which model it is, see
    `robust.results.summaries.earlier.one_model`, which one made the images, and,
    of an earlier report, the rows of results.csv and the superclasses of the case."""

    outcomes: pd.DataFrame
    model: str
    source: str = ""
    results: pd.DataFrame | None = None
    superclasses: Superclasses | None = None


def rivals(suite: Suite, cell: Evaluation) -> Iterator[Evaluation]:
    """The cells of other models of the suite that the bounds of a cell compare it with.

    A model is not compared with itself. Of a rival with several seeds it is the cell's own seed, else its first.
    """
    for _, limit in limits(cell):
        for model in suite.models:
            if limit.than == model.name:
                yield Evaluation(cell.case, model, cell.seed if cell.seed in model.seeds else model.seeds[0])


def check(
    suite: Suite, cells: Iterable[Evaluation], out: Path, data: str, fingerprint: str, contents: Mapping[str, str]
) -> None:
    """Raise ReportError, with file and line, where an earlier report that a bound names cannot be compared with.

    Args:
        suite: the suite, and those of its cells that are to be judged. out: where the report goes: one that is
            itself the earlier one is made anew, and no bound is judged against it.
        data, fingerprint: of the suite's data. contents: the fingerprint of the images of each case.
    """
    for cell in cells:
        for key, limit in limits(cell):
            if limit.of_report and not _itself(limit, out):
                with located(suite.path, cell.case.line, f"expect.{key}"):
                    report = earlier.read(Path(limit.than))
                    earlier.comparable(report, suite.name, data, fingerprint)
                    _there(report, cell)
                    here = earlier.settings(cell.case.definition)
                    earlier.same_case(report, cell.case.name, here, contents[cell.case.name])


def _there(report: earlier.Report, cell: Evaluation) -> None:
    if _earlier(report, cell) is None:
        known = report.outcomes[["model", "seed", "case"]].drop_duplicates().itertuples(index=False)
        listed = ", ".join(f"{one.case}[{one.model}] at seed {one.seed}" for one in known)
        wanted = f"{cell.case.name}[{cell.model.name}] at seed {cell.seed}"
        raise ReportError(f"{report.path}: has no {wanted}; it has {listed}")


def compared(
    cell: Evaluation,
    ours: CaseOutcomes,
    rival: Callable[[Evaluation], CaseOutcomes | None],
    suite: Suite,
    superclasses: Superclasses,
    out: Path,
) -> Iterator[NewRow]:
    """The rows that the bounds of a cell against others give; see `robust.results.summaries.comparison.judged`.

    Args:
        ours: of the cell. rival: gives those of another cell, None while it has not run.
        superclasses: of the cell's data. out: the folder of the report.

    Raises ReportError where the images cannot be paired.
    """
    for key, limit in limits(cell):
        theirs = _theirs(cell, limit, rival, suite, out)
        if theirs is None:
            yield from comparison.not_judged(key, limit, ours.outcomes)
            continue
        if theirs.results is not None:
            earlier.same_source(limit.than, cell.case.name, theirs.source, ours.source)
            earlier.same_superclasses(limit.than, key, cell.case.name, theirs.superclasses or {}, superclasses)
        same = ours.model == theirs.model != ""
        for row in comparison.judged(key, limit, ours.outcomes, theirs.outcomes, superclasses, same=same):
            yield {**row, "reliability": comparison.verdict(theirs.results, row, key.partition("[")[0])}


def _theirs(
    cell: Evaluation, limit: NoWorse, rival: Callable[[Evaluation], CaseOutcomes | None], suite: Suite, out: Path
) -> CaseOutcomes | None:
    if limit.of_report:
        return None if _itself(limit, out) else _earlier(earlier.read(Path(limit.than)), cell)
    return rival(next(other for other in rivals(suite, cell) if other.model.name == limit.than))


def _earlier(report: earlier.Report, cell: Evaluation) -> CaseOutcomes | None:
    who = {"model": cell.model.name, "seed": cell.seed, "case": cell.case.name}
    rows = at(report.outcomes, who)
    if rows.empty:
        return None
    source = report.source(cell.model.name, cell.seed, cell.case.name)
    groups = report.superclasses_of(cell.case.name)
    return CaseOutcomes(rows, report.model(cell.model.name, cell.seed), source, at(report.results, who), groups)


def limits(cell: Evaluation) -> Iterator[tuple[str, NoWorse]]:
    """The bounds of a cell against others, with their keys; none of a model against itself."""
    for key, limit in cell.case.expect.items():
        if isinstance(limit, NoWorse) and limit.than != cell.model.name:
            yield key, limit


def _itself(limit: NoWorse, out: Path) -> bool:
    return Path(limit.than).resolve() == out.resolve()
