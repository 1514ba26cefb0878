"""The only loop: for each model each case is run, judged and recorded, and the folder is filled."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import pandas as pd

from robust import blocks, expression, models, recording, targets
from robust import store as stores
from robust.datasets.dataset import Dataset
from robust.datasets.given import dataset_of
from robust.errors import DataError, RobustError, StoreError, SuiteError, suggest
from robust.models import Fitted
from robust.progress import Progress, Silent
from robust.schema import metrics
from robust.store import Store
from robust.suite import Case, Cell, Model, Suite, load
from robust.suite.lines import Lines
from robust.trial import Trial


def run(
    suite: str | Path | Suite,
    out: str | Path | None = None,
    *,
    k: str = "",
    trust: bool = False,
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
        trust: may the suite run somebody's code?
        store: where fitted models and finished blocks are kept; the user's own where it is not given.
        progress: told how far the work is; nobody where it is not given.

    Returns the rows of results.csv that were asked for; the columns are those of `robust.record.RESULTS`.

    Raises RobustError, before anything is trained, for what is wrong with the suite, the data or the folder.
    """
    suite = suite if isinstance(suite, Suite) else load(suite, trust=trust)
    out = Path(out) if out is not None else Path("reports") / suite.name
    session = Session(suite, store or stores.default(), progress or Silent())
    chosen = select(suite, k)
    writable(out)
    try:
        for cell in chosen:
            session.ask(cell)  # what is not trained here is looked at before anything is
        for cell in chosen:
            session.block(cell)
    except (RobustError, KeyboardInterrupt):
        if any(session.find(cell) for cell in suite.cells()):
            session.record(out)  # what was found until now is not lost
        raise
    results = session.record(out)
    wanted = pd.MultiIndex.from_tuples([(c.model.name, c.seed, c.case.name) for c in chosen])
    return results[pd.MultiIndex.from_frame(results[["model", "seed", "case"]]).isin(wanted)].reset_index(drop=True)


def select(suite: Suite, k: str = "") -> list[Cell]:
    """The cells whose id fits the expression; raises SuiteError where it is none, or none fits."""
    cells = list(suite.cells())
    chosen = [cell for cell in cells if expression.fits(k, cell.id)] if k else cells
    if not chosen:
        raise SuiteError(f"nothing fits -k {k!r}; there are {', '.join(cell.id for cell in cells)}")
    return chosen


def writable(out: Path) -> None:
    """Raise StoreError where a folder cannot be made or written, before any work is done for it."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise StoreError(
            f"{out}: cannot be written ({error.strerror or error}); choose another folder with --out"
        ) from error


class Session:
    """One suite under way: its data, and the model that is in memory."""

    def __init__(self, suite: Suite, store: Store, progress: Progress):
        self.suite, self.store, self.progress = suite, store, progress
        models.meet(suite.models)
        self.data = _data(suite)
        self._ready: tuple[Model, int, Fitted] | None = None
        self._identities: dict[tuple[str, int], str] = {}
        self._failed: dict[tuple[str, int], RobustError] = {}
        self._data_of: dict[str, Dataset] = {}
        for case in suite.cases:
            with _at(suite, case.line):
                self._data_of[case.name] = blocks.data_of(case, self.data)
            _check(suite, case, self._data_of[case.name])

    def ask(self, cell: Cell) -> None:
        """Look at a model that is not trained here with one image, so that a bad one is told at once."""
        if not models.is_made_here(cell.model) and self.find(cell) is None:
            fitted = self.fitted(cell.model, cell.seed)
            with models.named(cell.model):
                fitted.classifier.logits(self.data.examples("test", 1).images)

    def fitted(self, model: Model, seed: int) -> Fitted:
        """The model as a classifier; only the last one is held in memory. What failed once is not tried again."""
        if (model.name, seed) in self._failed:
            raise self._failed[model.name, seed]
        if self._ready is None or self._ready[:2] != (model, seed):
            self._ready = model, seed, self._prepared(model, seed)
            self._identities[model.name, seed] = self._ready[2].identity
        return self._ready[2]

    def _prepared(self, model: Model, seed: int) -> Fitted:
        try:
            return models.prepare(model, seed, self.data, self.store, self.progress)
        except RobustError as error:
            self._failed[model.name, seed] = error
            raise

    def block(self, cell: Cell) -> Path:
        """The finished block of a cell: from the store, or computed now."""
        if (known := self.find(cell)) is not None:
            return known
        data = self._data_of[cell.case.name]
        fitted = blocks.asked(self.fitted(cell.model, cell.seed), self.data, data)
        self.progress.stage(cell.id, max(len(cell.case.perturbations), 1))
        key = blocks.key(self.suite.seed, cell, data, fitted.identity)
        with _placed(self.suite, cell):
            path = self.store.keep(
                "blocks", key, lambda out: blocks.make(fitted, self.suite.seed, cell.case, data, self.progress, out)
            )
        self.progress.say(f"{cell.id}: {recording.brief(self.suite, cell, path)}")
        return path

    def identity(self, model: Model, seed: int) -> str | None:
        """What identifies a model in the store; None while it is not made."""
        return self._identities.get((model.name, seed)) or models.identity(model, seed, self.data, self.store)

    def know(self, identities: Mapping[tuple[str, int], str]) -> None:
        """Learn which models other processes have made, by name and seed."""
        self._identities.update(identities)

    def find(self, cell: Cell) -> Path | None:
        """The block of a cell if it is finished; nothing is trained or loaded for it."""
        if (identity := self.identity(cell.model, cell.seed)) is None:
            return None
        data = self._data_of[cell.case.name]
        return self.store.find("blocks", blocks.key(self.suite.seed, cell, data, identity))

    def record(self, out: Path) -> pd.DataFrame:
        """Fill the report folder with every block that is finished, draw the page, and return the results."""
        found = [(cell, block) for cell in self.suite.cells() if (block := self.find(cell)) is not None]
        return recording.fill(out, self.suite, self.data, found)


def _data(suite: Suite) -> Dataset:
    if isinstance(suite.data, Dataset):
        return suite.data
    with _at(suite, Lines(suite.path, suite.text).find("data") if suite.path else 0):
        return dataset_of(suite.data(), name=suite.data.name)


@contextmanager
def _at(suite: Suite, line: int) -> Iterator[None]:
    """What is wrong with data is said with file and line."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{suite.path}:{line}: {error}" if suite.path else str(error)) from None


@contextmanager
def _placed(suite: Suite, cell: Cell) -> Iterator[None]:
    """Errors of a case say which it was and where it stands."""
    try:
        yield
    except RobustError as error:
        where = f"{suite.path}:{cell.case.line}: " if suite.path else ""
        raise type(error)(f"{where}{cell.id}: {error}") from error


def _check(suite: Suite, case: Case, data: Dataset) -> None:
    """What only the data can tell: are the images, targets and groups there that the case speaks of?"""
    where = f"{suite.path}:{case.line}: " if suite.path else ""
    if case.images is not None and case.images > data.size("test"):
        raise SuiteError(f"{where}images = {case.images}: the test split of {data.name} has {data.size('test')}")
    try:
        if case.target is not None:
            targets.check(case.target, data.classes)
        if case.expect:
            _check_bounds(case, data)
    except SuiteError as error:
        raise SuiteError(f"{where}{error}") from None


def _check_bounds(case: Case, data: Dataset) -> None:
    """Would a model that is always right give the values that are bounded, and could they ever meet the bounds?"""
    given = {(v.metric, v.group): v.unit for m in case.measures for v in m(_perfect(case, data))}
    inspected = {metric for call in case.inspections for metric in metrics(call)}
    for key, bound in case.expect.items():
        metric, _, group = key.removesuffix("]").partition("[")
        pair = group.split(" -> ")
        if unknown := [part for part in pair if part and part not in {*data.classes, *data.superclasses}]:
            raise SuiteError(f"expect: there is no class {unknown[0]!r}{suggest(unknown[0], data.classes)}")
        if (metric, group) not in given and len(pair) != 2 and metric not in inspected:
            groups = [g for m, g in given if m == metric and g]
            say = f'say of which class: "{metric}[{groups[0]}]"' if groups else f"{metric} is one value, of all images"
            raise SuiteError(f"expect: {key!r} is not a value of this case; {say}")
        if given.get((metric, group)) == "proportion" and (bound.low > 1 or bound.high < 0):
            raise SuiteError(f"expect: {key} {bound.text}: a proportion lies in [0, 1]; 80 % is 0.80")


def _perfect(case: Case, data: Dataset) -> Trial:
    """The trial of a model that is always right, on one image of each class."""
    labels = np.arange(len(data.classes))
    aims = None if case.target is None else np.roll(labels, 1)
    return Trial(data.classes, labels.astype(str), labels, np.eye(len(labels)), dict(data.superclasses), aims)
