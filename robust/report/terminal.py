"""Tables on the terminal: the cost of a network layer by layer, and all architectures with published counts."""

import sys
from collections.abc import Iterable, Iterator
from itertools import groupby

import pandas as pd
from rich.console import Console
from rich.table import Table

from robust.core.types import FLOAT_BYTES, Row
from robust.report import wording
from robust.report.conditions import Condition
from robust.report.published import COMPARED, formatted, mark
from robust.results.flags import doubted

_NONE = "\N{NO-BREAK SPACE}"
WIDE = 200  # columns where stdout is no terminal: a pipe or a file is not wrapped at 80


def layers(table: pd.DataFrame) -> None:
    """Print a layer table (see `robust.models.layer_table`) and its sums.

    Operations that belong to no layer, e.g. those of a response normalisation, are one row where they
    follow each other.
    """
    shown = _table(["layer", "kind", "output"], ["parameters", "MACs", "values kept", "memory"])
    for row in folded(table.to_dict("records")):
        shape = "x".join(map(str, row["shape"]))
        shown.add_row(row["layer"], row["kind"], shape, *_counts(row))
    shown.add_section()
    shown.add_row("all", "", "", *_counts(dict(table[["parameters", "macs", "forward"]].sum())))
    _print(shown)


def family(table: pd.DataFrame) -> None:
    """Print the table of `robust.api.describe.family`: = where a count is the published one, ≠ where it is not."""
    shown = _table(["network", "form", "input"], [*COMPARED.values(), "memory"], ["where it differs"])
    for row in table.to_dict("records"):
        # a column of marks: rich would strip spaces where there is none
        counts = [f"{formatted(name, row[name])}\N{NO-BREAK SPACE}{mark(row, name) or _NONE}" for name in COMPARED]
        memory = wording.size(row["forward_memory"])
        note = row["note"] if row["differs"] else ""
        shown.add_row(row["architecture"], row["options"], row["input"], *counts, memory, note)
    _print(shown)


def results(table: pd.DataFrame) -> None:
    """Print the values of results.csv over all images: those of single classes are left out."""
    rows = table[(table["subset"] == "") & (table["metric"] != "reliability")].to_dict("records")
    trusted = ["reliability"] if any(row["reliability"] for row in rows) else []
    shown = _table(["case", "eps", "metric"], ["value", "95 % interval", "images"], trusted)
    for row in rows:
        eps = "" if pd.isna(row["eps"]) else wording.radius(row["eps"], row["norm"])
        value = wording.quantity(row["value"], row["unit"])
        interval = wording.interval(row["ci_low"], row["ci_high"], row["unit"])
        metric = wording.metric(row["metric"])
        shown.add_row(row["case"], eps, metric, value, interval, wording.images(row), *[row[t] for t in trusted])
    _print(shown)


def differences(table: pd.DataFrame) -> None:
    """Print the table of `robust.compare`: values in A and B, B - A with its paired 95 % interval, McNemar's p."""
    shown = _table(["model", "case"], ["A", "B", "B - A", "95 % interval", "McNemar's p", "images"])
    for row in table.to_dict("records"):
        unit, seeds = row["unit"], table.loc[table["model"] == row["model"], "seed"].nunique()
        eps, severity = (None if pd.isna(row[name]) else row[name] for name in ("eps", "severity"))
        condition = Condition(row["case"], row["perturbation"], row["norm"], eps, severity)
        values = [_marked(wording.quantity(row[of], unit), row[f"reliability_{of}"]) for of in ("a", "b")]
        change = [wording.change(row["difference"], unit), wording.changes(row["ci_low"], row["ci_high"], unit)]
        model = row["model"] if seeds == 1 else f"{row['model']}, seed {row['seed']}"
        p = wording.scientific(row["mcnemar"])
        shown.add_row(model, wording.title(condition), *values, *change, p, wording.number(row["n"]))
    _print(shown)


def _marked(value: str, reliability: str) -> str:
    return f"{value} ({reliability})" if doubted(reliability) else value


def _table(left: list[str], right: list[str], last: list[str] | None = None) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in left:
        table.add_column(name, overflow="fold")
    for name in right:
        table.add_column(name, justify="right", no_wrap=True)
    for name in last or []:
        table.add_column(name)
    return table


def _print(table: Table) -> None:
    Console(width=None if sys.stdout.isatty() else WIDE, highlight=False, markup=False).print(table)


def folded(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows, with operations that follow each other as one."""
    for operations, group in groupby(rows, lambda row: row["kind"].startswith("ops.")):
        members = list(group)
        if operations and len(members) > 1:
            sums = {name: sum(row[name] for row in members) for name in ("parameters", "macs", "forward")}
            yield {"layer": f"({len(members)} operations)", "kind": "", "shape": members[-1]["shape"], **sums}
        else:
            yield from members


def _counts(row: Row) -> list[str]:
    macs = "?" if pd.isna(row["macs"]) else wording.scaled(row["macs"])
    values, memory = wording.number(row["forward"]), wording.size(FLOAT_BYTES * row["forward"])
    numbers = wording.number(row["parameters"]), macs, values, memory
    return ["" if number in ("0", "0 B") else number for number in numbers]
