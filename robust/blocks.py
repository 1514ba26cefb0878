"""A block: all that one case found on one model, computed once and kept in the store."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from robust import files
from robust import store as stores
from robust.classifier import Classifier
from robust.datasets.dataset import Dataset
from robust.errors import DataError
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
    "targets",
    "trial",
    "statistics",
    "randomness",
    "blocks",
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
    """The data a case runs on: the suite's, or the shifted set it names, which must have the same classes."""
    if case.data is None:
        return data
    shifted: Dataset = case.data()
    if shifted.classes != data.classes or shifted.image_shape != data.image_shape:
        raise DataError(f"case {case.name}: {shifted.name} has other classes or another image shape than {data.name}")
    return shifted


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
