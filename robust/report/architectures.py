"""The page of the architectures: errors over the years, and against the costs of the networks."""

from pathlib import Path

import pandas as pd

from robust.core import files
from robust.core.errors import ReportError
from robust.core.types import FLOAT_BYTES, NewRow, NewTable, Row
from robust.report import html, published, wording
from robust.report.cost_charts import Axis, against, years

TABLE, LAYERS = "architectures.csv", "vgg16.csv"
_AXES = (
    Axis("parameters", "parameters", "trainable parameters"),
    Axis("macs", "MACs", "multiply-accumulates of an image"),
    Axis("forward_memory", "bytes", "memory of an image, forward"),
)
_KINDS = {  # names of the layers of VGG-16 on the page
    "InputLayer": "input", "Conv2D": "convolutions", "MaxPooling2D": "pools", "Dense": "fully connected layers",
}  # fmt: skip
_REMEDY = "; `robust describe --all` makes it"
CLAIM = 24_000_000  # values, according to the course notes of CS231n


def write(folder: Path) -> Path:
    """Render `index.html` from architectures.csv and vgg16.csv, which `robust describe --all` has written.

    Raises ReportError where one of them is missing or damaged, and StoreError where the page cannot be written.
    """
    counted, layers = _read(folder / TABLE), _read(folder / LAYERS)
    try:
        text = html.render("architectures.html.j2", _context(counted, layers))
    except KeyError as error:
        raise ReportError(f"{folder}: lacks the column {error}{_REMEDY}") from error
    return files.write(folder / "index.html", text)


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise ReportError(f"{path}: cannot be read ({error}){_REMEDY}") from error


def _context(counted: pd.DataFrame, layers: pd.DataFrame) -> NewTable:
    drawn, winners = points(counted), published.winners()
    return {
        "years": years(winners),
        "charts": [against(axis, drawn) for axis in _AXES],
        "winners": winners.astype(object).fillna("").to_dict("records"),
        "points": drawn,
        "story": story(layers),
        "rows": [_row(row) for row in counted.to_dict("records")],
    }


def points(counted: pd.DataFrame) -> list[NewRow]:
    """Each published error together with our counts of the network, at its canonical input."""
    canonical = counted[counted["options"] == ""]
    both = published.errors().merge(canonical.drop(columns="source"), on="architecture", validate="one_to_one")
    wanted = ["architecture", "year", "top1_error", "top5_error", "protocol", "source", *(a.column for a in _AXES)]
    texts = {f"{axis.column}_text": both[axis.column].map(axis.text) for axis in _AXES}
    return both[wanted].assign(**texts).to_dict("records")  # type: ignore[return-value]


def story(layers: pd.DataFrame) -> NewTable:
    """The sum of VGG-16's rows: in place, and with each ReLU kept; and the sum stated in the course notes."""
    kept = layers[layers["forward"] > 0]
    kinds = kept.groupby(kept["kind"].map(_KINDS), sort=False)["forward"].agg(["size", "sum"])
    relus = layers.loc[layers["kind"] == "ReLU", "training"]
    total = int(kept["forward"].sum())
    rows = [(kind, int(n), int(values)) for kind, n, values in kinds.itertuples()]
    sums = {"sum": total, "relus": total + int(relus.sum()), "claim": CLAIM}
    return {
        "rows": [(kind, n, wording.number(values), wording.size(FLOAT_BYTES * values)) for kind, n, values in rows],
        **{name: (f"{values / 1e6:.1f} M", f"{FLOAT_BYTES * values / 1e6:.0f} MB") for name, values in sums.items()},
        "exact": wording.number(total),
    }


def _row(row: Row) -> NewRow:
    """A row of the table: each count with its text and how it compares with the published one."""
    return {
        **row,
        "counts": [
            (row[name], published.formatted(name, row[name]), published.mark(row, name)) for name in published.COMPARED
        ],
        "note": row["note"] if row["differs"] else "",
        "memory": [(wording.size(row[name]), row[name]) for name in ("forward_memory", "training_memory")],
    }
