"""Writes an entry of a store and a report folder, with a fault at the N-th change; a program that starts quickly."""

import sys
from pathlib import Path

from commands import Fault, Faults

from robust.core import files
from robust.core.store import Store
from robust.results import manifest


def write(place: Path) -> None:
    """Two entries, one made from the other, and a folder from both."""
    store = Store(place / "store")
    first = store.get_or_make("model", {"seed": 0}, lambda out: files.write(out / "weights", "w" * 5000))
    second = store.get_or_make(
        "unit", {"of": "model"}, lambda out: files.write(out / "logits", (first / "weights").read_text() + "l")
    )
    with manifest.rewritten(place / "out"):
        for name in ("outcomes.parquet", "results.csv"):
            files.write(place / "out" / name, (second / "logits").read_text() + name)


if __name__ == "__main__":
    kind, at, where = sys.argv[1:]
    Faults(Fault(kind, int(at), Path(where)), Path(f"{where}.count")).install()
    write(Path(where))
