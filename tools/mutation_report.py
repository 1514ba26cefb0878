"""The page of a mutation run, from its rows."""

from collections import Counter
from collections.abc import Iterator

HEAD = """# Mutation testing

Would the tests notice? `python tools/mutate.py` changes one thing in one place (an operator, a constant, a condition,
`min` for `max`, a dropped statement, keyword or entry), runs the tests nearest to that place until one fails, and
notes what became of the mutant. What is drawn hangs on the seed and on the mutants alone (hashes of their text), so a
sample stays when other lines change. A mutant that hangs (5 times as long as its tests take) counts as killed.
"Nearest" is what tools/mutation.toml says: the tests of the mirrored folder, of these the passing ones that execute
the changed line, the file of the same name first, up to {budget}.
"""


def page(config: dict, rows: list[dict]) -> str:
    """docs/mutation.md."""
    return "\n".join([HEAD.format(budget="90 seconds a mutant"), *_score(config, rows), *_survivors(rows), ""])


def _score(config: dict, rows: list[dict]) -> Iterator[str]:
    run = [row for row in rows if row["status"]]
    dates = sorted({row["date"] for row in run})
    yield f"Seed {config['seed']}, run {' to '.join(dict.fromkeys([dates[0], dates[-1]])) if dates else 'never'}.\n"
    yield "| what is changed | nearest tests | mutants | killed | of these hung | survived | killed |"
    yield "|---|---|---:|---:|---:|---:|---:|"
    for group in config["groups"]:
        yield _line(
            ", ".join(group["sources"]), ", ".join(group["tests"]), [r for r in run if r["group"] == group["name"]]
        )
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
    for row in found or [{}]:
        change = row and row["shown"].replace("`", "'")
        where = row and f"{row['file']}:{row['line']} ({row['function'] or 'module'})"
        yield f"- {where}: `{change}`: {row['reason'] or 'no reason noted yet'}" if row else "None."
