"""Mutants of a Python file: one small change each, which some test should detect.

What is not changed: annotations, decorators, docstrings, what is printed or raised (that something is raised is),
paths, `strict` of `zip`, `num_parallel_calls` and `repr` (a check and two hints), and what compiles to the same code.
"""

import ast
import copy
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType

SWAPPED = {
    ast.Lt: [ast.LtE, ast.GtE], ast.LtE: [ast.Lt, ast.Gt], ast.Gt: [ast.GtE, ast.LtE], ast.GtE: [ast.Gt, ast.Lt],
    ast.Eq: [ast.NotEq], ast.NotEq: [ast.Eq], ast.Is: [ast.IsNot], ast.IsNot: [ast.Is], ast.In: [ast.NotIn],
    ast.NotIn: [ast.In], ast.Add: [ast.Sub], ast.Sub: [ast.Add], ast.Mult: [ast.Div], ast.Div: [ast.Mult],
    ast.FloorDiv: [ast.Mult], ast.Mod: [ast.Mult], ast.Pow: [ast.Mult], ast.BitAnd: [ast.BitOr],
    ast.BitOr: [ast.BitAnd], ast.And: [ast.Or], ast.Or: [ast.And],
}  # fmt: skip
_PAIRS = (
    ("min", "max"), ("minimum", "maximum"), ("reduce_min", "reduce_max"), ("argmin", "argmax"), ("any", "all"),
    ("reduce_any", "reduce_all"), ("floor", "ceil"), ("zeros", "ones"), ("nanmin", "nanmax"), ("sum", "mean"),
    ("reduce_sum", "reduce_mean"), ("zeros_like", "ones_like"), ("startswith", "endswith"), ("is_file", "is_dir"),
)  # fmt: skip
RENAMED = {**dict(_PAIRS), **{right: left for left, right in _PAIRS}}
SAYING = ("say", "print", "warn", "warning", "info", "debug", "_aloud", "suggest")
WHOLE = (1, 10**9)
"""The lines of a whole file."""
HINTS = ("strict", "num_parallel_calls", "repr")


@dataclass(frozen=True)
class Mutant:
    """One change: bytes `begin` to `end` of a file, `old`, become `new`."""

    file: str
    function: str
    line: int
    lines: tuple[int, int]  # of its statement; if that runs at import, of all code that may use it
    imported: bool  # does it run at import?
    begin: int
    end: int
    old: str
    new: str
    key: str  # independent of its line: the sample of a seed is the same when other lines move

    def applied(self, source: bytes) -> bytes:
        return source[: self.begin] + self.new.encode() + source[self.end :]

    @property
    def shown(self) -> str:
        """The change in short: old and new code, with a little context."""
        old, new = _plain(self.old), _plain(self.new)
        if len(old) + len(new) < 90:
            return f"{old} -> {new}"
        begin = max(_alike(old, new) - 24, 0)
        end = max(_alike(old[begin:][::-1], new[begin:][::-1]) - 12, 0)
        return f"..{old[begin : len(old) - end][:120]}.. -> ..{new[begin : len(new) - end][:120]}.."


def _plain(text: str) -> str:
    try:
        return ast.unparse(ast.parse(text, mode="eval"))
    except SyntaxError:  # a statement
        return " ".join(text.split())


def _alike(one: str, other: str) -> int:
    """The length of the common prefix."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def of(file: str, source: bytes) -> list[Mutant]:
    """All mutants of a file, in its order."""
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    plain, found, times = compile(source, file, "exec", dont_inherit=True), [], {}
    for node, new, statement, function, scope in _changes(ast.parse(source)):
        begin, end = starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset
        old = source[begin:end].decode()
        what = repr((file, function, ast.unparse(statement), old, new))
        times[what] = times.get(what, 0) + 1
        key = hashed(f"{what} {times[what]}")
        mutant = Mutant(file, function, node.lineno, *_spot(statement, scope), begin, end, old, new, key)
        if not same(plain, compile(mutant.applied(source), file, "exec", dont_inherit=True)):
            found.append(mutant)
    return found


def hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def same(one: CodeType, other: CodeType) -> bool:
    """Do both compile to the same code, but for line numbers?"""
    if (one.co_code, one.co_names, len(one.co_consts)) != (other.co_code, other.co_names, len(other.co_consts)):
        return False
    pairs = zip(one.co_consts, other.co_consts, strict=True)
    return all(same(a, b) if isinstance(a, CodeType) else repr(a) == repr(b) for a, b in pairs)


def _spot(statement: ast.stmt, scope: tuple[int, int] | None) -> tuple[tuple[int, int], bool]:
    """The lines of a mutant, and whether they run at import; scope: as in `_changes`."""
    body = getattr(statement, "body", None)
    if isinstance(statement, ast.FunctionDef):
        return (statement.lineno, statement.end_lineno), True
    ends = statement.lineno, max(statement.lineno, body[0].lineno - 1) if body else statement.end_lineno
    return (scope, True) if scope else (ends, False)


def _changes(tree: ast.Module) -> Iterator[tuple]:
    """(what is changed, its new text, its statement, the function, and the lines of a class or file outside of one)."""

    def walk(
        node: ast.AST, statement: ast.stmt | None, function: str, scope: tuple[int, int] | None
    ) -> Iterator[tuple]:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            function = f"{function}.{node.name}".lstrip(".")
            scope = (node.lineno, node.end_lineno) if scope and isinstance(node, ast.ClassDef) else None
        statement = node if isinstance(node, ast.stmt) else statement
        yield from ((changed, new, statement, function, scope) for changed, new in _of_node(node))
        for child in _mutated_children(node):
            yield from walk(child, statement, function, scope)

    return walk(tree, None, "", WHOLE)


def _mutated_children(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.JoinedStr | ast.Raise) or (isinstance(node, ast.Call) and _name(node.func) in SAYING):
        return
    skipped = [getattr(node, "annotation", None), getattr(node, "returns", None)]
    skipped += [word for word in getattr(node, "keywords", []) if word.arg in HINTS]
    skipped += getattr(node, "decorator_list", [])
    yield from (child for child in ast.iter_child_nodes(node) if child not in skipped)


def _of_node(node: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """The changes made at this very node."""
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        yield node.test, f"(not ({ast.unparse(node.test)}))"
    elif isinstance(node, ast.comprehension):
        yield from ((test, "True") for test in node.ifs)
    else:
        yield from ((node, new) for new in _NEW.get(type(node), lambda n: iter(()))(node))


def _with(node: ast.AST, **fields: object) -> str:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return f"({ast.unparse(changed)})"


def _operator(node: ast.Compare | ast.BinOp) -> Iterator[str]:
    if isinstance(node, ast.BinOp):
        if not _is_text(node.left) and not _is_path(node):
            yield from (_with(node, op=other()) for other in SWAPPED.get(type(node.op), []))
        return
    for i, op in enumerate(node.ops):
        for other in SWAPPED[type(op)]:
            yield _with(node, ops=[*node.ops[:i], other(), *node.ops[i + 1 :]])


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _is_path(node: ast.BinOp) -> bool:
    """A file within a folder: nothing but `/` can be written there."""
    places = ("path", "root", "folder", "out", "room", "entry", "unfinished")
    return isinstance(node.op, ast.Div) and (_is_text(node.right) or ast.unparse(node.left).endswith(places))


def _boolean(node: ast.BoolOp) -> Iterator[str]:
    yield _with(node, op=SWAPPED[type(node.op)][0]())
    if len(node.values) > 2:
        yield from (_with(node, values=node.values[:i] + node.values[i + 1 :]) for i in range(len(node.values)))


def _bare(node: ast.UnaryOp) -> Iterator[str]:
    yield f"({ast.unparse(node.operand)})"


def _constant(node: ast.Constant) -> Iterator[str]:
    if isinstance(node.value, bool):
        yield str(not node.value)
    elif isinstance(node.value, int):
        yield str(node.value + 1)
    elif isinstance(node.value, float):
        yield repr(node.value * 2 or 1.0)


def _call(node: ast.Call) -> Iterator[str]:
    for word in node.keywords:
        if word.arg and word.arg not in HINTS and _name(node.func) not in SAYING:
            yield _with(node, keywords=[other for other in node.keywords if other is not word])[1:-1]


def _display(node: ast.Dict) -> Iterator[str]:
    for i in range(len(node.keys)):
        yield _with(node, keys=node.keys[:i] + node.keys[i + 1 :], values=node.values[:i] + node.values[i + 1 :])[1:-1]


def _renamed(node: ast.Name | ast.Attribute) -> Iterator[str]:
    name = _name(node)
    if isinstance(node.ctx, ast.Load) and name in RENAMED:
        yield _with(node, **{"id" if isinstance(node, ast.Name) else "attr": RENAMED[name]})[1:-1]


def _dropped(node: ast.stmt) -> Iterator[str]:
    call = node.value if isinstance(node, ast.Expr) else None
    saying = isinstance(call, ast.Call) and _name(call.func) in SAYING
    if not saying and not isinstance(call, ast.Constant):
        yield "pass"


def _assigned(node: ast.Assign) -> Iterator[str]:
    if all(isinstance(part, ast.Attribute | ast.Subscript) for part in node.targets):
        yield "pass"


def _returned(node: ast.Return) -> Iterator[str]:
    if node.value is None:
        yield "pass"


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


_NEW: dict[type, Callable[..., Iterator[str]]] = {
    ast.Compare: _operator, ast.BinOp: _operator, ast.BoolOp: _boolean, ast.UnaryOp: _bare, ast.Constant: _constant,
    ast.Call: _call, ast.Dict: _display, ast.Attribute: _renamed, ast.Name: _renamed, ast.Expr: _dropped,
    ast.AugAssign: _dropped, ast.Raise: _dropped, ast.Continue: _dropped, ast.Break: _dropped,
    ast.Assign: _assigned, ast.Return: _returned,
}  # fmt: skip
