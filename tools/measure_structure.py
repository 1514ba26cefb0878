"""The structure of packages: entries at their top, ranks of their imports, `Any`, private helpers, length of functions.

    python tools/measure_structure.py robust [other/package ...]     # a column for each, as Markdown
    python tools/measure_structure.py robust --drawing     # the packages and their imports, as Mermaid

Everything is read from source; tests inside a package do not count. A function's length is counted from its
first statement to its last line, without the docstring; imports for type checkers and inside functions
count, too. A version is that of the `.dist-info` next to a package, or of the `pyproject.toml`.
"""

import argparse
import ast
import math
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

Tree = dict[str, ast.Module]
Edges = dict[str, set[str]]

COMMANDS, STEP = "api.cli", "attacks.iterative"
"""In robust: the package of its commands, and the module of an attack's step."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packages", nargs="+", type=Path)
    parser.add_argument("--drawing", action="store_true", help="draw the imports of the first package")
    args = parser.parse_args()
    if args.drawing:
        print(drawing(args.packages[0]))
        return
    print(table(args.packages))


def table(packages: list[Path]) -> str:
    """The figures as Markdown, a column for each package; "-" for what one does not have."""
    columns = [f"{package.name} {version(package)}".strip() for package in packages]
    found = [measures(package) for package in packages]
    rows = [(name, *("-" if math.isnan(each[name]) else f"{each[name]:g}" for each in found)) for name in found[0]]
    lines = [" | ".join(row) for row in [("", *columns), *rows]]
    return "\n".join([f"| {lines[0]} |", "|---|" + "---:|" * len(columns), *(f"| {line} |" for line in lines[1:])])


def version(package: Path) -> str:
    """The version of the package's wheel, or of its project; "" where there is neither."""
    if installed := sorted(package.resolve().parent.glob(f"{package.name}-*.dist-info")):
        return installed[-1].name.removesuffix(".dist-info").rpartition("-")[2]
    project = package.resolve().parent / "pyproject.toml"
    return tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"] if project.is_file() else ""


def files(package: Path) -> list[Path]:
    """The modules of a package, without its tests."""
    found = [path.relative_to(package) for path in sorted(package.rglob("*.py"))]
    return [path for path in found if not path.stem.endswith("_test") and "tests" not in path.parts]


def sources(package: Path) -> Tree:
    """Dotted name below the package -> syntax tree."""
    found = {}
    for path in files(package):
        name = ".".join(part for part in path.with_suffix("").parts if part != "__init__")
        found[name] = ast.parse((package / path).read_text(encoding="utf-8"))
    return found


def measures(package: Path) -> dict[str, float]:
    """The figures of one package, by what they count."""
    trees = sources(package)
    lines = sum(len((package / path).read_text(encoding="utf-8").splitlines()) for path in files(package))
    nodes = [node for tree in trees.values() for node in ast.walk(tree)]
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lengths = [length(node) for node in functions]
    entries = {name.partition(".")[0] for name in trees if name}
    anys = sum("Any" in (getattr(node, "id", ""), getattr(node, "attr", "")) for node in nodes)
    private = [node.name.startswith("_") and not node.name.startswith("__") for node in functions]
    return {
        "entries at the top": len(entries),
        "ranks of imports between them": ranks(edges(trees, package.name, depth=1)),
        "cycles between them": len(circular(edges(trees, package.name, depth=1))),
        "modules": len(trees),
        "lines": lines,
        "`Any` in a thousand lines": round(1000 * anys / lines, 1),
        "private functions, %": round(100 * float(np.mean(private)), 1),
        "lines of a function, median": float(np.median(lengths)),
        "90 of 100 have at most": float(np.quantile(lengths, 0.9)),
        "the longest": max(lengths),
        "imports from a command to an attack's step": distance(edges(trees, package.name, depth=99), COMMANDS, STEP),
    }


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from the first statement to the last, without the docstring."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return (node.end_lineno or 0) - body[0].lineno + 1 if body else 0


def edges(trees: Tree, package: str, depth: int) -> Edges:
    """Which entries import which, by the first parts of their dotted names, `depth` of them."""
    found: Edges = {short(name, depth): set() for name in trees if name}
    for name, tree in trees.items():
        for target in imported(name, tree, package, trees):
            one, other = short(name, depth), short(target, depth)
            if one and other and one != other:
                found[one].add(other)
    return found


def short(name: str, depth: int) -> str:
    return ".".join(name.split(".")[:depth])


def imported(name: str, tree: ast.Module, package: str, trees: Tree) -> Iterator[str]:
    """The modules of the package that one of them imports, each as the module or package that it names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name.removeprefix(f"{package}.") for a in node.names if a.name.startswith(f"{package}."))
        elif isinstance(node, ast.ImportFrom):
            inside = node.level or (node.module or "").partition(".")[0] == package
            if inside:
                base = base_of(name, node, package, trees)
                inner = {f"{base}.{a.name}".strip(".") for a in node.names}
                yield from {each for each in inner if each in trees} or {base}


def base_of(name: str, node: ast.ImportFrom, package: str, trees: Tree) -> str:
    """The module an import is from, as an absolute name; relative ones are resolved."""
    if not node.level:
        return (node.module or "").removeprefix(package).removeprefix(".")
    is_package = any(other.startswith(f"{name}.") for other in trees)
    parts = name.split(".")
    return ".".join([*parts[: len(parts) - node.level + is_package], *filter(None, [node.module])])


def circular(graph: Edges) -> set[str]:
    """The entries that lead back to themselves."""
    return {name for name in graph if name in reached(graph, name)}


def reached(graph: Edges, start: str) -> set[str]:
    seen: set[str] = set()
    ahead = list(graph[start])
    while ahead:
        if (one := ahead.pop()) not in seen:
            seen.add(one)
            ahead += graph.get(one, ())
    return seen


def distance(graph: Edges, start: str, goal: str) -> float:
    """How many imports lead from a module, or one below it, to another, at least; NaN where none do."""
    ahead, seen, count = {name for name in graph if f"{name}.".startswith(f"{start}.")}, set[str](), 0
    while ahead and goal not in ahead:
        seen |= ahead
        ahead, count = {other for name in ahead for other in graph.get(name, ())} - seen, count + 1
    return count if ahead else math.nan


def ranks(graph: Edges) -> int:
    """The longest chain of imports, where modules that import each other count as one."""
    group = {name: frozenset({name, *(o for o in reached(graph, name) if name in reached(graph, o))}) for name in graph}
    depth: dict[frozenset[str], int] = {}

    def rank(one: frozenset[str]) -> int:
        if one not in depth:
            below = {group[other] for name in one for other in graph[name] if other in group} - {one}
            depth[one] = 1 + max((rank(each) for each in below), default=0)
        return depth[one]

    return max(map(rank, group.values()))


def drawing(package: Path) -> str:
    """The packages, the highest first, and an arrow to each that one imports and nothing between them imports."""
    graph = {k: v for k, v in edges(sources(package), package.name, depth=1).items() if not k.startswith("__")}
    lines = ["```mermaid", "flowchart TD"]
    for name in sorted(graph, key=lambda each: (-len(reached(graph, each)), each)):
        over = {below for other in graph[name] for below in reached(graph, other)}
        lines += [f"    {name} --> {other}" for other in sorted(graph[name] - over)]
    return "\n".join([*lines, "```"])


if __name__ == "__main__":
    main()
