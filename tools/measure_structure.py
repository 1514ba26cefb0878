"""How a package is built: entries at its top, ranks of its imports, `Any`, private helpers, length of functions.

    python tools/measure_structure.py robust [other/package ...]
    python tools/measure_structure.py robust --drawing     # the packages and their imports, as Mermaid

Everything is read from source. A function's length is counted from its first statement to its last line, without
the docstring; the imports of type checkers and those inside of functions count, too.
"""

import argparse
import ast
from collections.abc import Iterator
from pathlib import Path

import numpy as np

Tree = dict[str, ast.Module]
Edges = dict[str, set[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packages", nargs="+", type=Path)
    parser.add_argument("--drawing", action="store_true", help="draw the imports of the first package")
    asked = parser.parse_args()
    if asked.drawing:
        print(drawing(asked.packages[0]))
        return
    found = {package.name: measures(package) for package in asked.packages}
    names = list(next(iter(found.values())))
    print("| |", " | ".join(found), "|\n|---|" + "---|" * len(found))
    for name in names:
        print(f"| {name} |", " | ".join(f"{each[name]:g}" for each in found.values()), "|")


def sources(package: Path) -> Tree:
    """Dotted name below the package -> syntax tree."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def measures(package: Path) -> dict[str, float]:
    """The figures of one package, by what they count."""
    trees = sources(package)
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in package.rglob("*.py"))
    functions = [node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    lengths = [length(node) for node in functions]
    entries = {name.partition(".")[0] for name in trees if name}
    anys = sum(isinstance(node, ast.Name) and node.id == "Any" for tree in trees.values() for node in ast.walk(tree))
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
    }


def length(node: ast.FunctionDef) -> int:
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
    """The modules of the package that one of them imports, with what stands in the module or package named."""
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
    """What an import is from: an absolute name, or one told from where it stands."""
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


def ranks(graph: Edges) -> int:
    """The longest chain of imports, where those that import each other count as one."""
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
