"""The page of a mutation run, from its rows."""

from collections import Counter
from collections.abc import Iterator

HEAD = """# Mutation testing

Would the tests notice a fault? `python tools/mutate.py` changes one thing in one place (an operator, a constant, a
condition, `min` for `max`, a dropped statement, keyword or entry), runs the tests nearest to that place until one
fails, and notes what became of the mutant. Which mutants are drawn hangs on the seed and on their own text alone, so
the sample stays when other lines change. One that hangs (5 times as long as its tests take, and {patience} s) counts as
killed. Docstrings, messages, annotations and what compiles to the same code are left alone.

"Nearest" is what tools/mutation.toml says: the tests of the mirrored folder, with the doctests of the file itself; of
these the ones that pass and execute the changed line, quickest first, up to {budget} s a mutant. After new tests
`--from-survivors` runs the survivors again.

The score is that of this sample after tests were written for what of it survived, or was seen to survive before the
first run; for mutants that were not drawn it is therefore too high. Another `seed` draws others.
"""


def page(config: dict, rows: list[dict]) -> str:
    """docs/mutation.md."""
    head = HEAD.format(budget=config["budget"], patience=config["patience"])
    return "\n".join([head, *_score(config, rows), *_survivors(rows), *_found_out(rows), ""])


def _score(config: dict, rows: list[dict]) -> Iterator[str]:
    run = [row for row in rows if row["status"]]
    dates = sorted({row["date"] for row in run})
    yield f"Seed {config['seed']}, run {' to '.join(dict.fromkeys([dates[0], dates[-1]])) if dates else 'never'}.\n"
    yield "| what is changed | nearest tests | mutants | killed | of these hung | survived | killed |"
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
    yield "\n## Survived a first run, and what kills them now\n"
    found = [row for row in rows if row["survived"] and row["status"] in ("killed", "timeout")]
    yield from (f"{_change(row)}: {row['by']}" for row in found)
    yield from [] if found else ["None."]


def _change(row: dict) -> str:
    shown = row["shown"].replace("`", "'")
    return f"- {row['file']}:{row['line']} ({row['function'] or 'module'}): `{shown}`"
