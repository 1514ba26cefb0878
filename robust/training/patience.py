"""The best epoch of a training, and when to stop waiting for a better one."""

from collections.abc import Container, Sequence

from robust.core.errors import DataError
from robust.core.signature import Call
from robust.datasets.dataset import Dataset
from robust.suite import Training
from robust.training import robust_validation
from robust.training.recipes import Recipe


def watched(adversary: Call | None, data: Dataset) -> str:
    """The column of the history that decides which epoch is best: robust accuracy, or that on the validation split."""
    return "val_robust" if robust_validation.is_watched(adversary, data) else "val_accuracy"


def check(recipe: Recipe, data: Dataset) -> None:
    """Raise DataError if epochs are to be compared and there are no images to do it on."""
    if "validation" in data.sizes or (recipe.patience is None and recipe.keep != "best"):
        return
    what = 'keep = "best"' if recipe.patience is None else f"patience = {recipe.patience}"
    raise DataError(
        f"{what}: {data.name} has no validation split to decide which epoch is best; name one, or leave it out"
    )


def stops(recipe: Recipe, values: Sequence[float]) -> bool:
    """Has no epoch been better for as long as the patience of the recipe lasts?

    >>> [stops(Recipe(9, 1, 0.1, patience=2), values) for values in ([0.5, 0.7, 0.7], [0.5, 0.7, 0.7, 0.6])]
    [False, True]
    """
    if recipe.patience is None or not values:
        return False
    return len(values) - 1 - list(values).index(max(values)) >= recipe.patience


def stop_reason(name: str, values: Sequence[float], best: bool) -> str:
    """Why it has stopped, and which weights are kept; best: those of the best epoch, of which the latest counts.

    >>> stop_reason("val_accuracy", [0.5, 0.7, 0.6], best=True)
    'as val_accuracy was never better than in epoch 2, whose weights are kept'
    >>> stop_reason("val_accuracy", [0.5, 0.7, 0.7], best=True)
    'as val_accuracy was never better than in epoch 2; the weights of epoch 3, which is as good, are kept'
    >>> stop_reason("val_accuracy", [0.5, 0.7, 0.6], best=False)
    'as val_accuracy was never better than in epoch 2; the weights of the last epoch are kept'
    """
    first = list(values).index(max(values))
    kept = robust_validation.epoch_to_keep({"loss": values, name: values}, name)
    what = ", whose weights are kept"
    if not best:
        what = "; the weights of the last epoch are kept"
    elif kept > first:
        what = f"; the weights of epoch {kept + 1}, which is as good, are kept"
    return f"as {name} was never better than in epoch {first + 1}{what}"


def column(train: Training, history: Container[str]) -> str | None:
    """The column of the history by which an epoch was kept; None where it is the last.

    >>> from robust.core.signature import bind
    >>> column(Training(bind("recipes", {"name": "short", "patience": 2})), ["loss", "val_accuracy"])
    'val_accuracy'
    """
    found = next((name for name in ("val_robust", "val_accuracy") if name in history), None)
    return found if Recipe(**train.recipe.arguments).keeps_best(found == "val_robust") else None
