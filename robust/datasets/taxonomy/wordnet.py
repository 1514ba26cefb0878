"""The hierarchy of WordNet's nouns, which include the classes of ImageNet."""

from collections.abc import Iterable
from pathlib import Path

from robust.core import files
from robust.core.errors import DataError

DEBIAN = Path("/usr/share/wordnet/data.noun")  # of the package wordnet-base
NAMES = ("wordnet", "data.noun")
"""What a suite may write as a tree: the word, or the path of such a file."""


def named(tree: object) -> bool:
    """Does a suite's `tree` mean WordNet?

    >>> named("wordnet"), named("dict/data.noun"), named("mine.toml")
    (True, True, False)
    """
    return isinstance(tree, str) and Path(tree).name in NAMES


def file(tree: str) -> Path:
    """The file that `tree` names; raises DataError with a remedy where it does not exist."""
    path = DEBIAN if tree == "wordnet" else Path(tree)
    if not path.is_file():
        raise DataError(f"tree = {tree!r}: there is no {path}; on Debian: apt-get install wordnet-base")
    return path


def paths(wnids: Iterable[str], path: Path) -> list[tuple[str, ...]]:
    """The synsets above each noun, from the largest to the nearest, each with its WordNet id.

    Of several hypernyms the first is taken, so that the graph becomes a tree.

    Args:
        wnids: as in "n02510455". path: data.noun of WordNet 3.0, to which ImageNet's ids belong.

    Raises DataError for an id that is not in the file.

    Source: Miller, WordNet: a lexical database for English, CACM 38(11), 1995; its format is wndb(5WN).
    """
    try:
        nouns = _nouns(path)
    except (OSError, ValueError, IndexError) as error:
        raise DataError(f"{path}: cannot be read as WordNet's nouns ({error})") from None
    return [_above(wnid, nouns, path) for wnid in wnids]


def _above(wnid: str, nouns: dict[str, tuple[str, str]], path: Path) -> tuple[str, ...]:
    if wnid not in nouns:
        raise DataError(f"{path}: there is no noun {wnid!r}; ImageNet's ids are those of WordNet 3.0")
    found, parent = [], nouns[wnid][1]
    while parent:
        if parent not in nouns or len(found) == len(nouns):
            raise DataError(f"{path}: is damaged: the parent {parent} of {wnid} is missing, or its own ancestor")
        found.append(f"{nouns[parent][0]} ({parent})")
        parent = nouns[parent][1]
    return tuple(found[::-1])


def _nouns(path: Path) -> dict[str, tuple[str, str]]:
    """Id -> its first word, and the id of its first hypernym, "" of the one that has none."""
    found = {}
    with files.regular(path).open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("  "):  # the licence
                continue
            fields = line.split(" | ")[0].split()
            pointers = fields[4 + 2 * int(fields[3], 16) + 1 :]
            kinds = dict(zip(reversed(pointers[0::4]), reversed(pointers[1::4]), strict=True))
            parent = kinds.get("@") or kinds.get("@i")
            found[f"n{fields[0]}"] = fields[4].replace("_", " "), f"n{parent}" if parent else ""
    return found
