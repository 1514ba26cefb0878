"""Units of work: a model on a shard of images, clean or perturbed. Each is small, pure and named by its content."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from robust.core import store as stores
from robust.core.declared import yields
from robust.core.signature import Call
from robust.core.store import Store
from robust.core.types import NewTable, Table
from robust.datasets.choice import chosen as choose
from robust.datasets.dataset import Dataset, Examples
from robust.engine import keys, shards
from robust.engine.fitted import Fitted
from robust.engine.perturb import Start, aim, of_examples
from robust.engine.shards import Shard
from robust.models.features import features
from robust.results import evidence
from robust.results.attack_result import AttackResult
from robust.results.evaluation import EvaluationResult
from robust.results.outcome import Outcome
from robust.suite import Case

SAMPLES = 10  # images of a case that are shown at each strength: one per class where there are ten
KEPT = 32  # perturbed images whose pixels a unit keeps besides, at most: misclassified ones, to illustrate metrics
CLEAN, FEATURES, PERTURBED = "clean", "features", "perturbed"
"""Kinds of evidence in the store."""
ARRAYS = ("logits", "by", "linf", "l2", "n_forward", "n_backward", "rounded", "distance", "targets")


@dataclass(frozen=True, eq=False)
class Work:
    """One case on one model, ready to be run.

    seed: of the suite. case: with the source of a transfer filled in; declared: as the suite has it. fitted: the model.
    data: of the case, with the channels that the model takes; given: with its own. how: the model is evaluated, see
    `keys.model_key`. source: what identifies the source of a transfer. base: bool [N], the test images on which clean
    predictions are made: those of all cases on this data.
    """

    seed: int
    case: Case
    declared: Case
    fitted: Fitted
    data: Dataset
    given: Dataset
    how: Table
    source: Table | None
    base: np.ndarray
    store: Store

    @cached_property
    def taken(self) -> np.ndarray:
        """The test images of the case, bool [N]."""
        return shards.taken(self.case, self.data, self.seed)

    @cached_property
    def shards(self) -> list[Shard]:
        """Those of the case."""
        return shards.of(self.data, self.taken)

    @cached_property
    def base_shards(self) -> list[Shard]:
        """Those of the clean predictions."""
        return shards.of(self.data, self.base)

    @cached_property
    def needs_features(self) -> bool:
        """Does a metric of the case use penultimate features?"""
        return any("features" in yields("metrics", metric.name).needs for metric in self.case.metrics)

    @cached_property
    def shown(self) -> set[str]:
        """The ids of the images that are shown at each strength."""
        ids, labels = self.data.ids("test")[self.taken], self.data.labels("test")[self.taken]
        if isinstance(self.case.target, str) or self.case.target is None:
            able = labels != _class(self.case.target, self.data)
        else:
            able = np.isin(labels, [self.data.classes.index(name) for name in self.case.target])
        return set(ids[able][choose(ids[able].tolist(), labels[able], SAMPLES, self.seed, True)].tolist())

    @cached_property
    def code(self) -> str:
        """The code of the perturbations and of the engine."""
        return keys.unit_code(self.declared)

    @cached_property
    def identity(self) -> Table:
        """The fields that all keys of the evaluation share."""
        data = (self.data.content, self.data.channels or "", self.data.code)
        return {
            "model": self.fitted.identity, "how": self.how, "data": data, "classes": self.data.classes,
            "takes": self.fitted.takes,
        }  # fmt: skip

    def clean_key(self, what: str, shard: Shard) -> NewTable:
        """The key of the clean predictions, or features, of a shard of the base."""
        code = stores.code("robust.engine.reference_predictions")
        return asdict(keys.CleanKey(what=what, ids=tuple(shard.ids.tolist()), code=code, **self.identity))

    @cached_property
    def _known(self) -> dict[tuple[int, int], Path]:
        return {}

    @cached_property
    def _keys(self) -> dict[tuple[int, int], NewTable]:
        return {}

    def unit_key(self, shard: Shard, place: int) -> NewTable:
        """The key of a shard at a strength."""
        if (shard.number, place) not in self._keys:
            self._keys[shard.number, place] = self._unit_key(shard, place)
        return self._keys[shard.number, place]

    def _unit_key(self, shard: Shard, place: int) -> NewTable:
        calls = tuple(call.key() for call in keys.chain(self.declared, place))
        ids = shard.ids.tolist()
        kept = tuple(name for name in ids if name in self.shown)
        return asdict(
            keys.UnitKey(
                seed=self.seed, name=self.case.name, calls=calls, target=self.case.target,
                minimal=self.case.minimal is not None, kept=kept, features=self.needs_features, source=self.source,
                ids=tuple(ids), code=self.code, **self.identity,
            )
        )  # fmt: skip

    def found(self, shard: Shard, place: int) -> Path | None:
        """The evidence of a shard at a strength, if it is there."""
        where = shard.number, place
        if where not in self._known and (path := self.store.find(PERTURBED, self.unit_key(shard, place))) is not None:
            self._known[where] = path
        return self._known.get(where)

    def is_done(self, shard: Shard) -> bool:
        """Is the evidence of a shard there at every strength?"""
        return all(self.found(shard, place) for place in range(len(self.case.calls)))


def _class(target: str | None, data: Dataset) -> int:
    """The class that no image of is attacked, as it is the target; -1 where there is none."""
    return data.classes.index(target) if target in data.classes else -1


class Clean:
    """The clean predictions of a model on the base, made shard by shard and read memory-mapped."""

    def __init__(self, work: Work):
        self.work = work
        self._place, self._size = np.cumsum(work.base) - 1, shards.size(work.data)
        self._folders: dict[tuple[str, int], Path] = {}

    def numbers(self, rows: np.ndarray) -> list[int]:
        """The numbers of the base's shards that hold these rows."""
        return np.unique(self._place[rows] // self._size).tolist()

    def has(self, what: str, number: int) -> bool:
        """Does the store have this shard of the base?"""
        return self._find(what, number) is not None

    def _find(self, what: str, number: int) -> Path | None:
        if (what, number) not in self._folders:
            key = self.work.clean_key(what, self.work.base_shards[number])
            if (path := self.work.store.find(what, key)) is None:
                return None
            self._folders[what, number] = path
        return self._folders[what, number]

    def make(self, what: str, number: int, images: np.ndarray) -> None:
        """Evaluate the model on the images of a shard."""
        work, shard = self.work, self.work.base_shards[number]
        evaluate = work.fitted.classifier.logits if what == CLEAN else lambda x: features(work.fitted.classifier, x)

        def fill(out: Path) -> None:
            began = time.perf_counter()
            found = evaluate(images)
            evidence.write(out, {what: found}, {"seconds": round(time.perf_counter() - began, 3)})

        work.store.get_or_make(what, work.clean_key(what, shard), fill)

    def seconds(self, rows: np.ndarray) -> float:
        """How long the predictions of the shards of these rows took."""
        found = [path for number in self.numbers(rows) if (path := self._find(CLEAN, number)) is not None]
        return sum(evidence.about(path)["seconds"] for path in found)

    def of(self, what: str, rows: np.ndarray) -> np.ndarray:
        """The logits [N, C], or features [N, D], at these rows of the split; all must have been made."""
        places = self._place[rows]
        numbers, found = places // self._size, None
        for number in np.unique(numbers).tolist():
            path = self._find(what, number)
            assert path is not None, f"{what} predictions of shard {number} were not made"
            part = evidence.array(path, what)
            found = np.empty((len(rows), *part.shape[1:]), part.dtype) if found is None else found
            found[numbers == number] = part[places[numbers == number] % self._size]
        assert found is not None
        return found


def unperturbed(work: Work, clean: Clean, rows: np.ndarray) -> EvaluationResult:
    """The result without a perturbation, at these rows of the test split."""
    data = work.data
    ids, labels = data.ids("test")[rows], data.labels("test")[rows]
    return EvaluationResult(data.classes, ids, labels, clean.of(CLEAN, rows), dict(data.superclasses))


def run(work: Work, clean: Clean, shard: Shard, images: np.ndarray) -> None:
    """Perturb the images of a shard at every strength that the store does not have."""
    examples = Examples(images, shard.labels, shard.ids)
    examples, result = aim(work.case, examples, unperturbed(work, clean, shard.rows), work.seed)
    places, start, before = _left(work, shard, examples)
    case = _only(work.case, [work.case.calls[place] for place in places])
    for place, outcome in zip(
        places, of_examples(work.fitted.classifier, case, examples, result, work.seed, start), strict=True
    ):
        key, last = work.unit_key(shard, place), place == len(work.case.calls) - 1
        path = work.store.get_or_make(
            PERTURBED, key, lambda out, o=outcome, b=before, last=last: _save(work, o, b, out, last=last)
        )
        before = path if outcome.call is not None and outcome.call.kind == "attacks" else None


def _only(case: Case, calls: Sequence[Call]) -> Case:
    return case if case.minimal is not None else replace(case, perturbations=tuple(calls))


def _left(work: Work, shard: Shard, examples: Examples) -> tuple[list[int], Start | None, Path | None]:
    """The strengths that are left to do, where an attack begins, and the evidence that it goes on from."""
    found = [work.found(shard, place) for place in range(len(work.case.calls))]
    missing = [place for place, path in enumerate(found) if path is None]
    if not work.declared.attacked or not missing:
        return missing, None, None
    before = found[missing[0] - 1] if missing[0] else None
    if before is None or not evidence.has(before, "standing"):  # its pixels were not kept: all again
        return list(range(len(found))), None, None
    return list(range(missing[0], len(found))), _restored(before, examples), before


def _restored(folder: Path, examples: Examples) -> Start:
    """The result at a smaller eps, with the images that an attack goes on from."""
    images = examples.images.copy()
    images[evidence.array(folder, "standing")] = evidence.array(folder, "standing_images")
    read = {name: np.array(evidence.array(folder, name)) for name in ARRAYS if evidence.has(folder, name)}
    trace = np.array(evidence.array(folder, "trace"))
    found = AttackResult(images, read["by"].astype(object), read["n_forward"], read["n_backward"], trace)
    return Start(found, read["logits"], read["linf"], read["l2"], read["rounded"])


def _save(work: Work, outcome: Outcome, before: Path | None, out: Path, *, last: bool) -> None:
    """Fill the evidence of a shard at a strength.

    before: the evidence at a smaller eps that an attack went on from: the images that were fooled there already are
    as they were, and may have no pixels any more.
    """
    result, n = outcome.result, len(outcome.result.ids)
    arrays = {name: getattr(result, name) for name in ("ids", "labels", *ARRAYS)}
    arrays["trace"] = outcome.trace
    standing = ~_fooled(result)
    known = np.ones(n, bool) if before is None else np.array(evidence.array(before, "by")) == ""
    if work.needs_features:
        arrays["features"] = features(work.fitted.classifier, outcome.perturbed)
        if before is not None:
            arrays["features"][~known] = evidence.array(before, "features")[~known]
    arrays |= _kept(work, outcome, np.flatnonzero(known), before)
    if last and work.case.minimal is None and work.declared.attacked:
        arrays |= {"standing": np.flatnonzero(standing), "standing_images": outcome.perturbed[standing]}
    evidence.write(out, arrays, {"seconds": round(outcome.seconds, 3), "passes": outcome.passes})


def _fooled(result: EvaluationResult) -> np.ndarray:
    return np.zeros(len(result.ids), bool) if result.by is None else result.by != ""


def _kept(work: Work, outcome: Outcome, known: np.ndarray, before: Path | None) -> NewTable:
    """The pixels of the shown images, and of a few that are misclassified: of several targets the first success."""
    result = outcome.result
    ordered = known[np.argsort(~result.attack_success[known], kind="stable")]
    rows = ordered[np.unique(result.ids[ordered], return_index=True)[1]]
    shown = np.isin(result.ids[rows], sorted(work.shown))
    wrong = _one_of_each(rows[~shown & (result.predicted[rows] != result.labels[rows])], result)[:KEPT]
    rows = np.sort(np.concatenate([rows[shown], wrong])).astype(int)
    ids, targets = result.ids[rows], _targets(result, rows)
    images = outcome.perturbed[rows]
    if before is not None:
        old = ~np.isin(evidence.array(before, "kept_ids"), ids)
        ids, targets, images = (
            np.concatenate([mine, evidence.array(before, name)[old]])
            for mine, name in ((ids, "kept_ids"), (targets, "kept_targets"), (images, "kept"))
        )
    return {"kept_ids": ids, "kept_targets": targets, "kept": images}


def _one_of_each(rows: np.ndarray, result: EvaluationResult) -> np.ndarray:
    """The rows, those first that are the first of their label and prediction."""
    if not len(rows):
        return rows
    pairs = np.stack([result.labels[rows], result.predicted[rows]], axis=1)
    _, first = np.unique(pairs, axis=0, return_index=True)
    return np.concatenate([rows[np.sort(first)], np.delete(rows, first)])


def _targets(result: EvaluationResult, rows: Iterable[int]) -> np.ndarray:
    rows = np.asarray(rows, int)
    if result.targets is None:
        return np.full(len(rows), "", dtype="<U1")
    return np.array(result.classes)[result.targets[rows]]
