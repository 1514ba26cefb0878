"""Selecting cells by their ids, as with pytest's -k: `pgd and not (lenet5 or hardened)`."""

import ast
import re

from robust.core.errors import SuiteError

_WORD = re.compile(r"[\w:+\-.\[\]\\/]+")  # as in pytest


def matches(expression: str, name: str) -> bool:
    """Does the name match the expression? Words are substrings of names; case does not matter.

    Raises SuiteError for an invalid expression.

    >>> matches("pgd and not lenet5", "pgd[resnet20]")
    True
    """
    words: list[str] = []

    def word(match: re.Match) -> str:
        if match[0] in ("and", "or", "not"):
            return match[0]
        if not _WORD.fullmatch(match[0]):
            raise TypeError
        words.append(match[0].lower())
        return f"w{len(words) - 1}"

    try:
        python = re.sub(r"[^\s()]+", word, expression)
        return _holds(ast.parse(python.strip(), mode="eval").body, words, name.lower())
    except (SyntaxError, TypeError, RecursionError, MemoryError):  # the last two: nested too deeply
        raise SuiteError(f"-k {expression!r}: write words with and, or, not and parentheses") from None


def _holds(node: ast.expr, words: list[str], name: str) -> bool:
    match node:
        case ast.Name(id=word):
            return words[int(word[1:])] in name
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _holds(operand, words, name)
        case ast.BoolOp(op=op, values=values):
            return (all if isinstance(op, ast.And) else any)(_holds(v, words, name) for v in values)
    raise TypeError
