"""Writing and reading the tables of many models: 50 of them under 10 cases at 3 strengths each.

    python benchmarks/tables.py [--images 2000] [--values 300]

ImageNet's 1,000 classes. Each strength of a case has a row of outcomes.parquet for each image, and the values of
results.csv: recalls of classes, with intervals. (All 3,000 values by class would exceed the million rows that
results.csv may have.) Prints seconds of the clock and of the processor for each step, and the size of the files; on a
shared machine the latter seconds are the more reliable figure. Steps:

    join      the outcomes of all cases, as `robust run` does
    write     both tables
    read      both, with all columns
    page      both, as `robust report` reads them: checked, and by model and condition

Limit: 60 seconds for writing and reading, all four steps. The exit status is 1 where it is missed.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from robust.core.types import NewRow
from robust.datasets.taxonomy import imagenet
from robust.report import folder_files
from robust.results import tables

MODELS, STRENGTHS = 50, (1 / 255, 2 / 255, 4 / 255)
CASES = ("fgsm", "pgd", "mifgsm", "apgd", "fab", "square", "deepfool", "noise", "autoattack", "transfer")
SECONDS = 60.0

Made = TypeVar("Made")


def conditions() -> list[NewRow]:
    """What the rows of each strength of each case of each model share."""
    models = [f"model{i:02d}" for i in range(MODELS)]
    same = {"seed": 0, "norm": "linf", "severity": None}
    return [
        {**same, "model": model, "case": case, "perturbation": case, "eps": eps}
        for model in models
        for case in CASES
        for eps in STRENGTHS
    ]


def outcomes(images: int) -> pd.DataFrame:
    """Outcomes at one strength; half of the predictions are correct."""
    random, names = np.random.default_rng(0), np.array(imagenet.names(), object)
    groups = np.array([label.group for label in imagenet.labels()], object)
    labels = np.arange(images) % len(names)
    predicted = np.where(random.random(images) < 0.5, labels, random.integers(0, len(names), images))
    floats = {name: random.random(images) for name in ("confidence", "margin", "nll", "linf", "l2")}
    columns = {
        "example": [f"n{i:08d}" for i in range(images)], "label": names[labels], "superclass": groups[labels],
        "target": "", "predicted": names[predicted], "in_top5": predicted == labels, "success_by": "pgd",
        "n_forward": 20, "n_backward": 20, **floats,
    }  # fmt: skip
    return tables.table(pd.DataFrame(columns).assign(seed=0), tables.OUTCOMES)


def values(where: NewRow, count: int, seed: int) -> list[NewRow]:
    """Values at one strength."""
    same = {"suite": "s", "data": "imagenet2012", "split": "test", **where, "metric": "recall", "unit": "proportion"}
    random = np.random.default_rng(seed).random((count, 3)).tolist()
    return [
        {**same, "subset": name, "value": value, "ci_low": low, "ci_high": high, "n": 50, "ci_method": "exact 95 %"}
        for name, (value, low, high) in zip(imagenet.names(), random, strict=False)
    ]


class Clock:
    """Prints the seconds of each step and adds them up."""

    total = 0.0

    def __call__(self, name: str, work: Callable[[], Made]) -> Made:
        """What `work` returns."""
        began, used = time.perf_counter(), time.process_time()
        made = work()
        seconds, cpu = time.perf_counter() - began, time.process_time() - used
        self.total += seconds
        print(f"{name:22} {seconds:6.1f} s   cpu {cpu:6.1f} s", flush=True)
        return made


def main() -> None:
    """Print a line for each step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--values", type=int, default=300)
    options = parser.parse_args()
    cells, clock = conditions(), Clock()
    same = outcomes(options.images)
    parts = [same.assign(**where) for where in cells]
    rows = [row for i, where in enumerate(cells) for row in values(where, options.values, i)]
    with tempfile.TemporaryDirectory() as temporary:
        csv, parquet = Path(temporary) / "results.csv", Path(temporary) / "outcomes.parquet"
        joined = clock("join outcomes", lambda: tables.table(pd.concat(parts), tables.OUTCOMES))
        parts.clear()
        clock("write outcomes.parquet", lambda: tables.write_outcomes(joined, parquet))
        clock("write results.csv", lambda: tables.write_results(tables.table(rows, tables.RESULTS), csv))
        many, few = len(joined), len(rows)
        rows.clear()
        clock("read outcomes.parquet", lambda: len(tables.read_outcomes(parquet)))
        clock("read results.csv", lambda: len(tables.read_results(csv)))
        clock("page outcomes.parquet", lambda: len(folder_files.outcomes(parquet)))
        clock("page results.csv", lambda: len(folder_files.results(csv)))
        sizes = [path.stat().st_size / 1e6 for path in (parquet, csv)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{many:,} outcomes in {sizes[0]:.0f} MB, {few:,} values in {sizes[1]:.0f} MB; peak {peak:.1f} GB")
    print(f"limit: under {SECONDS:g} s: {clock.total < SECONDS} ({clock.total:.1f} s)")
    sys.exit(clock.total >= SECONDS)


if __name__ == "__main__":
    main()
