"""Do the tests nearest to a line notice when it is wrong? A seeded sample of mutants, and what became of each.

    python tools/mutate.py                          # draw the sample, run what has not been run, write the report
    python tools/mutate.py --from-survivors         # after new tests: run the survivors again
    python tools/mutate.py --groups keys --jobs 2

What is changed and by which tests it is watched stands in tools/mutation.toml, what was found in the lines of
tools/mutation.jsonl: there a survivor is given its `reason` by hand. All runs in a copy; the checkout stays as it is.
"""

import argparse
import json
import os
import tempfile
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import mutants
import mutation_report
from mutation_tests import Bench


def main() -> None:
    asked = _asked()
    os.nice(19)
    config = tomllib.loads(asked.config.read_text())
    state = asked.config.with_suffix(".jsonl")
    known = {row["key"]: row for row in map(json.loads, state.read_text().splitlines())} if state.exists() else {}
    rows = [row for group in config["groups"] for row in _drawn(group, config["seed"], known)]
    due = [row for row in rows if not asked.groups or row["subset"] in asked.groups]
    due = [row for row in due if row["status"] == ("survived" if asked.from_survivors else "")]
    bench = Bench(Path.cwd(), asked.work, config)
    for row, (status, by) in bench.run(due, asked.jobs):
        row.update(status=status, by=by, survived=row["survived"] or status == "survived")
        row["date"] = datetime.now(UTC).date().isoformat()
        print(f"{status:9} {row['file']}:{row['line']}: {row['shown']}  [{by}]", flush=True)
        _save(state, rows)
    _save(state, rows)
    report = Path(config["report"])
    report.parent.mkdir(exist_ok=True)
    report.write_text(mutation_report.page(config, rows))


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path, nargs="?", default=Path("tools/mutation.toml"))
    parser.add_argument("--from-survivors", action="store_true", help="only those that survived")
    parser.add_argument("--groups", nargs="+", help="of the configuration; the rest stays as it was found")
    parser.add_argument("--jobs", type=int, default=1, help="mutants at a time")
    parser.add_argument(
        "--work", type=Path, default=Path(tempfile.gettempdir()) / "mutation", help="copies, and what tests execute"
    )
    return parser.parse_args()


def _drawn(group: dict, seed: int, known: dict[str, dict]) -> list[dict]:
    """The sample of a group: those whose keys, hashed with the seed, come first."""
    files = [file for source in group["sources"] for file in _files(Path(source))]
    found = [mutant for file in files for mutant in mutants.of(str(file), file.read_bytes())]
    chosen = sorted(found, key=lambda m: mutants.hashed(f"{seed} {m.key}"))[: group["draw"]]
    fresh = {"status": "", "by": "", "survived": False, "reason": "", "date": ""}
    return [
        {**fresh, **known.get(m.key, {}), "key": m.key, "subset": group["name"], "file": m.file, "line": m.line,
         "function": m.function, "shown": m.shown}
        for m in sorted(chosen, key=lambda m: (m.file, m.line))
    ]  # fmt: skip


def _files(source: Path) -> list[Path]:
    return sorted(source.rglob("*.py")) if source.is_dir() else [source]


def _save(state: Path, rows: list[dict]) -> None:
    state.write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    main()
