"""Bounds against another model or an earlier report: their requirements and their rows in results.csv."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from robust.core.errors import ReportError, located
from robust.core.types import NewRow
from robust.results import manifest
from robust.results.summaries import comparison, earlier
from robust.results.summaries.pairing import Superclasses, rows_at
from robust.suite import Evaluation, Suite
from robust.suite.bounds import NoWorse


class CaseOutcomes(NamedTuple):
    """The outcomes of a model in a case.

    model: what identifies it, see `robust.results.summaries.earlier.one_model`; source: that of the model that made
    the images of a transfer. results, superclasses: of an earlier report, the rows of results.csv and the superclasses
    of the case.
    """

    outcomes: pd.DataFrame
    model: str
    source: str = ""
    results: pd.DataFrame | None = None
    superclasses: Superclasses | None = None


def rivals(suite: Suite, evaluation: Evaluation) -> Iterator[Evaluation]:
    """The evaluations of other models of the suite with which the bounds of an evaluation compare it.

    A model is not compared with itself. For a rival with several seeds: the same seed, if it has that, else its first.
    """
    for _, limit in limits(evaluation):
        for model in suite.models:
            if limit.than == model.name:
                seed = evaluation.seed if evaluation.seed in model.seeds else model.seeds[0]
                yield Evaluation(evaluation.case, model, seed)


def check(
    suite: Suite, evaluations: Iterable[Evaluation], out: Path, data: str, fingerprint: str, contents: Mapping[str, str]
) -> None:
    """Raise ReportError, with file and line, where no comparison with the earlier report of a bound is possible.

    Args:
        suite, evaluations: the suite, and those of its evaluations that are judged. out: the folder of the report:
            where it is itself the earlier report it is overwritten, and no bound is judged against it.
        data, fingerprint: of the suite's data. contents: the fingerprint of the images of each case.
    """
    for evaluation in evaluations:
        for key, limit in limits(evaluation):
            if limit.of_report and not _itself(limit, out):
                with located(suite.path, evaluation.case.line, f"expect.{key}"):
                    report = earlier.read(Path(limit.than))
                    earlier.comparable(report, suite.name, data, fingerprint)
                    _there(report, evaluation)
                    here = earlier.settings(evaluation.case.definition)
                    earlier.same_case(report, evaluation.case.name, here, contents[evaluation.case.name])


def changed(suite: Suite, out: Path) -> Iterator[str]:
    """The earlier reports of bounds that were changed since they were written, a line each."""
    names = {limit.than for one in suite.evaluations() for _, limit in limits(one) if limit.of_report}
    for path in sorted(Path(name) for name in names if Path(name).resolve() != out.resolve()):
        if path.is_dir() and (words := str(manifest.changes(path))):
            yield f"{path}, which bounds compare with: {words}"


def _there(report: earlier.Report, evaluation: Evaluation) -> None:
    if _earlier(report, evaluation) is None:
        known = report.outcomes[["model", "seed", "case"]].drop_duplicates().itertuples(index=False)
        listed = ", ".join(f"{one.case}[{one.model}] at seed {one.seed}" for one in known)
        wanted = f"{evaluation.case.name}[{evaluation.model.name}] at seed {evaluation.seed}"
        raise ReportError(f"{report.path}: has no {wanted}; it has {listed}")


def compared(
    evaluation: Evaluation,
    ours: CaseOutcomes,
    rival: Callable[[Evaluation], CaseOutcomes | None],
    suite: Suite,
    superclasses: Superclasses,
    out: Path,
) -> Iterator[NewRow]:
    """The rows for the bounds of an evaluation against others; see `robust.results.summaries.comparison.judged`.

    Args:
        ours: of the evaluation. rival: returns those of another evaluation, None until it has run.
        superclasses: of the evaluation's data. out: the folder of the report.

    Raises ReportError where the images cannot be paired.
    """
    for key, limit in limits(evaluation):
        theirs = _theirs(evaluation, limit, rival, suite, out)
        if theirs is None:
            yield from comparison.not_judged(key, limit, ours.outcomes)
            continue
        if theirs.results is not None:
            earlier.same_source(limit.than, evaluation.case.name, theirs.source, ours.source)
            earlier.same_superclasses(limit.than, key, evaluation.case.name, theirs.superclasses or {}, superclasses)
        same = ours.model == theirs.model != ""
        for row in comparison.judged(key, limit, ours.outcomes, theirs.outcomes, superclasses, same=same):
            yield {**row, "reliability": comparison.level(theirs.results, row, key.partition("[")[0])}


def _theirs(
    evaluation: Evaluation, limit: NoWorse, rival: Callable[[Evaluation], CaseOutcomes | None], suite: Suite, out: Path
) -> CaseOutcomes | None:
    if limit.of_report:
        return None if _itself(limit, out) else _earlier(earlier.read(Path(limit.than)), evaluation)
    return rival(next(other for other in rivals(suite, evaluation) if other.model.name == limit.than))


def _earlier(report: earlier.Report, evaluation: Evaluation) -> CaseOutcomes | None:
    run = {"model": evaluation.model.name, "seed": evaluation.seed, "case": evaluation.case.name}
    rows = rows_at(report.outcomes, run)
    if rows.empty:
        return None
    source = report.source(evaluation.model.name, evaluation.seed, evaluation.case.name)
    groups = report.superclasses_of(evaluation.case.name)
    model = report.model(evaluation.model.name, evaluation.seed)
    return CaseOutcomes(rows, model, source, rows_at(report.results, run), groups)


def limits(evaluation: Evaluation) -> Iterator[tuple[str, NoWorse]]:
    """The bounds of an evaluation against others, with their keys; none of a model against itself."""
    for key, limit in evaluation.case.expect.items():
        if isinstance(limit, NoWorse) and limit.than != evaluation.model.name:
            yield key, limit


def _itself(limit: NoWorse, out: Path) -> bool:
    return Path(limit.than).resolve() == out.resolve()
