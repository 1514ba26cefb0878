"""The main loop: for each model each case is run, judged and recorded, and the report folder is filled."""

import warnings
from collections.abc import Iterable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from robust.core import files, suite_folder
from robust.core import store as stores
from robust.core.errors import RobustError, StoreError, SuiteError, located
from robust.core.progress import Progress, Silent
from robust.core.remedies import of_a_suite, setting
from robust.core.store import Store
from robust.core.types import NewRow, NewTable
from robust.datasets import copies, order, remarks
from robust.datasets.dataset import Dataset
from robust.datasets.from_python import read
from robust.datasets.held_out import with_validation
from robust.engine import (
    blocks,
    case_data,
    early_checks,
    executor,
    keys,
    model_notes,
    prepare_models,
    recording,
    reference_predictions,
    requirements,
    shards,
)
from robust.engine.failures import Attempts, Failed, UnitsFailedError
from robust.engine.fitted import Fitted
from robust.engine.units import Clean, Work
from robust.results import paired_bounds
from robust.suite import Evaluation, Model, Suite, load, selection, transfer
from robust.suite.lines import Lines


class Engine(Protocol):
    """Runs what the store does not have of evaluations, on other machines say, and leaves the results in the store."""

    def run(self, session: "Session", evaluations: Iterable[Evaluation], attempts: Attempts) -> None:
        """Run them; what failed is noted in `attempts`."""
        ...


def run(
    suite: str | Path | Suite,
    out: str | Path | None = None,
    *,
    k: str = "",
    allow_code: bool = False,
    store: Store | None = None,
    progress: Progress | None = None,
    fail_fast: bool = False,
    engine: Engine | None = None,
) -> pd.DataFrame:
    """Run a suite: train what is not trained yet, run the cases, fill the report folder, write its page.

    Args:
        suite: a suite file, or a suite.
        out: the folder of the report; by default reports/<name of the suite>.
        k: run only the evaluations whose id matches this expression, as in pytest: "pgd and not lenet5". The
            report also contains the results of earlier runs for the others, except for `python =` models,
            which are unknown until they are made.
        allow_code: may the suite run third-party code?
        store: where fitted models and finished blocks are kept; by default the user's store.
        progress: receives the progress of the run; by default there is no output.
        fail_fast: stop at the first evaluation that cannot be run, instead of running the others.
        engine: runs the units elsewhere, see `robust.engine.ray_executor`; by default they run in this process.

    Returns the requested rows of results.csv; the columns are those of `robust.results.tables.RESULTS`.

    An evaluation that cannot be run (a model that raises on a batch, an attack that leaves its ball, an unreadable
    image) is a row with the metric "failed", and a mark on the page; the others are run.

    Raises RobustError, before anything is trained, for errors in the suite, the data or the folder; and the first error
    where nothing could be run.
    """
    suite = suite if isinstance(suite, Suite) else load(suite, allow_code=allow_code)
    # With a suite file, remedies are given in terms of the file.
    with suite_folder.importable(suite.folders), of_a_suite() if suite.text else nullcontext():
        folder = Path(out) if out is not None else Path("reports") / suite.name
        return _run(suite, folder, k, store, progress, engine, fail_fast=fail_fast)


def _run(
    suite: Suite,
    out: Path,
    k: str,
    store: Store | None,
    progress: Progress | None,
    engine: Engine | None,
    *,
    fail_fast: bool,
) -> pd.DataFrame:
    session = Session(suite, store or stores.default(), progress or Silent())
    chosen = select(suite, k)
    writable(out)
    if progress is None:
        remarks.report([*remarks.lines(session.sets), *session.copies], None, stacklevel=4)
    session.report(session.of_data())
    session.check(chosen, out)
    session.report(paired_bounds.changed(suite, out))
    attempts = Attempts(session.images, session.progress.say, fail_fast=fail_fast)
    try:
        for evaluation in chosen:  # models not trained here are checked before anything is trained
            attempts.run(evaluation, partial(session.check_model, evaluation))
        attempts.check(chosen)
        if engine is not None:
            engine.run(session, chosen, attempts)
        for evaluation in chosen:
            attempts.run(evaluation, partial(session.block, evaluation))
        attempts.check(chosen)
        for evaluation in chosen:
            attempts.run(evaluation, partial(session.compared, evaluation, out))
    except (Exception, KeyboardInterrupt):
        if any(session.find(evaluation) for evaluation in suite.evaluations()):
            session.record(out, attempts.failed.values())  # the results so far are not lost
        raise
    results = session.record(out, attempts.failed.values())
    warn(session, chosen, progress)
    for one in attempts.failed.values() if progress is None else ():
        warnings.warn(f"could not be run: {one}", stacklevel=3)
    wanted = pd.MultiIndex.from_tuples([(c.model.name, c.seed, c.case.name) for c in chosen])
    return results[pd.MultiIndex.from_frame(results[["model", "seed", "case"]]).isin(wanted)].reset_index(drop=True)


def warn(session: "Session", evaluations: Iterable[Evaluation], progress: Progress | None) -> None:
    """Report how each model was interpreted, and what is in doubt, also where all results come from the store."""
    found = [(evaluation, block) for evaluation in evaluations if (block := session.find(evaluation))]
    session.report(model_notes.of_models(found))
    for message in (*model_notes.guesses(found), *model_notes.doubts_of_models(found)) if progress is None else ():
        warnings.warn(message, stacklevel=4)


def select(suite: Suite, k: str = "") -> list[Evaluation]:
    """The evaluations whose id matches the expression; raises SuiteError where it is invalid, or none matches."""
    evaluations = list(suite.evaluations())
    chosen = [evaluation for evaluation in evaluations if selection.matches(k, evaluation.id)] if k else evaluations
    if not chosen:
        raise SuiteError(
            f"nothing matches -k {k!r}; there are {', '.join(evaluation.id for evaluation in evaluations)}"
        )
    return chosen


def writable(out: Path) -> None:
    """Raise StoreError where a folder cannot be written, or contains other files, before any work is done for it."""
    other = setting("out", f"{out}-2")
    foreign = [name for name in ("results.csv", "index.html") if (out / name).exists()]
    if foreign and not (out / "environment.json").exists():
        raise StoreError(
            f"{out}: contains {foreign[0]}, but is not a report of robust; choose another folder, as in {other}"
        )
    if (out / "samples").is_symlink():  # files at its target would be overwritten
        raise StoreError(
            f"{out / 'samples'}: is a link out of the folder; remove it, or choose another folder, as in {other}"
        )
    files.check_folder(out, other)


class Session:
    """One run of a suite: its data, and the model in memory; two, for images transferred from one to the other."""

    def __init__(self, suite: Suite, store: Store, progress: Progress):
        self.suite, self.store, self.progress = suite, store, progress
        prepare_models.connect_workers(suite.models)
        self._given = _data(suite)
        self.data = with_validation(self._given) if needs_validation(suite) else self._given
        self._ready: dict[tuple[str, int], Fitted] = {}
        self._identities: dict[tuple[str, int], str] = {}
        self._failed: dict[tuple[str, int], RobustError] = {}
        self._data_of: dict[str, Dataset] = {}
        for case in suite.cases:
            with located(suite.path, case.line):
                self._data_of[case.name] = case_data.data_of(case, self.data)
            requirements.check(suite, case, self._data_of[case.name], self.data)
        requirements.distinct(suite, self._data_of)
        self._reported: set[str] = set()
        self._bases: dict[tuple[str, ...], np.ndarray] = {}

    def of_data(self) -> list[str]:
        """How the data was interpreted, in lines: what was skipped, the order of the classes, what was held out."""
        from_elsewhere = not all(prepare_models.is_made_here(model) for model in self.suite.models)
        ordered = [order.class_order_remark(self.data)] if from_elsewhere else []
        held = self.data.notes if requirements.needs_split(self.suite.cases, "validation") else ()
        sure = "a model that was trained on these images elsewhere is more confident on them than on others"
        return [*remarks.lines(self.sets), *self.copies, *ordered, *(f"{note}; {sure}" for note in held)]

    @cached_property
    def copies(self) -> list[str]:
        """Which images of the data are duplicated, in lines."""
        trained = any(model.train for model in self.suite.models) or requirements.needs_split(self.suite.cases, "train")
        sets = {data.content: data for data in (self.data, *self._data_of.values())}
        return [line for data in sets.values() for line in copies.found(data, learned=trained and data is self.data)]

    def notes(self) -> list[str]:
        """How data and models were interpreted: the lines of the terminal, of pytest and of the page."""
        balanced = [case.name for case in self.suite.cases if case.choice == "balanced"]
        note = f"balanced, equally many images of each class, so that all classes weigh the same: {', '.join(balanced)}"
        return [*self.of_data(), *([note] if balanced else []), *model_notes.of_models(self._found())]

    def report(self, lines: Iterable[str]) -> None:
        """Report progress, each line once."""
        for line in lines:
            if line not in self._reported:
                self._reported.add(line)
                self.progress.say(line)

    @property
    def sets(self) -> list[Dataset]:
        """All data of the suite: its own, and that of its cases."""
        return [self.data, *self._data_of.values()]

    def check_model(self, evaluation: Evaluation) -> None:
        """Evaluate a model that is not trained here on two images, so that an invalid one fails immediately."""
        if self.find(evaluation) is not None:
            return
        case = evaluation.case
        calls = (*case.calls, *case.profile, *case.metrics)
        for (model, seed), checked in zip(
            filter(None, [(evaluation.model, evaluation.seed), self.source(evaluation)]), (calls, ()), strict=False
        ):
            if not prepare_models.is_made_here(model):
                fitted = self.fitted(model, seed)
                with prepare_models.named(model):
                    early_checks.check(
                        fitted.classifier,
                        fitted.with_model_channels(self.data).first("test", 2),
                        checked,
                        self.progress.say,
                    )

    def fitted(self, model: Model, seed: int) -> Fitted:
        """The model as a classifier; only the last ones stay in memory. A model that failed is not tried again."""
        key = model.name, seed
        if key in self._failed:
            raise self._failed[key]
        if key not in self._ready:
            held = list(self._ready)
            for old in held[: len(held) - any(case.source for case in self.suite.cases)]:
                del self._ready[old]
            self._ready[key] = self._prepared(model, seed)
            self._identities[key] = self._ready[key].identity
        self._ready[key] = self._ready.pop(key)  # the last one requested
        return self._ready[key]

    def source(self, evaluation: Evaluation) -> tuple[Model, int] | None:
        """The model and seed on which the images of a transfer are made: the same seed, if that model has it."""
        if (model := transfer.source(evaluation.case, self.suite.models)) is None:
            return None
        return model, evaluation.seed if evaluation.seed in model.seeds else model.seeds[0]

    def _prepared(self, model: Model, seed: int) -> Fitted:
        try:
            made = prepare_models.prepare(model, seed, self.data, self.store, self.progress)
            if not prepare_models.is_made_here(model):
                self.report(model_notes.notes(model.name, made.about))
            return replace(
                made, predictions=partial(reference_predictions.predictions, made, model, self.data, self.store)
            )
        except RobustError as error:
            self._failed[model.name, seed] = error
            raise

    def block(self, evaluation: Evaluation) -> Path:
        """The finished block of an evaluation: from the store, or computed now."""
        if (known := self.find(evaluation)) is not None:
            return known
        work = self.work(evaluation)
        made_by = None if work.source is None else work.source["identity"]
        key = self._key(evaluation, work.fitted.identity, made_by)
        with located(self.suite.path, evaluation.case.line, evaluation.id):
            make = partial(blocks.make, work, self.progress, name=evaluation.id)
            try:
                path = self.store.get_or_make("blocks", key, make)
            except UnitsFailedError as failed:
                raise failed.at(self.suite.path, evaluation.case.line, evaluation.id) from failed
        self.progress.say(f"{evaluation.id}: {recording.brief(self.suite, evaluation, path)}")
        return path

    def work(self, evaluation: Evaluation) -> Work:
        """What the units of an evaluation share; its models are trained or loaded."""
        declared, source, data = evaluation.case, self.source(evaluation), self._data_of[evaluation.case.name]
        transferred = None if source is None else blocks.restricted(self.fitted(*source), self.data, data)
        fitted = blocks.restricted(self.fitted(evaluation.model, evaluation.seed), self.data, data)
        filled = declared if transferred is None else blocks.with_source(declared, transferred, fitted, data)
        of_source = (
            keys.source_key(transferred.identity, source[0], transferred.classifier.attack_precision)
            if source and transferred
            else None
        )
        own = fitted.with_model_channels(data)
        how = keys.model_key(evaluation.model, fitted.classifier.attack_precision)
        return Work(self.suite.seed, filled, declared, fitted, own, data, how, of_source, self._base(data), self.store)

    def _base(self, data: Dataset) -> np.ndarray:
        """The test images of this data that any case uses, bool [N]: the model predicts each of them once."""
        names = tuple(case.name for case in self.suite.cases if _alike(self._data_of[case.name], data))
        if names not in self._bases:
            same = [case for case in self.suite.cases if case.name in names]
            self._bases[names] = np.logical_or.reduce([shards.taken(case, data, self.suite.seed) for case in same])
        return self._bases[names]

    def help(self, evaluations: Iterable[Evaluation]) -> None:
        """Run units of unfinished evaluations that no other process is at; their errors are not raised here.

        No model is trained for it: another process does.
        """
        for evaluation in evaluations:
            if self.find(evaluation) is None and self.identity(evaluation.model, evaluation.seed) is not None:
                with suppress(RobustError, UnitsFailedError):
                    work = self.work(evaluation)
                    executor.run(work, Clean(work), self.progress, wait=False)

    def check(self, evaluations: Iterable[Evaluation], out: Path) -> None:
        """Raise ReportError for an earlier report that the bounds of these evaluations cannot be judged against."""
        contents = {name: data.content for name, data in self._data_of.items()}
        paired_bounds.check(self.suite, evaluations, out, self.data.name, self._given.fingerprint, contents)

    def compared(self, evaluation: Evaluation, out: Path) -> list[NewRow]:
        """The rows of a finished evaluation's bounds against others; those of other models are run for it."""
        for rival in paired_bounds.rivals(self.suite, evaluation):
            self.block(rival)
        return recording.compared(self.suite, self.data, evaluation, self.find, out)

    def identity(self, model: Model, seed: int) -> str | None:
        """What identifies a model in the store; None until it is made."""
        return self._identities.get((model.name, seed)) or prepare_models.identity(model, seed, self.data, self.store)

    def add_identities(self, identities: Mapping[tuple[str, int], str]) -> None:
        """Add the models that other processes have made, by name and seed."""
        self._identities.update(identities)

    def find(self, evaluation: Evaluation) -> Path | None:
        """The block of an evaluation if it is finished; nothing is trained or loaded."""
        if (identity := self.identity(evaluation.model, evaluation.seed)) is None:
            return None
        source = self.source(evaluation)
        made_by = None if source is None else self.identity(*source)
        if source is not None and made_by is None:
            return None
        return self.store.find("blocks", self._key(evaluation, identity, made_by))

    def _key(self, evaluation: Evaluation, identity: str, made_by: str | None) -> NewTable:
        """The key of an evaluation's block, given what identifies its model and the source of a transfer."""
        source = self.source(evaluation)
        of_source = keys.source_key(made_by, source[0]) if source and made_by is not None else None
        return keys.key(self.suite.seed, evaluation, self._data_of[evaluation.case.name], identity, of_source)

    def images(self, evaluation: Evaluation) -> int:
        """How many test images a case uses."""
        return evaluation.case.max_images or self._data_of[evaluation.case.name].size("test")

    def record(self, out: Path, failed: Iterable[Failed] = ()) -> pd.DataFrame:
        """Fill the report folder with every finished block, write the page, and return the results."""
        changed = paired_bounds.changed(self.suite, out)
        notes = [*self.notes(), *changed]
        rows = [one.row(self.suite, self._data_of[one.evaluation.case.name].name) for one in failed]
        return recording.fill(out, self.suite, self.data, self._found(), notes, self._given.fingerprint, rows)

    def _found(self) -> list[tuple[Evaluation, Path]]:
        """The finished evaluations, with their blocks."""
        return [
            (evaluation, block)
            for evaluation in self.suite.evaluations()
            if (block := self.find(evaluation)) is not None
        ]


def _alike(one: Dataset, other: Dataset) -> bool:
    """Do they hold the same test images, and can the same classes be predicted?"""
    return (one.content, one.channels, one.classes) == (other.content, other.channels, other.classes)


def _data(suite: Suite) -> Dataset:
    if isinstance(suite.data, Dataset):
        return suite.data
    with located(suite.path, Lines(suite.path, suite.text).find("data") if suite.path else 0):
        return read(suite.data)


def needs_validation(suite: Suite) -> bool:
    """Is anything trained, or computed on the validation split? If not, no label of train needs to be read."""
    return any(model.train for model in suite.models) or requirements.needs_split(suite.cases, "validation")
