"""Mutation testing: do the nearest tests fail when a line is wrong? A seeded sample of mutants, each with its result.

    python tools/mutate.py                          # draw the sample, run what has not been run, write the report
    python tools/mutate.py --from-survivors         # after new tests: run the survivors again
    python tools/mutate.py --groups keys --jobs 2

tools/mutation.toml lists what is changed and the tests for it, tools/mutation.jsonl the results; there the `reason` of
a survivor is added by hand. Everything runs in a copy; the checkout is not changed.
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
    args = _arguments()
    os.nice(19)
    config = tomllib.loads(args.config.read_text())
    state = args.config.with_suffix(".jsonl")
    known = {row["key"]: row for row in map(json.loads, state.read_text().splitlines())} if state.exists() else {}
    rows = [row for group in config["groups"] for row in _drawn(group, config["seed"], known)]
    due = [row for row in rows if not args.groups or row["group"] in args.groups]
    due = [row for row in due if row["status"] == ("survived" if args.from_survivors else "")]
    bench = Bench(Path.cwd(), args.work, config)
    for row, (status, by) in bench.run(due, args.jobs):
        row.update(status=status, by=by, survived=row["survived"] or status == "survived")
        row["date"] = datetime.now(UTC).date().isoformat()
        print(f"{status:9} {row['file']}:{row['line']}: {row['shown']}  [{by}]", flush=True)
        _save(state, rows)
    _save(state, rows)
    report = Path(config["report"])
    report.parent.mkdir(exist_ok=True)
    report.write_text(mutation_report.page(config, rows))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path, nargs="?", default=Path("tools/mutation.toml"))
    parser.add_argument("--from-survivors", action="store_true", help="only those that survived")
    parser.add_argument("--groups", nargs="+", help="of the configuration; results of other groups are kept")
    parser.add_argument("--jobs", type=int, default=1, help="mutants at a time")
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "mutation",
        help="the copies",
    )
    return parser.parse_args()


def _drawn(group: dict, seed: int, known: dict[str, dict]) -> list[dict]:
    """The sample of a group: those whose keys, hashed with the seed, come first."""
    files = [file for source in group["sources"] for file in _files(Path(source))]
    found = [mutant for file in files for mutant in mutants.of(str(file), file.read_bytes())]
    chosen = sorted(found, key=lambda m: mutants.hashed(f"{seed} {m.key}"))[: group["draw"]]
    fresh = {"status": "", "by": "", "survived": False, "reason": "", "date": ""}
    return [
        {**fresh, **known.get(m.key, {}), "key": m.key, "group": group["name"], "file": m.file, "line": m.line,
         "function": m.function, "shown": m.shown}
        for m in sorted(chosen, key=lambda m: (m.file, m.line))
    ]  # fmt: skip


def _files(source: Path) -> list[Path]:
    return sorted(source.rglob("*.py")) if source.is_dir() else [source]


def _save(state: Path, rows: list[dict]) -> None:
    state.write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    main()
