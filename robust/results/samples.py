"""The example images of metrics: for each of their values the ids of a few images, and the images themselves."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from robust.core import csv_files, files
from robust.suite import Evaluation

COLUMNS = [
    "file", "model", "seed", "case", "perturbation", "norm", "eps", "severity", "metric", "subset", "example",
]  # fmt: skip


def write(folder: Path, found: Iterable[tuple[Evaluation, Path]]) -> None:
    """Fill `folder` from finished blocks: shown.csv, a row per image of a value, and an .npz for each strength."""
    rows, names = [], []
    for evaluation, block in found:
        strengths = json.loads((block / "about.json").read_text("utf-8"))["strengths"]
        values = json.loads((block / "values.json").read_text("utf-8"))
        for i, where in enumerate(strengths):
            named = [v for v in values if v.get("examples") and all(v[key] == where[key] for key in where)]
            if not named:
                continue
            names.append(f"shown-{len(names):04d}.npz")
            files.write(folder / names[-1], lambda path, of=block / f"shown-{i}.npz": shutil.copyfile(of, path))
            run = {"model": evaluation.model.name, "seed": evaluation.seed, "case": evaluation.case.name}
            same = {"file": names[-1], **run, **where}
            rows += [
                {**same, "metric": v["metric"], "subset": v["subset"], "example": each}
                for v in named
                for each in v["examples"]
            ]
    if rows or (folder / "shown.csv").exists():
        files.write(folder / "shown.csv", csv_files.csv(pd.DataFrame(rows, columns=COLUMNS)))
    for stale in {*folder.glob("shown-[0-9]*.npz")} - {folder / name for name in names}:
        stale.unlink(missing_ok=True)
