"""Filling the report folder from finished blocks: both tables, the samples, the provenance, the page."""

import json
import os
import platform
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import tensorflow as tf

from robust import files, record, report
from robust.bound import Bound
from robust.datasets.dataset import Dataset
from robust.errors import SuiteError
from robust.suite import Cell, Suite
from robust.trial import proportion

Found = list[tuple[Cell, Path]]
_SAMPLES = ["file", "model", "seed", "case", "perturbation", "norm", "eps", "severity"]
_PACKAGES = ("tensorflow", "keras", "tensorflow-datasets", "foolbox", "numpy", "pandas")


def fill(out: Path, suite: Suite, data: Dataset, found: Found) -> pd.DataFrame:
    """Write results.csv, outcomes.parquet, samples/, suite.toml, environment.json and index.html."""
    results = record.table([row for cell, block in found for row in rows(suite, cell, block)], record.RESULTS)
    outcomes = [pd.read_parquet(block / "outcomes.parquet").assign(**_whose(cell)) for cell, block in found]
    record.write_outcomes(record.table(pd.concat(outcomes), record.OUTCOMES), out / "outcomes.parquet")
    _write_samples(out / "samples", found)
    if suite.text:
        files.write(out / "suite.toml", suite.text)
    files.write(out / "environment.json", json.dumps(_environment(suite, data, found), indent=2))
    record.write_results(results, out / "results.csv")
    report.write(out)
    return results


def rows(suite: Suite, cell: Cell, block: Path) -> list[dict[str, Any]]:
    """The rows of results.csv that a block gives, judged by the bounds of its case.

    Raises SuiteError where a bound speaks of a value that the case did not give.
    """
    about, values = _read(block / "about.json"), _read(block / "values.json")
    same = {
        "suite": suite.name,
        "split": "test",
        **_whose(cell),
        "data": about["data"],
        "weights": about["model"]["weights"],
    }
    values += _absent_pairs(cell, block, {_name(row) for row in values})
    judged = [{**row, **same, **_judge(cell.case.expect, row)} for row in values]
    if silent := set(cell.case.expect) - {_name(row) for row in values}:
        gave = ", ".join(sorted({_name(row) for row in values}))
        raise SuiteError(f"{suite.path}:{cell.case.line}: expect: {cell.id} gave no {min(silent)!r}; it gave {gave}")
    return judged


def _absent_pairs(cell: Cell, block: Path, given: set[str]) -> list[dict[str, Any]]:
    """A bound may speak of a pair of classes that is not among the most confused: count it from the outcomes."""
    keys = [key for key in cell.case.expect if key.startswith("confused[") and key not in given]
    if not keys:
        return []
    outcomes, rows = pd.read_parquet(block / "outcomes.parquet"), []
    strengths = ["perturbation", "norm", "eps", "severity"]
    for where, part in outcomes.groupby(strengths, dropna=False):
        known = {k: None if pd.isna(v) else v for k, v in zip(strengths, where, strict=True)}
        for key in keys:
            pair = key.removeprefix("confused[").removesuffix("]")
            label, _, taken_for = pair.partition(" -> ")
            hits = (part.loc[part["label"] == label, "predicted"] == taken_for).to_numpy()
            rows.append({**known, **proportion("confused", hits, pair)._asdict()})
    return rows


def brief(suite: Suite, cell: Cell, block: Path) -> str:
    """The block in a line: top-1 at each strength, or the first value where there is no top-1."""
    values = rows(suite, cell, block)
    shown = [row for row in values if row["metric"] == "top1"] or values[:1]
    return ", ".join(f"{row['metric']} {say(row)}{_strength(row)}" for row in shown)


def say(row: Mapping[str, Any]) -> str:
    """A value with its interval: `0.251 [0.225, 0.279]`.

    >>> say({"value": 0.5, "low": 0.4, "high": 0.6})
    '0.500 [0.400, 0.600]'
    """
    if row["low"] != row["low"]:
        return f"{row['value']:.6g}"
    return f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"


def _strength(row: Mapping[str, Any]) -> str:
    if row.get("severity") is not None:
        return f" at severity {row['severity']}"
    if row.get("eps") is None:
        return ""
    return f" at eps {row['eps'] * 255:.3g}/255" if row["norm"] == "linf" else f" at eps {row['eps']:.3g}"


def missed(suite: Suite, cell: Cell, block: Path) -> list[str]:
    """The bounds that were missed, one line each: the number with its interval, the bound, from how many."""
    return [
        f"{_name(row)} {say(row)} is not {row['bound']} "
        f"({row['n']} images, {row['perturbation']}{_strength(row)} on {cell.model.name})"
        for row in rows(suite, cell, block)
        if row["passed"] is False
    ]


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['metric']}[{row['group']}]" if row["group"] else row["metric"]


def _judge(expect: Mapping[str, Bound], row: Mapping[str, Any]) -> dict[str, Any]:
    if (bound := expect.get(_name(row))) is None:
        return {"bound": "", "passed": None}
    return {"bound": bound.text, "passed": row["value"] in bound}


def _whose(cell: Cell) -> dict[str, Any]:
    return {"model": cell.model.name, "seed": cell.seed, "case": cell.case.name}


def _write_samples(folder: Path, found: Found) -> None:
    """samples/index.csv names, for each cell and strength, an .npz of the same few images."""
    stale = set(pd.read_csv(folder / "index.csv")["file"]) if (folder / "index.csv").is_file() else set()
    index = []
    for cell, block in found:
        for i, where in enumerate(_read(block / "about.json")["strengths"]):
            name = f"{len(index):04d}.npz"  # whose it is, the index says
            files.write(folder / name, lambda path, source=block / f"samples-{i}.npz": shutil.copyfile(source, path))
            index.append({"file": name, **_whose(cell), **where})
    files.write(folder / "index.csv", pd.DataFrame(index, columns=_SAMPLES).to_csv(index=False))
    for name in stale - {row["file"] for row in index}:  # only what an earlier run has written
        (folder / Path(name).name).unlink(missing_ok=True)


def _environment(suite: Suite, data: Dataset, found: Found) -> dict[str, Any]:
    about = {cell.model.name: _read(block / "about.json") for cell, block in found}
    return {
        "suite": suite.name,
        "summary": suite.summary,
        "seed": suite.seed,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "robust": version("robust"),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
        "machine": _machine(),
        "data": {
            "name": data.name, "split": "test", "classes": list(data.classes), "images": data.size("test"),
            "superclasses": {k: list(v) for k, v in data.superclasses.items()}, "image_shape": list(data.image_shape),
        },
        "models": {m.name: {**about.get(m.name, {}).get("model", {}), "seeds": list(m.seeds)} for m in suite.models},
    }  # fmt: skip


def _machine() -> dict[str, Any]:
    gpus = tf.config.list_physical_devices("GPU")
    return {"cpus": os.cpu_count() or 1, "gpus": len(gpus), "platform": platform.platform()}


def _read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))
