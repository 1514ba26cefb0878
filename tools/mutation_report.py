"""The page of a mutation run, from its rows."""

from collections import Counter
from collections.abc import Iterator

HEAD = """# Mutation testing

Would the tests detect a fault? `python tools/mutate.py` makes one small change (an operator, a constant, a condition,
`min` for `max`, a dropped statement, keyword or entry), runs the nearest tests until one fails, and records whether
the mutant was killed. Which mutants are drawn depends only on the seed and on their own text, so the sample is the
same when other lines change. A mutant that hangs (5 times as long as its tests take, and {patience} s) counts as
killed. Docstrings, messages, annotations and changes that compile to the same code are not mutated.

The nearest tests are those that tools/mutation.toml lists (the mirrored folder) and the doctests of the file itself;
of these the ones that pass and execute the changed line, fastest first, up to {budget} s per mutant. After new tests
`--from-survivors` runs the survivors again.

The score is that of this sample after tests were written for its survivors, known before or after the first run; it is
therefore too high for mutants that were not drawn. Another `seed` draws others.
"""


def page(config: dict, rows: list[dict]) -> str:
    """docs/mutation.md."""
    head = HEAD.format(budget=config["budget"], patience=config["patience"])
    return "\n".join([head, *_score(config, rows), *_survivors(rows), *_found_out(rows), ""])


def _score(config: dict, rows: list[dict]) -> Iterator[str]:
    run = [row for row in rows if row["status"]]
    dates = sorted({row["date"] for row in run})
    yield f"Seed {config['seed']}, run {' to '.join(dict.fromkeys([dates[0], dates[-1]])) if dates else 'never'}.\n"
    yield "| mutated files | nearest tests | mutants | killed | of these hung | survived | killed |"
    yield "|---|---|---:|---:|---:|---:|---:|"
    for group in config["groups"]:
        own = [row for row in run if row["group"] == group["name"]]
        yield _line(", ".join(group["sources"]), ", ".join(group["tests"]), own)
    yield _line("all", "", run)
    if waiting := len(rows) - len(run):
        yield f"\n{waiting} mutants are drawn and not run yet."


def _line(what: str, tests: str, rows: list[dict]) -> str:
    counts = Counter(row["status"] for row in rows)
    killed = counts["killed"] + counts["timeout"]
    share = f"{100 * killed / len(rows):.1f} %" if rows else ""
    return f"| {what} | {tests} | {len(rows)} | {killed} | {counts['timeout']} | {counts['survived']} | {share} |"


def _survivors(rows: list[dict]) -> Iterator[str]:
    yield "\n## Survivors\n"
    found = [row for row in rows if row["status"] == "survived"]
    yield from (f"{_change(row)}: {row['reason'] or 'no reason noted yet'}" for row in found)
    yield from [] if found else ["None."]


def _found_out(rows: list[dict]) -> Iterator[str]:
    yield "\n## Survived the first run, with the tests that kill them now\n"
    found = [row for row in rows if row["survived"] and row["status"] in ("killed", "timeout")]
    yield from (f"{_change(row)}: {row['by']}" for row in found)
    yield from [] if found else ["None."]


def _change(row: dict) -> str:
    shown = row["shown"].replace("`", "'")
    return f"- {row['file']}:{row['line']} ({row['function'] or 'module'}): `{shown}`"
