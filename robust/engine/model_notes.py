"""How the models of finished blocks were interpreted, in lines shared by terminal, pytest and page."""

import json
from collections.abc import Iterable
from pathlib import Path

from robust.core.remedies import formatted, formatted_all
from robust.core.types import NewTable, Table
from robust.engine.prepare_models import is_made_here
from robust.suite import Evaluation

Found = Iterable[tuple[Evaluation, Path]]


def of_models(found: Found) -> list[str]:
    """How each model that was not trained here is evaluated, what was guessed, and why all its numbers are in doubt."""
    found = list(found)
    from_elsewhere = [
        (evaluation.model.name, block) for evaluation, block in found if not is_made_here(evaluation.model)
    ]
    lines = [line for model, block in from_elsewhere for line in notes(model, _about(block)["model"])]
    return list(dict.fromkeys([*lines, *guesses(found), *doubts_of_models(found)]))


def notes(model: str, about: Table) -> list[str]:
    """How a model is evaluated, as on the page, in a line; none where nothing is known.

    >>> notes("net", {"notes": ["pixels in [0, 255]", "logits"]}), notes("ours", {})
    (['net: pixels in [0, 255]; logits'], [])
    """
    return [f"{model}: {formatted('; '.join(about['notes']))}"] if about.get("notes") else []


def doubts_of_models(found: Found) -> list[str]:
    """Why all numbers of a model are in doubt, a line for each reason, from blocks that may be of earlier runs."""
    abouts = [(evaluation.model.name, _about(block)["model"]) for evaluation, block in found]
    doubts = [(model, doubt) for model, about in abouts for doubt in about.get("doubts", [])]
    return [f"{model}: {doubt}" for model, doubt in dict.fromkeys(doubts)]


def guesses(found: Found) -> list[str]:
    """How the data is converted for models where the suite does not declare it, a line for each model and data set."""
    guessed = [(evaluation.model.name, guess) for evaluation, block in found for guess in _about(block)["guesses"]]
    return [f"{model} {guess}" for model, guess in dict.fromkeys(guessed)]


def _about(block: Path) -> NewTable:
    return formatted_all(json.loads((block / "about.json").read_text("utf-8")))
