"""The only loop: for each model each case is run, judged and recorded, and the folder is filled."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any

import keras
import pandas as pd

from robust import blocks, expression, models, recording, targets
from robust import store as stores
from robust.datasets.dataset import Dataset, from_arrays
from robust.errors import StoreError, SuiteError, suggest
from robust.models import Fitted
from robust.progress import Progress, Silent
from robust.schema import Call, bind
from robust.store import Store
from robust.suite import Case, Cell, Model, Suite, load


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
            report also holds what earlier runs have found in the others.
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
    for cell in chosen:
        session.block(cell)
    results = session.record(out)
    wanted = pd.MultiIndex.from_tuples([(c.model.name, c.seed, c.case.name) for c in chosen])
    return results[pd.MultiIndex.from_frame(results[["model", "seed", "case"]]).isin(wanted)].reset_index(drop=True)


def evaluate(
    model: keras.Model,
    data: tuple[Any, Any] | Dataset,
    attacks: Sequence[str | Mapping[str, Any]] = (),
    *,
    eps: float | str | Sequence[float | str] | None = None,
    measures: Sequence[str | Mapping[str, Any]] = ("accuracy",),
    classes: int | Sequence[str] | None = None,
    pixels: tuple[float, float] | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Measure a Keras model on clean images and under attacks.

    Args:
        model: any `keras.Model` that classifies; its pixel range is `pixels`, where it does not say it itself.
        data: (images [N, H, W, C] in [0, 1] or uint8, labels [N]), or a `robust` data set.
        attacks: names, or tables as in a suite: {"name": "pgd", "eps": "8/255", "steps": 40}.
        eps: of the attacks that give none of their own; a list is run upward.
        measures: what is measured of each.
        classes: names of the classes, or how many; else the model's outputs are counted.
        seed: of all that is random. out: a folder for the report, if one is wanted.
        progress: told how far the work is; nobody where it is not given.

    Returns a DataFrame with the columns of `robust.record.RESULTS`; cases are "clean" and the attacks' names.

    Raises RobustError for what is wrong with the model, the data or the attacks.
    """
    if not isinstance(data, Dataset):
        data = from_arrays(*data, classes=classes if classes is not None else _outputs(model))
    measured = tuple(bind("measures", m) for m in measures)
    cases = [Case("clean", measures=measured)]
    for table in attacks:
        table = {"name": table} if isinstance(table, str) else dict(table)
        name = _unused(table.get("name", ""), [case.name for case in cases])
        perturbations, target = _perturbations({"eps": eps, **table} if eps is not None else table)
        cases.append(Case(name, perturbations, target, measures=measured))
    named = Model(model.name, "memory", model, seeds=(seed,), pixels=pixels)
    suite = Suite(f"evaluate-{model.name}", (named,), tuple(cases), data, seed)
    with TemporaryDirectory(prefix="robust-") as scratch:
        folder = Path(out) if out is not None else Path(scratch) / "report"
        return run(suite, folder, store=Store(Path(scratch)), progress=progress)


def _outputs(model: keras.Model) -> int | None:
    shape = getattr(model, "output_shape", None)
    return shape[-1] if isinstance(shape, tuple) else None


def _unused(name: str, used: list[str]) -> str:
    return name if name not in used else next(n for i in range(2, 99) if (n := f"{name}-{i}") not in used)


def _perturbations(table: dict[str, Any]) -> tuple[tuple[Call, ...], Any]:
    target, strengths = table.pop("target", None), table.get("eps")
    if not isinstance(strengths, Sequence) or isinstance(strengths, str):
        return (bind("attacks", table),), target
    calls = [bind("attacks", {**table, "eps": e}) for e in strengths]
    return tuple(sorted(calls, key=lambda call: call.arguments["eps"])), target


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
        self.data: Dataset = suite.data() if isinstance(suite.data, Call) else suite.data
        self._ready: tuple[Model, int, Fitted] | None = None
        self._identities: dict[tuple[str, int], str] = {}
        for case in suite.cases:
            _check(suite, case, blocks.data_of(case, self.data))

    def fitted(self, model: Model, seed: int) -> Fitted:
        """The model as a classifier; only the last one is held in memory."""
        if self._ready is None or self._ready[:2] != (model, seed):
            fitted = models.prepare(model, seed, self.data, self.store, self.progress)
            self._ready = model, seed, fitted
            self._identities[model.name, seed] = fitted.identity
        return self._ready[2]

    def block(self, cell: Cell) -> Path:
        """The finished block of a cell: from the store, or computed now."""
        if (known := self.find(cell)) is not None:
            return known
        fitted = self.fitted(cell.model, cell.seed)
        data = blocks.data_of(cell.case, self.data)
        self.progress.stage(cell.id, max(len(cell.case.perturbations), 1))
        path = self.store.keep(
            "blocks",
            blocks.key(self.suite.seed, cell, data, fitted.identity),
            lambda out: blocks.make(fitted, self.suite.seed, cell.case, data, self.progress, out),
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
        data = blocks.data_of(cell.case, self.data)
        return self.store.find("blocks", blocks.key(self.suite.seed, cell, data, identity))

    def record(self, out: Path) -> pd.DataFrame:
        """Fill the report folder with every block that is finished, draw the page, and return the results."""
        found = [(cell, block) for cell in self.suite.cells() if (block := self.find(cell)) is not None]
        return recording.fill(out, self.suite, self.data, found)


def _check(suite: Suite, case: Case, data: Dataset) -> None:
    """What only the data can tell: are the images, targets and groups there that the case speaks of?"""
    where = f"{suite.path}:{case.line}: " if suite.path else ""
    if case.images is not None and case.images > data.size("test"):
        raise SuiteError(f"{where}images = {case.images}: the test split of {data.name} has {data.size('test')}")
    if case.target is not None:
        try:
            targets.check(case.target, data.classes)
        except SuiteError as error:
            raise SuiteError(f"{where}{error}") from None
    groups = {*data.classes, *data.superclasses}
    for key in case.expect:
        group = key.partition("[")[2].removesuffix("]")
        if unknown := [part for part in group.split(" -> ") if part and part not in groups]:
            raise SuiteError(f"{where}expect: there is no class {unknown[0]!r}{suggest(unknown[0], groups)}")
