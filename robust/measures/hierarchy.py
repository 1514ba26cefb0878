"""How bad the mistakes are, in a hierarchy of the classes."""

from collections.abc import Iterator
from typing import Literal

import numpy as np

from robust import trees
from robust.trial import Trial, Value, mean, proportion


def hierarchy(
    trial: Trial, *, tree: str | dict | None = None
) -> Iterator[
    Value[Literal["superclass_accuracy", "superclass_recall", "errors_inside", "errors_leaving", "mistake_severity"]]
]:
    """How many mistakes stay inside the superclass, how many leave it, and how high one must climb to mend them.

    Severity of a mistake = height of the lowest common ancestor of label and prediction, where a class has
    height 0 and a group one more than the highest thing in it; so inside the nearest group of two classes it
    is 1. `mistake_severity` is the mean over the mistakes, NaN where there are none.

    Args:
        trial: what the model answered.
        tree: groups of classes, and groups of groups: { animal = { pet = ["cat", "dog"], wild = ["deer"] },
            vehicle = ["car"] }; or the name of a .toml file with such tables, or of a .csv file with a class a
            line and then its groups, the nearest first; or "wordnet" for the classes of ImageNet, where Debian's
            wordnet-base is installed, or the path of WordNet's data.noun. Left out: the superclasses of the data. The
            superclasses are the groups just below the top.

    Raises DataError where a class stands in no group or in two, or is unknown, and where there are no groups.

    Source: Bertinetto et al., Making Better Mistakes: Leveraging Class Hierarchies with Deep Networks, CVPR 2020.

    >>> trial = Trial(("cat", "dog", "car"), np.array(["a", "b"]), np.array([1, 0]), np.eye(3)[[0, 2]])
    >>> [v.value for v in hierarchy(trial, tree={"animal": ["cat", "dog"], "vehicle": ["car"]})][-3:]
    [0.5, 0.5, 1.5]
    """
    paths = trees.above(tree, trial.superclasses, trial.classes)
    names, groups = np.unique([path[0] for path in paths], return_inverse=True)
    same = groups[trial.labels] == groups[trial.predicted]
    yield proportion("superclass_accuracy", same)
    for place, name in enumerate(names.tolist()):
        yield proportion("superclass_recall", same[groups[trial.labels] == place], name)
    wrong = trial.labels != trial.predicted
    yield proportion("errors_inside", same[wrong])
    yield proportion("errors_leaving", ~same[wrong])
    heights = trees.severities(paths, trial.labels[wrong], trial.predicted[wrong])
    yield mean("mistake_severity", heights, 1, max(map(len, paths)) + 1, unit="levels")
