"""The only loop: for each model each case is run, judged and recorded, and the folder is filled."""

import warnings
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

import pandas as pd

from robust.core import files, folders
from robust.core import store as stores
from robust.core.errors import RobustError, StoreError, SuiteError, located
from robust.core.interface import of_a_suite, setting
from robust.core.progress import Progress, Silent
from robust.core.store import Store
from robust.core.types import NewRow, NewTable
from robust.datasets import copies, order, remarks
from robust.datasets.dataset import Dataset
from robust.datasets.given import read
from robust.datasets.held_out import with_validation
from robust.engine import blocks, demands, early, models, recording, reference, understanding
from robust.engine.fitted import Fitted
from robust.models.classifier.memory import fitting
from robust.results import paired_bounds
from robust.suite import Evaluation, Model, Suite, load, selection, transfer
from robust.suite.lines import Lines


def run(
    suite: str | Path | Suite,
    out: str | Path | None = None,
    *,
    k: str = "",
    allow_code: bool = False,
    store: Store | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Run a suite: train what is not trained yet, run the cases, fill the report folder, draw its page.

    Args:
        suite: a suite file, or a suite.
        out: the folder of the report; reports/<name of the suite> where it is not given.
        k: run only the cells whose id fits this expression, as in pytest: "pgd and not lenet5". The
            report also holds what earlier runs have found in the others, but for `python =` models,
            which cannot be known before they are made.
        allow_code: may the suite run somebody's code?
        store: where fitted models and finished blocks are kept; the user's own where it is not given.
        progress: told how far the work is; nobody where it is not given.

    Returns the rows of results.csv that were asked for; the columns are those of `robust.results.tables.RESULTS`.

    Raises RobustError, before anything is trained, for what is wrong with the suite, the data or the folder.
    """
    suite = suite if isinstance(suite, Suite) else load(suite, allow_code=allow_code)
    with folders.importable(suite.folders), of_a_suite() if suite.text else nullcontext():  # a file is written anew
        return _run(suite, Path(out) if out is not None else Path("reports") / suite.name, k, store, progress)


def _run(suite: Suite, out: Path, k: str, store: Store | None, progress: Progress | None) -> pd.DataFrame:
    session = Session(suite, store or stores.default(), progress or Silent())
    chosen = select(suite, k)
    writable(out)
    if progress is None:
        remarks.tell([*remarks.lines(session.sets), *session.copies], None, stacklevel=4)
    session.say(session.of_data())
    session.check(chosen, out)
    try:
        for cell in chosen:
            session.ask(cell)  # what is not trained here is looked at before anything is
        for cell in chosen:
            session.block(cell)
        for cell in chosen:
            session.compared(cell, out)
    except (Exception, KeyboardInterrupt):
        if any(session.find(cell) for cell in suite.cells()):
            session.record(out)  # what was found until now is not lost
        raise
    results = session.record(out)
    warn(session, chosen, progress)
    wanted = pd.MultiIndex.from_tuples([(c.model.name, c.seed, c.case.name) for c in chosen])
    return results[pd.MultiIndex.from_frame(results[["model", "seed", "case"]]).isin(wanted)].reset_index(drop=True)


def warn(session: "Session", cells: Iterable[Evaluation], progress: Progress | None) -> None:
    """Say how each model was understood, and what is in doubt, also where all come from the store."""
    found = [(cell, block) for cell in cells if (block := session.find(cell))]
    session.say(understanding.of_models(found))
    for told in (*understanding.guesses(found), *understanding.doubts_of_models(found)) if progress is None else ():
        warnings.warn(told, stacklevel=4)


def select(suite: Suite, k: str = "") -> list[Evaluation]:
    """The cells whose id fits the expression; raises SuiteError where it is none, or none fits."""
    cells = list(suite.cells())
    chosen = [cell for cell in cells if selection.fits(k, cell.id)] if k else cells
    if not chosen:
        raise SuiteError(f"nothing fits -k {k!r}; there are {', '.join(cell.id for cell in cells)}")
    return chosen


def writable(out: Path) -> None:
    """Raise StoreError where a folder cannot be written, or holds what others have, before any work is done for it."""
    other = setting("out", f"{out}-2")
    strange = [name for name in ("results.csv", "index.html") if (out / name).exists()]
    if strange and not (out / "environment.json").exists():
        raise StoreError(f"{out}: holds {strange[0]}, and is no report of robust; choose another folder, as in {other}")
    if (out / "samples").is_symlink():  # what lies where it leads would be written over
        raise StoreError(f"{out / 'samples'}: is a link out of the folder; remove it, or choose another, as in {other}")
    files.check_folder(out, other)


class Session:
    """One suite under way: its data, and the model that is in memory; two, where one shows the other its images."""

    def __init__(self, suite: Suite, store: Store, progress: Progress):
        self.suite, self.store, self.progress = suite, store, progress
        models.meet(suite.models)
        self._given = _data(suite)
        self.data = with_validation(self._given) if needs_validation(suite) else self._given
        self._ready: dict[tuple[str, int], Fitted] = {}
        self._identities: dict[tuple[str, int], str] = {}
        self._failed: dict[tuple[str, int], RobustError] = {}
        self._data_of: dict[str, Dataset] = {}
        for case in suite.cases:
            with located(suite.path, case.line):
                self._data_of[case.name] = blocks.data_of(case, self.data)
            demands.check(suite, case, self._data_of[case.name], self.data)
        demands.distinct(suite, self._data_of)
        self._said: set[str] = set()

    def of_data(self) -> list[str]:
        """How the data was understood, in lines: what was passed by, the order of the classes, what was held out."""
        from_elsewhere = not all(models.is_made_here(model) for model in self.suite.models)
        ordered = [order.said(self.data)] if from_elsewhere else []
        held = self.data.notes if demands.asks(self.suite.cases, "validation") else ()
        sure = "a model that has learned these images elsewhere is surer of them than of others"
        return [*remarks.lines(self.sets), *self.copies, *ordered, *(f"{note}; {sure}" for note in held)]

    @cached_property
    def copies(self) -> list[str]:
        """Which images of the data come several times, in lines."""
        learned = any(model.train for model in self.suite.models) or demands.asks(self.suite.cases, "train")
        sets = {data.content: data for data in (self.data, *self._data_of.values())}
        return [line for data in sets.values() for line in copies.found(data, learned=learned and data is self.data)]

    def notes(self) -> list[str]:
        """How data and models were understood: the lines of the terminal, of pytest and of the page."""
        levelled = [case.name for case in self.suite.cases if case.choice == "balanced"]
        told = f"balanced, as many images of each class, so that all classes count alike: {', '.join(levelled)}"
        return [*self.of_data(), *([told] if levelled else []), *understanding.of_models(self._found())]

    def say(self, lines: Iterable[str]) -> None:
        """Tell whoever watches, each line once."""
        for line in lines:
            if line not in self._said:
                self._said.add(line)
                self.progress.say(line)

    @property
    def sets(self) -> list[Dataset]:
        """All data that the suite names: its own, and that of its cases."""
        return [self.data, *self._data_of.values()]

    def ask(self, cell: Evaluation) -> None:
        """Look at a model that is not trained here with two images, so that a bad one is told at once."""
        if self.find(cell) is not None:
            return
        case = cell.case
        calls = (*case.calls, *case.profile, *case.metrics)
        for (model, seed), put_to in zip(
            filter(None, [(cell.model, cell.seed), self.source(cell)]), (calls, ()), strict=False
        ):
            if not models.is_made_here(model):
                fitted = self.fitted(model, seed)
                with models.named(model):
                    early.look(fitted.classifier, fitted.seen(self.data).first("test", 2), put_to, self.progress.say)

    def fitted(self, model: Model, seed: int) -> Fitted:
        """The model as a classifier; only the last are held in memory. What failed once is not tried again."""
        key = model.name, seed
        if key in self._failed:
            raise self._failed[key]
        if key not in self._ready:
            held = list(self._ready)
            for old in held[: len(held) - any(case.source for case in self.suite.cases)]:
                del self._ready[old]
            self._ready[key] = self._prepared(model, seed)
            self._identities[key] = self._ready[key].identity
        self._ready[key] = self._ready.pop(key)  # the last one that was asked for
        return self._ready[key]

    def source(self, cell: Evaluation) -> tuple[Model, int] | None:
        """The model and the seed on which the images of a transfer are made: the cell's own seed, if it has that."""
        if (model := transfer.source(cell.case, self.suite.models)) is None:
            return None
        return model, cell.seed if cell.seed in model.seeds else model.seeds[0]

    def _prepared(self, model: Model, seed: int) -> Fitted:
        try:
            made = models.prepare(model, seed, self.data, self.store, self.progress)
            if not models.is_made_here(model):
                self.say(understanding.understood(model.name, made.about))
            return replace(made, answers=partial(reference.answers, made, model, self.data, self.store))
        except RobustError as error:
            self._failed[model.name, seed] = error
            raise

    def block(self, cell: Evaluation) -> Path:
        """The finished block of a cell: from the store, or computed now."""
        if (known := self.find(cell)) is not None:
            return known
        data = self._data_of[cell.case.name]
        source = self.source(cell)
        shown = None if source is None else blocks.asked(self.fitted(*source), self.data, data)
        fitted = blocks.asked(self.fitted(cell.model, cell.seed), self.data, data)
        self.progress.stage(cell.id, max(len(cell.case.calls), 1))
        key = self._key(cell, fitted.identity, shown.identity if shown else None)
        case = cell.case if shown is None else blocks.lent(cell.case, shown, fitted, data)
        with located(self.suite.path, cell.case.line, cell.id):
            path = self.store.keep(
                "blocks",
                key,
                lambda out: fitting(
                    fitted.classifier,
                    lambda: blocks.make(fitted, self.suite.seed, case, data, self.progress, out),
                    self.progress.say,
                ),
            )
        self.progress.say(f"{cell.id}: {recording.brief(self.suite, cell, path)}")
        return path

    def check(self, cells: Iterable[Evaluation], out: Path) -> None:
        """Raise ReportError for an earlier report that the bounds of these cells cannot be judged against."""
        contents = {name: data.content for name, data in self._data_of.items()}
        paired_bounds.check(self.suite, cells, out, self.data.name, self._given.fingerprint, contents)

    def compared(self, cell: Evaluation, out: Path) -> list[NewRow]:
        """The rows of a finished cell's bounds against others; the cells of other models are run for it."""
        for rival in paired_bounds.rivals(self.suite, cell):
            self.block(rival)
        return recording.compared(self.suite, self.data, cell, self.find, out)

    def identity(self, model: Model, seed: int) -> str | None:
        """What identifies a model in the store; None while it is not made."""
        return self._identities.get((model.name, seed)) or models.identity(model, seed, self.data, self.store)

    def know(self, identities: Mapping[tuple[str, int], str]) -> None:
        """Learn which models other processes have made, by name and seed."""
        self._identities.update(identities)

    def find(self, cell: Evaluation) -> Path | None:
        """The block of a cell if it is finished; nothing is trained or loaded for it."""
        if (identity := self.identity(cell.model, cell.seed)) is None:
            return None
        source = self.source(cell)
        shown = None if source is None else self.identity(*source)
        if source is not None and shown is None:
            return None
        return self.store.find("blocks", self._key(cell, identity, shown))

    def _key(self, cell: Evaluation, identity: str, made_by: str | None) -> NewTable:
        """The key of a cell's block, given what identifies its model and the source of a transfer."""
        source = self.source(cell)
        shown = blocks.source_key(made_by, source[0]) if source and made_by is not None else None
        return blocks.key(self.suite.seed, cell, self._data_of[cell.case.name], identity, shown)

    def record(self, out: Path) -> pd.DataFrame:
        """Fill the report folder with every block that is finished, draw the page, and return the results."""
        return recording.fill(out, self.suite, self.data, self._found(), self.notes(), self._given.fingerprint)

    def _found(self) -> list[tuple[Evaluation, Path]]:
        """The cells that are finished."""
        return [(cell, block) for cell in self.suite.cells() if (block := self.find(cell)) is not None]


def _data(suite: Suite) -> Dataset:
    if isinstance(suite.data, Dataset):
        return suite.data
    with located(suite.path, Lines(suite.path, suite.text).find("data") if suite.path else 0):
        return read(suite.data)


def needs_validation(suite: Suite) -> bool:
    """Is anything trained, or measured on the validation split? Else no label of train needs to be read."""
    return any(model.train for model in suite.models) or demands.asks(suite.cases, "validation")
