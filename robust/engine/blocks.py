"""A block: all results of one case on one model, merged from the evidence of its units."""

import functools
import json
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd

from robust.attacks import diagnostics
from robust.core import files
from robust.core import store as stores
from robust.core.errors import ModelError, StoreError
from robust.core.progress import Progress
from robust.core.signature import Call
from robust.core.types import NewTable
from robust.datasets import channels
from robust.datasets.choice import chosen
from robust.datasets.dataset import Dataset
from robust.datasets.taxonomy import trees
from robust.engine import executor, keys, reference_predictions, units
from robust.engine.case_data import outside_of
from robust.engine.fitted import Fitted
from robust.engine.perturb import no_image_left
from robust.engine.units import Clean, Work
from robust.models.classifier import Classifier
from robust.models.classifier.structure_hash import structure_hash
from robust.results import evidence
from robust.results.evaluation import EvaluationResult, Predictions, with_valid_intervals
from robust.results.summaries.corruption_error import own_errors
from robust.suite import Case

_ROWS = "rows.json"


def restricted(fitted: Fitted, data: Dataset, case_data: Dataset) -> Fitted:
    """The model as a case evaluates it: where the case restricts to the classes of its own data, with only these.

    ImageNet-A and ImageNet-R are evaluated so (Hendrycks et al., CVPR 2021 and ICCV 2021).
    """
    if case_data.classes == data.classes:
        return fitted
    kept = [data.classes.index(name) for name in case_data.classes]
    predictions = fitted.predictions and reference_predictions.restricted(fitted.predictions, kept)
    return replace(fitted, classifier=fitted.classifier.restricted(kept), predictions=predictions)


def with_source(case: Case, source: Fitted, fitted: Fitted, data: Dataset) -> Case:
    """A transfer case with the classifier that its images are made on, in place of the name.

    Raises ModelError where one of the two takes the data in grey and the other in colour.
    """
    one, other = source.with_model_channels(data).image_shape[2], fitted.with_model_channels(data).image_shape[2]
    if one != other:
        names = f"model {fitted.classifier.model.name}", f"images of {one} channels that {source.classifier.model.name}"
        raise ModelError(f"{names[0]} takes {other} channels and cannot be evaluated on the {names[1]} makes")

    def filled(call: Call) -> Call:
        given = call.arguments
        return replace(call, arguments={**given, "source": source.classifier}) if "source" in given else call

    return replace(
        case,
        perturbations=tuple(filled(call) for call in case.perturbations),
        minimal=case.minimal and filled(case.minimal),
    )


def make(work: Work, progress: Progress, out: Path, name: str = "") -> None:
    """Run what is missing of a case and fill the block's folder.

    values.json, outcomes.parquet and about.json, and for each strength samples-<i>.npz; where a metric names examples
    also shown-<i>.npz, and ood/. name: of the evaluation, for its progress.
    """
    clean = Clean(work)
    executor.run(work, clean, progress, name=name)
    case, data = work.case, work.data
    predictions = functools.cache(functools.partial(_predictions, work.fitted, case, data, out))
    values, tables, places = [], [], []
    images, checks = Originals(work), Checks(work)
    for i, (call, result, cost) in enumerate(merged(work, clean)):
        result = with_features(work, clean, result, i, predictions)
        places.append({**_strength(call), **_passes(result), **cost})
        found = [v for metric in case.metrics for v in with_valid_intervals(metric.name, metric(result), result)]
        pixels = _pixels(work, images, i, {*work.shown, *(name for v in found for name in v.examples)})
        found = [v._replace(examples=tuple(name for name in v.examples if name in pixels)) for v in found]
        values += [{**places[-1], **v._asdict()} for v in found]
        tables.append(result.outcomes(model="", seed=0, case=case.name, **_strength(call)))  # the run adds the model
        save_samples(out / f"samples-{i}.npz", work, images, pixels, work.shown)
        if named := {name for v in found for name in v.examples}:
            save_samples(out / f"shown-{i}.npz", work, images, pixels, named)
        checks.add(i, result, images)
    values += [{**_strength(case.calls[0] if case.calls else None), **row} for row in _profile(work)]
    for place, rows in zip(places, checks.rows(), strict=True):
        values += [{**place, **row} for row in rows]
    outcomes_of_all = pd.concat(tables)
    if any(call.kind == "corruptions" for call in case.calls):
        values += own_errors(outcomes_of_all)
    outcomes_of_all.to_parquet(out / "outcomes.parquet", index=False)
    files.write(out / "values.json", json.dumps(values))
    strengths = [_strength(call) for call in case.calls or (None,)]
    about = {"data": data.name, "content": data.content, "images": len(tables[0]), "strengths": strengths}
    about |= {"guesses": _guesses(work), "groups": own_groups(case, data), "classes": list(data.classes)}
    about |= {
        "source": next((source_form(call.arguments["source"]) for call in case.calls if call.name == "transfer"), "")
    }
    files.write(out / "about.json", json.dumps({**about, "model": dict(work.fitted.about)}))


def merged(work: Work, clean: Clean) -> Iterable[tuple[Call | None, EvaluationResult, dict[str, float]]]:
    """The perturbation, the result, and the seconds and occupancy of each strength, from the evidence of all shards."""
    rows = np.flatnonzero(work.taken)
    plain = before = units.unperturbed(work, clean, rows)
    if not work.case.calls:
        yield None, plain, {"seconds": round(clean.seconds(rows), 3)}
    for i, call in enumerate(work.case.calls):
        found = evidence_of(work, i)
        read: NewTable = {name: evidence.joined(found, name) for name in ("ids", *units.ARRAYS)}
        if i == 0:  # the images and targets are those of every strength
            before = _repeated(plain, read["ids"], read["targets"])
        del read["ids"]
        if work.case.minimal is not None:
            read |= {"limit": call.arguments["eps"], "norm": call.arguments["norm"]}
        yield call, replace(before, clean=before, **{**read, "by": read["by"].astype(object)}), _cost(found)


def evidence_of(work: Work, place: int) -> list[Path]:
    """The evidence of all shards at a strength, those without an image to attack left out."""
    found = [path for shard in work.shards if (path := work.found(shard, place)) is not None]
    if len(found) < len(work.shards):
        raise StoreError(
            f"{work.store.root}: results of {work.case.name} were removed while they were read; run it again"
        )
    there = [path for path in found if len(evidence.array(path, "ids"))]
    if not there:
        raise no_image_left(work.case)
    return there


def _repeated(plain: EvaluationResult, ids: np.ndarray, targets: np.ndarray | None) -> EvaluationResult:
    """The clean result with a row for each target of an image; without those that are not attacked."""
    place = {name: row for row, name in enumerate(plain.ids.tolist())}
    rows = np.array([place[name] for name in ids.tolist()])
    return replace(plain, ids=ids, labels=plain.labels[rows], logits=plain.logits[rows], targets=targets)


def with_features(
    work: Work, clean: Clean, result: EvaluationResult, place: int, predictions: Callable[[str], Predictions]
) -> EvaluationResult:
    """The result from which metrics can get features, perturbed and clean, and predictions on other images."""

    def of_clean() -> np.ndarray:
        _declared(work)
        rows = np.flatnonzero(work.taken)
        places = dict(zip(work.data.ids("test")[rows].tolist(), rows.tolist(), strict=True))
        return clean.of(units.FEATURES, np.array([places[name] for name in result.ids.tolist()]))

    def of_perturbed() -> np.ndarray:
        _declared(work)
        found = evidence.joined(evidence_of(work, place), "features")
        assert found is not None
        return found

    unperturbed = result.clean and replace(result.clean, get_features=of_clean)
    own = of_clean if result.clean is None else of_perturbed
    return replace(result, get_features=own, clean=unperturbed, get_predictions=predictions)


def _declared(work: Work) -> None:
    if not work.needs_features:
        raise ModelError('a metric uses features that it does not declare: add needs=("features",) to its decorator')


def _pixels(work: Work, images: "Originals", place: int, names: set[str]) -> dict[str, tuple[str, np.ndarray]]:
    """The target and the perturbed image of these examples, by id, as far as they were kept."""
    if not work.case.calls:
        return {name: ("", image) for name, image in images.of(names).items()}
    return evidence.kept(evidence_of(work, place), names)


class Originals:
    """Unperturbed test images by id, each decoded once."""

    def __init__(self, work: Work):
        self._work = work
        self._known: dict[str, np.ndarray] = {}

    def of(self, names: Set[str]) -> dict[str, np.ndarray]:
        """The images of these ids."""
        data = self._work.data
        wanted = np.isin(data.ids("test"), sorted(names - self._known.keys()))
        if wanted.any():
            found = data.at("test", wanted)
            self._known |= dict(zip(found.ids.tolist(), found.images, strict=True))
        return {name: self._known[name] for name in names if name in self._known}


class Checks:
    """The reliability at each strength; the checks run once for the same units."""

    def __init__(self, work: Work):
        self._work = work
        self._levels: list[int] = []  # images of each strength
        self._runs: list[diagnostics.AttackRun] = []
        self._probed: set[str] = set()

    def add(self, place: int, result: EvaluationResult, images: Originals) -> None:
        """Note the result at a strength, and of an attack what its checks need, unless they ran before."""
        work = self._work
        self._levels.append(len(result.ids))
        if not work.declared.attacked:
            return
        if place == 0:
            self._probed = sample_ids(result, diagnostics.IMAGES, work.seed, work.case.balanced)
        if work.store.find("checks", self._key) is None:
            trace = evidence.joined(evidence_of(work, place), "trace")
            assert trace is not None
            call, own = work.case.calls[place], images.of(self._probed)
            self._runs.append(
                diagnostics.attack_run(work.fitted.classifier, call, result, trace, own, work.seed, work.case.name)
            )

    def rows(self) -> list[list[NewTable]]:
        """The rows of the table at each strength."""
        if self._work.declared.attacked:
            path = self._work.store.get_or_make("checks", self._key, self._make)
            return json.loads((path / _ROWS).read_text("utf-8"))
        found = diagnostics.Diagnosis(self._work.fitted.classifier.doubts)
        return [[v._asdict() for v in diagnostics.values(found, n)] if found.reasons else [] for n in self._levels]

    def _make(self, out: Path) -> None:
        checked = zip(diagnostics.diagnose(self._runs), self._runs, strict=True)
        rows = [[v._asdict() for v in diagnostics.values(found, len(run.is_adv))] for found, run in checked]
        files.write(out / _ROWS, json.dumps(rows))

    @functools.cached_property
    def _key(self) -> NewTable:
        work = self._work
        digests = [stores.digest(work.unit_key(shard, i)) for i in range(len(work.case.calls)) for shard in work.shards]
        code = stores.code_of(work.declared.calls, "robust.attacks.diagnostics")
        probed = tuple(sorted(self._probed))
        return asdict(keys.ChecksKey(units=tuple(digests), probed=probed, code=code, **work.identity))


def _profile(work: Work) -> list[NewTable]:
    """The values of the profiles of a case, computed once for a model."""
    if not work.case.profile:
        return []
    calls = tuple(call.key() for call in work.case.profile)
    key = asdict(keys.ProfileKey(calls=calls, code=stores.code_of(work.case.profile), **work.identity))

    def make(out: Path) -> None:
        found = [v._asdict() for call in work.case.profile for v in call(work.fitted.classifier, work.data)]
        files.write(out / _ROWS, json.dumps(found))

    return json.loads((work.store.get_or_make("profiles", key, make) / _ROWS).read_text("utf-8"))


def source_form(source: Classifier) -> str:
    """What identifies the model that makes the images of a transfer: its weights, layers and pixels."""
    return f"{source.weights}/{structure_hash(source.model, source.preprocessing, source.output)}"


def _guesses(work: Work) -> list[str]:
    sets = [work.given] if work.case.ood is None else [work.given, outside_of(work.case, work.given)]
    return [guess for each in sets if (guess := channels.conversion_remark(each, work.fitted.takes))]


def own_groups(case: Case, data: Dataset) -> dict[str, list[str]]:
    """The superclasses of the case's own hierarchy or data; none where it uses those of the suite's data."""
    own = [m.arguments for m in case.metrics if m.name == "hierarchy" and m.arguments.get("tree")]
    if not own:
        return {} if case.data is None else {name: list(members) for name, members in data.superclasses.items()}
    found: dict[str, list[str]] = {}
    tree, level = own[0]["tree"], own[0].get("level")
    paths = trees.above(tree, {}, data.classes)
    for name, group in zip(data.classes, trees.superclasses(tree, paths, data.classes, level), strict=True):
        found.setdefault(group, []).append(name)
    return found


def sample_ids(result: EvaluationResult, n: int, seed: int, balanced: bool) -> set[str]:
    """The ids of at most n of a case's images."""
    ids, rows = np.unique(result.ids, return_index=True)
    return set(ids[chosen(ids.tolist(), result.labels[rows], n, seed, balanced)].tolist())


def _predictions(fitted: Fitted, case: Case, data: Dataset, out: Path, split: str) -> Predictions:
    """The predictions on a split of the suite's data, or on the images from outside; the block keeps the latter."""
    if split != "ood":
        return (
            fitted.predictions(split)
            if fitted.predictions
            else reference_predictions.predict(fitted.classifier, data, split)
        )
    (out / "ood").mkdir(exist_ok=True)  # it exists if a batch did not fit in memory and the evaluation starts again
    found = reference_predictions.predict(fitted.classifier, fitted.with_model_channels(outside_of(case, data)), "test")
    reference_predictions.save(found, out / "ood")
    return found


def _strength(call: Call | None) -> NewTable:
    """The columns that identify the perturbation and its strength."""
    if call is None:
        return {"perturbation": "clean", "norm": "", "eps": None, "severity": None}
    given = call.arguments
    norm = given.get("norm", "") if call.kind == "attacks" else ""
    return {"perturbation": call.name, "norm": norm, "eps": given.get("eps"), "severity": given.get("severity")}


def _passes(result: EvaluationResult) -> dict[str, float]:
    return {k: 0.0 if (v := getattr(result, k)) is None else float(v.mean()) for k in ("n_forward", "n_backward")}


def _cost(found: Iterable[Path]) -> dict[str, float]:
    """The seconds of a strength, and of the passes that its search made the share that an image needed."""
    about = [evidence.about(folder) for folder in found]
    needed, made = np.sum([each["passes"] for each in about], axis=0).tolist()
    occupancy = {"occupancy": needed / made} if made else {}
    return {"seconds": round(sum(each["seconds"] for each in about), 3), **occupancy}


def save_samples(
    path: Path, work: Work, images: Originals, pixels: Mapping[str, tuple[str, np.ndarray]], names: set[str]
) -> None:
    """The images of these examples, before and after the perturbation, and the target of the attack on each."""
    before = images.of(names & pixels.keys())
    ids = [name for name in work.data.ids("test")[work.taken].tolist() if name in before]
    shape = (0, *work.data.image_shape)
    np.savez_compressed(
        path,
        ids=np.array(ids, dtype=str),
        targets=np.array([pixels[name][0] for name in ids], dtype=str),
        original=np.array([before[name] for name in ids], np.float32) if ids else np.empty(shape, np.float32),
        perturbed=np.array([pixels[name][1] for name in ids], np.float32) if ids else np.empty(shape, np.float32),
    )
