"""The flow clean -> perturbed: which classes lose images, and to which classes."""

from collections.abc import Mapping, Sequence

import pandas as pd

CELL = ["model", "seed", "case", "perturbation", "norm", "eps", "severity"]
_IMAGE = ["model", "seed", "data", "example"]


def flow(outcomes: pd.DataFrame, superclasses: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Counts of the predictions under perturbation of the images that were correct clean.

    Args:
        outcomes: a table with the columns of `robust.results.tables.OUTCOMES`, and `data`: the set of each image, since
            two sets may have equal image names. The clean images of an evaluation are the unperturbed ones of the same
            model, seed and data.
        superclasses: of the data, name -> its classes; may be empty.

    Returns a row for each model, seed, case and strength, and each label and predicted class `taken_for`:
    `images` counts those of the label that were correct clean and are predicted so now, the label itself
    included; `of` all images of the label. `inside`: is the prediction in the superclass of the label? False
    where there are none. Evaluations without clean images of the same examples are left out.

    >>> clean = pd.DataFrame({"example": ["1", "2"], "label": "cat", "predicted": "cat", "perturbation": "clean"})
    >>> fog = clean.assign(perturbation="fog", predicted=["cat", "dog"])
    >>> same = {"model": "m", "seed": 0, "data": "d", "case": "c", "norm": "", "eps": float("nan"), "severity": 1}
    >>> table = pd.concat([clean, fog]).assign(**same)
    >>> flow(table, {"pet": ["cat", "dog"]})[["label", "taken_for", "images", "of", "inside"]].values.tolist()
    [['cat', 'cat', 1, 2, True], ['cat', 'dog', 1, 2, True]]
    """
    above = {name: group for group, members in superclasses.items() for name in members}
    clean = outcomes[outcomes["perturbation"] == "clean"].drop_duplicates(_IMAGE)
    right = clean.assign(right=clean["label"] == clean["predicted"])[[*_IMAGE, "label", "right"]]
    perturbed = outcomes[outcomes["perturbation"] != "clean"]
    both = perturbed.merge(right, on=[*_IMAGE, "label"])
    of = both.groupby([*CELL, "label"], dropna=False).size().rename("of")
    kept = both[both["right"]].rename(columns={"predicted": "taken_for"})
    images = kept.groupby([*CELL, "label", "taken_for"], dropna=False, sort=False).size().rename("images")
    found = images.reset_index().merge(of.reset_index(), on=[*CELL, "label"])
    same = [
        above.get(a) is not None and above.get(a) == above.get(b)
        for a, b in zip(found["label"], found["taken_for"], strict=True)
    ]
    return found.assign(inside=same)
