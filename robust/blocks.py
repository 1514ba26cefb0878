"""A block: all that one case found on one model, computed once and kept in the store."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from robust import files
from robust import store as stores
from robust.classifier import Classifier
from robust.datasets.dataset import Dataset, fingerprint
from robust.datasets.given import dataset_of
from robust.errors import DataError, suggest
from robust.models import Fitted
from robust.perturb import Outcome, outcomes
from robust.progress import Progress
from robust.schema import Call
from robust.suite import Case, Cell

SAMPLES = 10  # images an outcome shows: one a class where there are ten
_FOUND_BY = (
    "attacks",
    "corruptions",
    "measures",
    "inspections",
    "datasets",
    "classifier",
    "heads",
    "perturb",
    "perturbed",
    "targets",
    "trial",
    "statistics",
    "randomness",
    "blocks",
    "layer_table",
    "macs",
    "architectures",
)


def key(seed: int, cell: Cell, data: Dataset, identity: str) -> dict[str, Any]:
    """Everything that makes a block what it is; bounds are not part of it, they are judged anew."""
    case = cell.case
    calls = {
        name: [call.key() for call in getattr(case, name)] for name in ("perturbations", "measures", "inspections")
    }
    return {
        **calls, "case": case.name, "target": case.target, "images": case.images, "data": data.fingerprint,
        "seed": seed, "model": identity, "pixels": cell.model.pixels, "code": stores.code(*_FOUND_BY),
    }  # fmt: skip


def data_of(case: Case, data: Dataset) -> Dataset:
    """The data a case runs on: the suite's, or the shifted set it names, of the same classes or some of them.

    Raises DataError where it has a class that the suite's data has not, or images of another shape.
    """
    if case.data is None:
        return data
    shifted = dataset_of(case.data(), name=case.data.name)
    if shifted.image_shape != data.image_shape:
        shapes = f"images of shape {shifted.image_shape}, those of {data.name} have {data.image_shape}"
        raise DataError(f"case {case.name}: {shifted.name} has {shapes}")
    if unknown := [name for name in shifted.classes if name not in set(data.classes)]:
        what = f"{shifted.name} has a class {unknown[0]!r} that {data.name} has not"
        raise DataError(f"case {case.name}: {what}{suggest(unknown[0], data.classes)}")
    if case.inspections and shifted.classes != data.classes:
        what = f"an inspection looks at all outputs of a model, and {shifted.name} has {len(shifted.classes)} classes"
        raise DataError(f"case {case.name}: {what} of the {len(data.classes)} of {data.name}; leave out inspect")
    # Of which outputs of a model these classes are is part of what was measured.
    return replace(shifted, fingerprint=fingerprint(repr((data.classes, shifted.fingerprint)).encode()))


def asked(fitted: Fitted, data: Dataset, case_data: Dataset) -> Fitted:
    """The model as a case asks it: where its data has some of the classes only, about these alone.

    So are ImageNet-A and ImageNet-R judged (Hendrycks et al., CVPR 2021 and ICCV 2021).
    """
    if case_data.classes == data.classes:
        return fitted
    kept = [data.classes.index(name) for name in case_data.classes]
    return replace(fitted, classifier=fitted.classifier.restricted(kept))


def make(fitted: Fitted, seed: int, case: Case, data: Dataset, progress: Progress, out: Path) -> None:
    """Run the case and fill the block's folder.

    values.json, outcomes.parquet and about.json, and for each strength logits-<i>.npy and samples-<i>.npz.
    """
    values, tables, strengths = [], [], []
    shown = set(data.examples("test", min(SAMPLES, case.images or SAMPLES, data.size("test"))).ids.tolist())
    for i, outcome in enumerate(outcomes(fitted.classifier, case, data, seed, progress)):
        where = _where(outcome.call)
        strengths.append(where)
        values += [
            {**where, **_spent(outcome), **v._asdict()} for measure in case.measures for v in measure(outcome.trial)
        ]
        if i == 0:
            values += _inspected(fitted.classifier, case, data, where)
        tables.append(outcome.trial.outcomes(model="", seed=0, case=case.name, **where))  # whose it is, the run says
        np.save(out / f"logits-{i}.npy", outcome.trial.logits)
        _save_samples(out / f"samples-{i}.npz", outcome, shown)
    pd.concat(tables).to_parquet(out / "outcomes.parquet", index=False)
    files.write(out / "values.json", json.dumps(values))
    about = {"data": data.name, "images": len(tables[0]), "strengths": strengths, "model": dict(fitted.about)}
    files.write(out / "about.json", json.dumps(about))


def _inspected(classifier: Classifier, case: Case, data: Dataset, where: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**where, **v._asdict()} for inspection in case.inspections for v in inspection(classifier, data)]


def _where(call: Call | None) -> dict[str, Any]:
    """The columns that say which perturbation it was."""
    if call is None:
        return {"perturbation": "clean", "norm": "", "eps": None, "severity": None}
    given = call.arguments
    norm = given.get("norm", "") if call.kind == "attacks" else ""
    return {"perturbation": call.name, "norm": norm, "eps": given.get("eps"), "severity": given.get("severity")}


def _spent(outcome: Outcome) -> dict[str, float]:
    passes = {k: 0.0 if (v := getattr(outcome.trial, k)) is None else float(v.mean()) for k in ("forward", "backward")}
    return {**passes, "seconds": round(outcome.seconds, 3)}


def _save_samples(path: Path, outcome: Outcome, shown: set[str]) -> None:
    rows = np.flatnonzero([i in shown for i in outcome.trial.ids.tolist()])
    np.savez_compressed(
        path, ids=outcome.trial.ids[rows], original=outcome.original[rows], perturbed=outcome.perturbed[rows]
    )
