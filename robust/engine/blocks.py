"""A block: all that one case found on one model, computed once and kept in the store."""

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
from robust.core.interface import setting
from robust.core.progress import Progress
from robust.core.signature import Call, bind
from robust.core.types import NewTable, Table
from robust.datasets import channels
from robust.datasets.choice import chosen
from robust.datasets.dataset import Dataset, data_key, fingerprint
from robust.datasets.given import read
from robust.datasets.order import ordered
from robust.datasets.taxonomy import superclasses, trees
from robust.engine import reference
from robust.engine.fitted import Fitted
from robust.engine.perturb import outcomes
from robust.models.classifier import Classifier
from robust.models.classifier.form import form
from robust.models.features import Features
from robust.results.evaluation import EvaluationResult, Predictions, with_honest_intervals
from robust.results.outcome import Outcome
from robust.results.summaries.corruption_error import own_errors
from robust.suite import Case, Evaluation, Model, transfer

SAMPLES = 10  # images an outcome shows: one a class where there are ten


@dataclass(frozen=True)
class BlockKey:
    """Everything that makes a block what it is.

    seed: of the suite. case: what is done and measured, see `done`. data: its content, channels and code, and its
    superclasses. model: the identity of the network. how: how it is evaluated. source: the model on which the images
    of a transfer are made, see `source_key`. code: of the members and the engine, and of all that they import.
    """

    seed: int
    case: Table
    data: tuple[object, ...]
    model: str
    how: Table
    source: Table | None
    code: str


def key(seed: int, cell: Evaluation, data: Dataset, identity: str, source: Table | None = None) -> NewTable:
    """What a block is known by in the store, see `BlockKey`; bounds are no part of it, they are judged anew."""
    case, superclasses = cell.case, {name: list(of) for name, of in data.superclasses.items()}
    inner = [bind("attacks", transfer.inner(call.arguments)) for call in case.calls if call.name == transfer.NAME]
    code = stores.code_of([*case.calls, *case.metrics, *case.profile, *inner], "robust.engine.blocks")
    of_data = (*data_key(data), superclasses)
    return asdict(BlockKey(seed, done(case), of_data, identity, how(cell.model), source, code))


JUDGING = ("expect", "allow_invalid", "baseline", "models", "data", "line")
"""Fields of a case that judge what was found, or say where it runs; its data stand in the key by their content."""
MAKING = ("name", "source", "train", "seeds", "allow_code")
"""Fields of a model that say how it came to be: its identity stands in the key."""


def done(case: Case) -> NewTable:
    """What a case does and measures: all of its fields but `JUDGING`."""
    return {one.name: written(getattr(case, one.name)) for one in fields(case) if one.name not in JUDGING}


def how(model: Model) -> NewTable:
    """How a network is evaluated: all fields of a model but `MAKING`."""
    return {one.name: written(getattr(model, one.name)) for one in fields(model) if one.name not in MAKING}


def written(value: object) -> object:
    """A value of a key: calls as what identifies them, see `Call.key`."""
    if isinstance(value, Call):
        return value.key()
    return [written(each) for each in value] if isinstance(value, tuple) and not hasattr(value, "_fields") else value


def source_key(identity: str, model: Model) -> NewTable:
    """What identifies the model that makes the images of a transfer, and how it is evaluated."""
    return {"identity": identity, **how(model)}


def data_of(case: Case, data: Dataset) -> Dataset:
    """The data a case runs on: the suite's, or the shifted set it names, of the same classes or some of them.

    Of some, all classes of the suite's data compete, as in the model itself; only their own where the case restricts.

    Raises DataError where it has a class that the suite's data has not, or images of another shape; they may be in
    grey beside colour, as each model sees both with the channels that it takes.
    """
    if case.ood is not None:  # what lies outside is part of what was measured, too
        found = data_of(replace(case, ood=None), data)
        outer = outside_of(case, data)
        both = repr((found.fingerprint, outer.fingerprint)).encode()
        told = (*found.remarks, *(f"outside, {outer.name}: {each}" for each in outer.remarks))
        return replace(found, fingerprint=fingerprint(both), remarks=told)
    if case.data is None:
        return data
    shifted = read(case.data)
    if not channels.alike(shifted, data):
        shapes = f"images of shape {shifted.image_shape}, those of {data.name} have {data.image_shape}"
        raise DataError(f"case {case.name}: {shifted.name} has {shapes}")
    if unknown := [name for name in shifted.classes if name not in set(data.classes)]:
        what = f"{shifted.name} has a class {unknown[0]!r} that {data.name} has not"
        raise DataError(f"case {case.name}: {what}{suggest(unknown[0], data.classes)}")
    return placed(case, shifted, data)


def placed(case: Case, shifted: Dataset, data: Dataset) -> Dataset:
    """A shifted set among the classes of the suite's data, or with its own alone where the case restricts to these."""
    part = f"{len(shifted.classes)} of the {len(data.classes)} classes of {data.name}"
    if case.restrict and case.profile and shifted.classes != data.classes:
        what = f"an inspection looks at all outputs of a model, and {shifted.name} has {part}"
        raise DataError(f"case {case.name}: {what}; leave out profile, or restrict")
    own = superclasses.are_own(shifted.superclasses, shifted.classes)
    found = shifted if case.restrict or shifted.classes == data.classes else ordered(shifted, data.classes)
    groups = shifted.superclasses if own else restricted(data, found.classes)
    # Among which classes these are is part of what was measured.
    told = fingerprint(repr((data.classes, found.fingerprint)).encode())
    alone = setting("restrict", True)
    how = "which alone compete" if case.restrict else f"all of which compete; {alone} lets its own alone compete"
    found = replace(found, fingerprint=told, superclasses=groups)
    if set(shifted.classes) == set(data.classes):
        return found
    name = f"{found.name}, its classes alone" if case.restrict else found.name  # tables tell data by its name
    return replace(found, name=name, remarks=(*found.remarks, f"has {part}, {how}"))


def restricted(data: Dataset, classes: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The superclasses of the suite's data, as far as they hold these classes."""
    kept = {name: tuple(c for c in members if c in set(classes)) for name, members in data.superclasses.items()}
    return {name: members for name, members in kept.items() if members}


def outside_of(case: Case, data: Dataset) -> Dataset:
    """The images of no class that a case names; raises DataError where they have another shape than those of `data`."""
    if case.ood is None:
        name_some = setting("ood", {"name": "digits"})
        raise SuiteError(f"case {case.name}: no images from outside; name them: {name_some}, or a folder")
    found = read(case.ood)
    if not channels.alike(found, data):
        shapes = f"images of shape {found.image_shape}, those of {data.name} have {data.image_shape}"
        raise DataError(f"case {case.name}: outside: {found.name} has {shapes}")
    return found


def asked(fitted: Fitted, data: Dataset, case_data: Dataset) -> Fitted:
    """The model as a case asks it: where it restricts to the classes of its own data, about these alone.

    So are ImageNet-A and ImageNet-R judged (Hendrycks et al., CVPR 2021 and ICCV 2021).
    """
    if case_data.classes == data.classes:
        return fitted
    kept = [data.classes.index(name) for name in case_data.classes]
    answers = fitted.answers and reference.restricted(fitted.answers, kept)
    return replace(fitted, classifier=fitted.classifier.restricted(kept), answers=answers)


def lent(case: Case, source: Fitted, fitted: Fitted, data: Dataset) -> Case:
    """A transfer with the model itself that its images are made on, in place of its name.

    Raises ModelError where one of the two sees the data in grey and the other in colour.
    """
    one, other = source.seen(data).image_shape[2], fitted.seen(data).image_shape[2]
    if one != other:
        names = f"model {fitted.classifier.model.name}", f"images of {one} channels that {source.classifier.model.name}"
        raise ModelError(f"{names[0]} takes {other} channels and cannot be shown the {names[1]} makes")

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
    where a measure asked for them also features-<i>.npy, features-clean.npy, shown-<i>.npz and ood/.
    """
    guesses, data = _guesses(fitted, case, data), fitted.seen(data)
    values, tables, strengths, places, runs = [], [], [], [], []
    ask = functools.cache(functools.partial(_answers, fitted, case, data, out))
    shown: set[str] = set()
    for i, outcome in enumerate(outcomes(fitted.classifier, case, data, seed, progress)):
        where = _where(outcome.call)
        strengths.append(where)
        places.append({**where, **_spent(outcome)})
        own, clean = (Features(fitted.classifier, images) for images in (outcome.perturbed, outcome.original))
        result = askable(outcome.result, own, clean, ask)
        shown = shown or some(result, SAMPLES, seed, balanced=True)
        found = [v for measure in case.metrics for v in with_honest_intervals(measure.name, measure(result), result)]
        values += [{**places[-1], **v._asdict()} for v in found]
        if i == 0:
            values += _inspected(fitted.classifier, case, data, where)
        tables.append(outcome.result.outcomes(model="", seed=0, case=case.name, **where))  # whose it is, the run says
        np.save(out / f"logits-{i}.npy", outcome.result.logits)
        own.keep(out / f"features-{i}.npy")
        if i == 0:  # the same at every strength
            clean.keep(out / "features-clean.npy")
        save_samples(out / f"samples-{i}.npz", outcome, shown)
        if named := {name for v in found for name in v.examples}:
            save_samples(out / f"shown-{i}.npz", outcome, named)
        if case.attacked:
            probed = some(result, diagnostics.IMAGES, seed, case.balanced)
            runs.append(diagnostics.attack_run(fitted.classifier, outcome, probed, seed, case.name))
    diagnoses = diagnostics.doubts(runs) if runs else [diagnostics.Diagnosis(fitted.classifier.doubts)] * len(places)
    looked = [len(run.is_adv) for run in runs] or [len(table) for table in tables]
    for place, n, diagnosis in zip(places, looked, diagnoses, strict=True):
        if runs or diagnosis.reasons:
            values += [{**place, **v._asdict()} for v in diagnostics.values(diagnosis, n)]
    outcomes_of_all = pd.concat(tables)
    if any(call.kind == "corruptions" for call in case.calls):
        values += own_errors(outcomes_of_all)
    outcomes_of_all.to_parquet(out / "outcomes.parquet", index=False)
    files.write(out / "values.json", json.dumps(values))
    about = {"data": data.name, "content": data.content, "images": len(tables[0]), "strengths": strengths}
    about |= {"guesses": guesses, "groups": own_groups(case, data), "classes": list(data.classes)}
    about |= {"source": next((which(call.arguments["source"]) for call in case.calls if call.name == "transfer"), "")}
    files.write(out / "about.json", json.dumps({**about, "model": dict(fitted.about)}))


def which(source: Classifier) -> str:
    """The model that makes the images of a transfer: its weights, layers and pixels."""
    return f"{source.weights}/{form(source.model, source.preprocessing, source.output)}"


def _guesses(fitted: Fitted, case: Case, data: Dataset) -> list[str]:
    sets = [data] if case.ood is None else [data, outside_of(case, data)]
    return [guess for each in sets if (guess := channels.guess(each, fitted.takes))]


def own_groups(case: Case, data: Dataset) -> dict[str, list[str]]:
    """The superclasses of the case's own hierarchy or data; none where it judges by those of the suite's data."""
    own = [m.arguments for m in case.metrics if m.name == "hierarchy" and m.arguments.get("tree")]
    if not own:
        return {} if case.data is None else {name: list(members) for name, members in data.superclasses.items()}
    found: dict[str, list[str]] = {}
    tree, level = own[0]["tree"], own[0].get("level")
    paths = trees.above(tree, {}, data.classes)
    for name, group in zip(data.classes, trees.superclasses(tree, paths, data.classes, level), strict=True):
        found.setdefault(group, []).append(name)
    return found


def some(result: EvaluationResult, n: int, seed: int, balanced: bool) -> set[str]:
    """The ids of n of a case's images, or of all."""
    ids, rows = np.unique(result.ids, return_index=True)
    return set(ids[chosen(ids.tolist(), result.labels[rows], n, seed, balanced)].tolist())


def askable(
    result: EvaluationResult, own: Features, clean: Features, ask: Callable[[str], Predictions]
) -> EvaluationResult:
    """The result, so that measures can ask for features, its own and the clean ones, and for what other images tell."""
    return replace(
        result, get_features=own, clean=result.clean and replace(result.clean, get_features=clean), get_predictions=ask
    )


def _answers(fitted: Fitted, case: Case, data: Dataset, out: Path, split: str) -> Predictions:
    """What the model says of a split it was made for, or of the images from outside, which the block then keeps."""
    if split != "ood":
        return fitted.answers(split) if fitted.answers else reference.look(fitted.classifier, data, split)
    (out / "ood").mkdir(exist_ok=True)  # a batch that did not fit in memory is begun anew
    found = reference.look(fitted.classifier, fitted.seen(outside_of(case, data)), "test")
    reference.save(found, out / "ood")
    return found


def _inspected(classifier: Classifier, case: Case, data: Dataset, where: NewTable) -> list[NewTable]:
    return [{**where, **v._asdict()} for inspection in case.profile for v in inspection(classifier, data)]


def _where(call: Call | None) -> NewTable:
    """The columns that say which perturbation it was."""
    if call is None:
        return {"perturbation": "clean", "norm": "", "eps": None, "severity": None}
    given = call.arguments
    norm = given.get("norm", "") if call.kind == "attacks" else ""
    return {"perturbation": call.name, "norm": norm, "eps": given.get("eps"), "severity": given.get("severity")}


def _spent(outcome: Outcome) -> dict[str, float]:
    passes = {
        k: 0.0 if (v := getattr(outcome.result, k)) is None else float(v.mean()) for k in ("n_forward", "n_backward")
    }
    return {**passes, "seconds": round(outcome.seconds, 3)}


def save_samples(path: Path, outcome: Outcome, shown: set[str]) -> None:
    """The pictures of these examples; of one that was sent to many classes the first that fell, if one did."""
    result = outcome.result
    ordered = np.argsort(~result.attack_success, kind="stable")
    first = ordered[np.unique(result.ids[ordered], return_index=True)[1]]
    rows = np.array(sorted(row for row in first if result.ids[row] in shown), int)
    targets = np.full(len(rows), "") if result.targets is None else np.array(result.classes)[result.targets[rows]]
    np.savez_compressed(
        path, ids=result.ids[rows], targets=targets, original=outcome.original[rows], perturbed=outcome.perturbed[rows]
    )
