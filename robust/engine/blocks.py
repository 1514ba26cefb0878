"""A block: all results of one case on one model, computed once and kept in the store."""

import functools
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
import pandas as pd

from robust.attacks import diagnostics
from robust.core import files
from robust.core import store as stores
from robust.core.errors import DataError, ModelError, SuiteError, suggest
from robust.core.progress import Progress
from robust.core.remedies import setting
from robust.core.signature import Call, bind
from robust.core.types import NewTable, Table
from robust.datasets import channels
from robust.datasets.choice import chosen
from robust.datasets.dataset import Dataset, data_key, fingerprint
from robust.datasets.from_python import read
from robust.datasets.order import ordered
from robust.datasets.taxonomy import superclasses, trees
from robust.engine import reference_predictions
from robust.engine.fitted import Fitted
from robust.engine.perturb import outcomes
from robust.models.classifier import Classifier
from robust.models.classifier.structure_hash import structure_hash
from robust.models.features import Features
from robust.results.evaluation import EvaluationResult, Predictions, with_valid_intervals
from robust.results.outcome import Outcome
from robust.results.summaries.corruption_error import own_errors
from robust.suite import Case, Evaluation, Model, transfer

SAMPLES = 10  # images stored per outcome: one per class where there are ten


@dataclass(frozen=True)
class BlockKey:
    """Everything that makes a block what it is.

    seed: of the suite. case: what is done and computed, see `case_key`. data: its content, channels and code, and its
    superclasses. model: the identity of the network. how: how it is evaluated, see `model_key`. source: the model on
    which the images of a transfer are made, see `source_key`. code: of the members and the engine, and of all that
    they import.
    """

    seed: int
    case: Table
    data: tuple[object, ...]
    model: str
    how: Table
    source: Table | None
    code: str


def key(seed: int, evaluation: Evaluation, data: Dataset, identity: str, source: Table | None = None) -> NewTable:
    """The key of a block in the store, see `BlockKey`; bounds are not part of it, they are judged again."""
    case, superclasses = evaluation.case, {name: list(of) for name, of in data.superclasses.items()}
    inner = [bind("attacks", transfer.inner(call.arguments)) for call in case.calls if call.name == transfer.NAME]
    code = stores.code_of([*case.calls, *case.metrics, *case.profile, *inner], "robust.engine.blocks")
    of_data = (*data_key(data), superclasses)
    return asdict(BlockKey(seed, case_key(case), of_data, identity, model_key(evaluation.model), source, code))


NOT_IN_KEY = ("expect", "allow_invalid", "baseline", "models", "data", "line")
"""Fields of a case that judge its results, or define where it runs; its data are in the key by their content."""
ORIGIN_FIELDS = ("name", "source", "train", "seeds", "allow_code")
"""Fields of a model that define how it is made or loaded: its identity is in the key."""


def case_key(case: Case) -> NewTable:
    """What a case does and computes: all of its fields but `NOT_IN_KEY`."""
    return {one.name: key_value(getattr(case, one.name)) for one in fields(case) if one.name not in NOT_IN_KEY}


def model_key(model: Model) -> NewTable:
    """How a network is evaluated: all fields of a model but `ORIGIN_FIELDS`."""
    return {one.name: key_value(getattr(model, one.name)) for one in fields(model) if one.name not in ORIGIN_FIELDS}


def key_value(value: object) -> object:
    """A value of a key; calls are replaced by their identity, see `Call.key`."""
    if isinstance(value, Call):
        return value.key()
    return [key_value(each) for each in value] if isinstance(value, tuple) and not hasattr(value, "_fields") else value


def source_key(identity: str, model: Model) -> NewTable:
    """What identifies the model that makes the images of a transfer, and how it is evaluated."""
    return {"identity": identity, **model_key(model)}


def data_of(case: Case, data: Dataset) -> Dataset:
    """The data of a case: the suite's, or the shifted set it names, with the same classes or some of them.

    With some of them, all classes of the suite's data can still be predicted, as in the model itself; where the case
    restricts, only those of the shifted set.

    Raises DataError where it has a class that the suite's data does not have, or images of another shape. One may be
    grey and the other colour: each model is given both with the channels that it takes.
    """
    if case.ood is not None:  # the images from outside are part of the data, too
        found = data_of(replace(case, ood=None), data)
        outer = outside_of(case, data)
        both = repr((found.fingerprint, outer.fingerprint)).encode()
        remarks = (*found.remarks, *(f"outside, {outer.name}: {each}" for each in outer.remarks))
        return replace(found, fingerprint=fingerprint(both), remarks=remarks)
    if case.data is None:
        return data
    shifted = read(case.data)
    if not channels.alike(shifted, data):
        shapes = f"images of shape {shifted.image_shape}, those of {data.name} have {data.image_shape}"
        raise DataError(f"case {case.name}: {shifted.name} has {shapes}")
    if unknown := [name for name in shifted.classes if name not in set(data.classes)]:
        what = f"{shifted.name} has a class {unknown[0]!r} that {data.name} does not have"
        raise DataError(f"case {case.name}: {what}{suggest(unknown[0], data.classes)}")
    return placed(case, shifted, data)


def placed(case: Case, shifted: Dataset, data: Dataset) -> Dataset:
    """A shifted set with the classes of the suite's data, or only with its own where the case restricts to these."""
    part = f"{len(shifted.classes)} of the {len(data.classes)} classes of {data.name}"
    if case.restrict and case.profile and shifted.classes != data.classes:
        what = f"a profile uses all outputs of a model, and {shifted.name} has {part}"
        raise DataError(f"case {case.name}: {what}; leave out profile, or restrict")
    own = superclasses.are_own(shifted.superclasses, shifted.classes)
    found = shifted if case.restrict or shifted.classes == data.classes else ordered(shifted, data.classes)
    groups = shifted.superclasses if own else restricted_superclasses(data, found.classes)
    # The classes that can be predicted are part of the data.
    with_classes = fingerprint(repr((data.classes, found.fingerprint)).encode())
    only_own = setting("restrict", True)
    how = "only these can be predicted" if case.restrict else f"all can be predicted; {only_own} restricts to its own"
    found = replace(found, fingerprint=with_classes, superclasses=groups)
    if set(shifted.classes) == set(data.classes):
        return found
    name = f"{found.name}, its classes alone" if case.restrict else found.name  # tables identify data by its name
    return replace(found, name=name, remarks=(*found.remarks, f"has {part}, {how}"))


def restricted_superclasses(data: Dataset, classes: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The superclasses of the suite's data, reduced to these classes."""
    kept = {name: tuple(c for c in members if c in set(classes)) for name, members in data.superclasses.items()}
    return {name: members for name, members in kept.items() if members}


def outside_of(case: Case, data: Dataset) -> Dataset:
    """The images from outside that a case names; raises DataError where their shape differs from that of `data`."""
    if case.ood is None:
        name_some = setting("ood", {"name": "digits"})
        raise SuiteError(f"case {case.name}: no images from outside; name them: {name_some}, or a folder")
    found = read(case.ood)
    if not channels.alike(found, data):
        shapes = f"images of shape {found.image_shape}, those of {data.name} have {data.image_shape}"
        raise DataError(f"case {case.name}: outside: {found.name} has {shapes}")
    return found


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


def make(fitted: Fitted, seed: int, case: Case, data: Dataset, progress: Progress, out: Path) -> None:
    """Run the case and fill the block's folder.

    values.json, outcomes.parquet and about.json, and for each strength logits-<i>.npy and samples-<i>.npz;
    where a metric used them also features-<i>.npy, features-clean.npy, shown-<i>.npz and ood/.
    """
    guesses, data = _guesses(fitted, case, data), fitted.with_model_channels(data)
    values, tables, strengths, places, runs = [], [], [], [], []
    predictions = functools.cache(functools.partial(_predictions, fitted, case, data, out))
    shown: set[str] = set()
    for i, outcome in enumerate(outcomes(fitted.classifier, case, data, seed, progress)):
        where = _strength(outcome.call)
        strengths.append(where)
        places.append({**where, **_cost(outcome)})
        own, clean = (Features(fitted.classifier, images) for images in (outcome.perturbed, outcome.original))
        result = with_features(outcome.result, own, clean, predictions)
        shown = shown or sample_ids(result, SAMPLES, seed, balanced=True)
        found = [v for metric in case.metrics for v in with_valid_intervals(metric.name, metric(result), result)]
        values += [{**places[-1], **v._asdict()} for v in found]
        if i == 0:
            values += _profile(fitted.classifier, case, data, where)
        tables.append(outcome.result.outcomes(model="", seed=0, case=case.name, **where))  # the run adds model and seed
        np.save(out / f"logits-{i}.npy", outcome.result.logits)
        own.save(out / f"features-{i}.npy")
        if i == 0:  # the same at every strength
            clean.save(out / "features-clean.npy")
        save_samples(out / f"samples-{i}.npz", outcome, shown)
        if named := {name for v in found for name in v.examples}:
            save_samples(out / f"shown-{i}.npz", outcome, named)
        if case.attacked:
            probed = sample_ids(result, diagnostics.IMAGES, seed, case.balanced)
            runs.append(diagnostics.attack_run(fitted.classifier, outcome, probed, seed, case.name))
    diagnoses = diagnostics.diagnose(runs) if runs else [diagnostics.Diagnosis(fitted.classifier.doubts)] * len(places)
    checked = [len(run.is_adv) for run in runs] or [len(table) for table in tables]
    for place, n, diagnosis in zip(places, checked, diagnoses, strict=True):
        if runs or diagnosis.reasons:
            values += [{**place, **v._asdict()} for v in diagnostics.values(diagnosis, n)]
    outcomes_of_all = pd.concat(tables)
    if any(call.kind == "corruptions" for call in case.calls):
        values += own_errors(outcomes_of_all)
    outcomes_of_all.to_parquet(out / "outcomes.parquet", index=False)
    files.write(out / "values.json", json.dumps(values))
    about = {"data": data.name, "content": data.content, "images": len(tables[0]), "strengths": strengths}
    about |= {"guesses": guesses, "groups": own_groups(case, data), "classes": list(data.classes)}
    about |= {
        "source": next((source_form(call.arguments["source"]) for call in case.calls if call.name == "transfer"), "")
    }
    files.write(out / "about.json", json.dumps({**about, "model": dict(fitted.about)}))


def source_form(source: Classifier) -> str:
    """What identifies the model that makes the images of a transfer: its weights, layers and pixels."""
    return f"{source.weights}/{structure_hash(source.model, source.preprocessing, source.output)}"


def _guesses(fitted: Fitted, case: Case, data: Dataset) -> list[str]:
    sets = [data] if case.ood is None else [data, outside_of(case, data)]
    return [guess for each in sets if (guess := channels.conversion_remark(each, fitted.takes))]


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


def with_features(
    result: EvaluationResult, own: Features, clean: Features, predictions: Callable[[str], Predictions]
) -> EvaluationResult:
    """The result from which metrics can get features, perturbed and clean, and predictions on other images."""
    unperturbed = result.clean and replace(result.clean, get_features=clean)
    return replace(result, get_features=own, clean=unperturbed, get_predictions=predictions)


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


def _profile(classifier: Classifier, case: Case, data: Dataset, where: NewTable) -> list[NewTable]:
    return [{**where, **v._asdict()} for profile in case.profile for v in profile(classifier, data)]


def _strength(call: Call | None) -> NewTable:
    """The columns that identify the perturbation and its strength."""
    if call is None:
        return {"perturbation": "clean", "norm": "", "eps": None, "severity": None}
    given = call.arguments
    norm = given.get("norm", "") if call.kind == "attacks" else ""
    return {"perturbation": call.name, "norm": norm, "eps": given.get("eps"), "severity": given.get("severity")}


def _cost(outcome: Outcome) -> dict[str, float]:
    passes = {
        k: 0.0 if (v := getattr(outcome.result, k)) is None else float(v.mean()) for k in ("n_forward", "n_backward")
    }
    return {**passes, "seconds": round(outcome.seconds, 3)}


def save_samples(path: Path, outcome: Outcome, shown: set[str]) -> None:
    """The images of these examples; of one attacked towards several classes, the first success if there is one."""
    result = outcome.result
    ordered = np.argsort(~result.attack_success, kind="stable")
    first = ordered[np.unique(result.ids[ordered], return_index=True)[1]]
    rows = np.array(sorted(row for row in first if result.ids[row] in shown), int)
    targets = np.full(len(rows), "") if result.targets is None else np.array(result.classes)[result.targets[rows]]
    np.savez_compressed(
        path, ids=result.ids[rows], targets=targets, original=outcome.original[rows], perturbed=outcome.perturbed[rows]
    )
