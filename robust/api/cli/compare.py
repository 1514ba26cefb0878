"""`robust compare`."""

import sys
import warnings
from pathlib import Path


def compare(a: Path, b: Path, *, case: str = "", metric: str = "top1", out: Path | None = None) -> int:
    """Compare two reports of one suite image by image: how much higher a metric is in B than in A.

    For each model and case the paired difference with its 95 % interval, and the p-value of McNemar's exact
    test. Nothing is run, and TensorFlow is not needed.

    Parameters
    ----------
    a
        The earlier report folder.
    b
        The later one.
    case
        Only this case.
    metric
        The metric to compare: top1, top5, top1_error, top5_error, nll, targeted_success_rate, superclass_accuracy, or
        recall of a class: "recall[Shirt]".
    out
        A CSV file for the table, with every digit.
    """
    from robust.core import csv_files, files
    from robust.report import terminal
    from robust.results.summaries.comparison import compare as compared

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table = compared(a, b, case=case, metric=metric)
    terminal.differences(table)
    for warning in caught:
        print(f"robust: {warning.message}", file=sys.stderr)
    if out is not None:
        print(files.write(out, csv_files.csv(table)))
    return 0
