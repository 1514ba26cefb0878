"""The bounds against another model or an earlier report: differences image by image."""

from dataclasses import dataclass

from robust.core.declared import section
from robust.report import wording
from robust.report.bound_states import state
from robust.report.folder import Folder
from robust.suite import bounds
from robust.suite.bounds import NoWorse


@dataclass(frozen=True)
class Comparison:
    """One difference: its model, condition and metric, and the bound on it."""

    model: str
    condition: str
    metric: str
    than: str
    difference: str
    end: str
    bound: str
    state: str
    reliability: str
    p: str
    n: str


@section(title="Comparisons", after="diagnostics")
def comparisons(folder: Folder) -> list[Comparison]:
    """Every difference of the table, with McNemar's test where there is one."""
    found = []
    for (run, condition), rows in folder.values.items():
        tests = rows[rows["metric"] == "mcnemar"].set_index("subset")["value"]
        for row in map(bounds.read, rows[rows["metric"] == "difference"].to_dict("records")):
            limit = row["bound"]  # None where the suite no longer has it
            if isinstance(limit, NoWorse):
                key = row["subset"].removesuffix(f" vs {limit.than}")
                metric, _, group = key.removesuffix("]").partition("[")
                found.append(
                    Comparison(
                        folder.name(run),
                        wording.title(condition),
                        wording.metric(metric, group),
                        limit.than,
                        wording.change(row["value"], row["unit"], limit.digits(row, 3) - 2),
                        wording.changes(row["ci_low"], row["ci_high"], row["unit"], limit.digits(row, 3) - 2),
                        wording.bound(limit, row["unit"]),
                        state(folder, row),
                        row["reliability"],
                        wording.scientific(tests.get(row["subset"], float("nan"))),
                        wording.images(row),
                    )
                )
    return found
