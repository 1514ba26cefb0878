"""How the models of finished blocks were understood, in the lines that terminal, pytest and page share."""

import json
from collections.abc import Iterable
from pathlib import Path

from robust.core.interface import worded, worded_all
from robust.core.types import NewTable, Table
from robust.engine.models import is_made_here
from robust.suite import Evaluation

Found = Iterable[tuple[Evaluation, Path]]


def of_models(found: Found) -> list[str]:
    """How each model that was not trained here is asked, what was guessed, and what puts all its numbers in doubt."""
    found = list(found)
    from_elsewhere = [(cell.model.name, block) for cell, block in found if not is_made_here(cell.model)]
    told = [line for model, block in from_elsewhere for line in understood(model, _about(block)["model"])]
    return list(dict.fromkeys([*told, *guesses(found), *doubts_of_models(found)]))


def understood(model: str, about: Table) -> list[str]:
    """What the page calls "asked as", in a line; none where nothing is known.

    >>> understood("net", {"understood": ["pixels in [0, 255]", "logits"]}), understood("ours", {})
    (['net: pixels in [0, 255]; logits'], [])
    """
    return [f"{model}: {worded('; '.join(about['understood']))}"] if about.get("understood") else []


def doubts_of_models(found: Found) -> list[str]:
    """What puts every number of a model in doubt, a line for each model, from blocks that may be of earlier runs."""
    abouts = [(cell.model.name, _about(block)["model"]) for cell, block in found]
    told = [(model, doubt) for model, about in abouts for doubt in about.get("doubts", [])]
    return [f"{model}: {doubt}" for model, doubt in dict.fromkeys(told)]


def guesses(found: Found) -> list[str]:
    """How models see the data where nobody has said it, a line for each model and set."""
    told = [(cell.model.name, guess) for cell, block in found for guess in _about(block)["guesses"]]
    return [f"{model} {guess}" for model, guess in dict.fromkeys(told)]


def _about(block: Path) -> NewTable:
    return worded_all(json.loads((block / "about.json").read_text("utf-8")))
