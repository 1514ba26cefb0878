"""The published errors of a pretrained network compared with those measured on ImageNet's validation images."""

import pandas as pd

from robust.core.declared import section
from robust.report import wording
from robust.report.folder import Folder
from robust.report.published import errors
from robust.report.reliability_marks import named

_ERRORS = ("top1_error", "top5_error")


@section(title="Published errors", after="comparisons")
def published(folder: Folder) -> list[dict[str, str]]:
    """A row for each error of a network with published ones, clean and on ImageNet; none for other data."""
    known = errors().set_index("architecture")
    results = folder.results
    rows = results[
        results["data"].str.match(r"imagenet2012(?:$|[/:])")
        & (results["perturbation"] == "clean")
        & results["metric"].isin(_ERRORS)
        & (results["subset"] == "")
    ]
    found = []
    for row in rows.to_dict("records"):
        name = folder.environment["models"][row["model"]].get("architecture", "").removeprefix("keras:")
        if name in known.index:
            found.append(_row(row, known.loc[name]))
    return found


def _row(row: dict, known: pd.Series) -> dict[str, str]:
    return {
        "model": named(str(row["model"]), pd.DataFrame([row])),
        "metric": str(row["metric"]).replace("_", " ").replace("top", "top-"),
        "measured": wording.percent(row["value"]),
        "interval": wording.interval(row["ci_low"], row["ci_high"], row["unit"]),
        "published": f"{float(known[row['metric']]):.1f} %",
        "protocol": str(known["protocol"]),
        "source": str(known["source"]),
        "n": wording.images(row),
    }
