"""How severe the mistakes are, in a hierarchy of the classes."""

from collections.abc import Iterator

import numpy as np

from robust.core.declared import metric
from robust.datasets.taxonomy import trees
from robust.results.evaluation import EvaluationResult, Value, mean, proportion


@metric(
    names=(
        "superclass_accuracy", "within_superclass_error_share", "cross_superclass_error_share", "mistake_severity",
    ),
    per_superclass=("superclass_recall",),
    shares=(
        "superclass_accuracy", "superclass_recall", "within_superclass_error_share", "cross_superclass_error_share",
    ),
    needs=("superclasses",),
    paired={"superclass_accuracy": "higher"},
    perfect={"superclass_accuracy": 1.0},
    table="structure",
    headings={
        "superclass_accuracy": "superclass accuracy", "within_superclass_error_share": "errors inside superclass",
        "mistake_severity": "severity of mistakes",
    },
    spread=("superclass_accuracy", "mistake_severity"),
)  # fmt: skip
def hierarchy(result: EvaluationResult, *, tree: str | dict | None = None, level: int | None = None) -> Iterator[Value]:
    """Shares of mistakes within and across superclasses, and their mean severity in the class hierarchy.

    Severity of a mistake = height of the lowest common ancestor of label and prediction, where a class has
    height 0 and a group one more than the highest thing in it; so inside the nearest group of two classes it
    is 1. `mistake_severity` is the mean over the mistakes, NaN where there are none.

    Args:
        result: what the model predicted.
        tree: groups of classes, and groups of groups: { animal = { pet = ["cat", "dog"], wild = ["deer"] },
            vehicle = ["car"] }; or the name of a .toml file with such tables, or of a .csv file with a class a
            line and then its groups, the nearest first; or "wordnet" for the classes of ImageNet, where Debian's
            wordnet-base is installed, or the path of WordNet's data.noun. Left out: the superclasses of the data.
        level: which groups are the superclasses: 1 the largest, just below the top, 2 those in them, and so on; a class
            that is in fewer groups has its nearest. Left out: 1; but with "wordnet", whose largest group holds
            997 of ImageNet's 1,000 classes, the 50 groups that are ImageNet's superclasses elsewhere, too (1 where the
            data have classes of a single one of them). The severity is that in the whole tree, at any level.

    Raises DataError where a class is in no group or in two, or is unknown, and where there are no groups or no
    such level.

    Source: Bertinetto et al., Making Better Mistakes: Leveraging Class Hierarchies with Deep Networks, CVPR 2020.

    >>> result = EvaluationResult(("cat", "dog", "car"), np.array(["a", "b"]), np.array([1, 0]), np.eye(3)[[0, 2]])
    >>> [v.value for v in hierarchy(result, tree={"animal": ["cat", "dog"], "vehicle": ["car"]})][-3:]
    [0.5, 0.5, 1.5]
    >>> of_two_levels = {"animal": {"pet": ["cat"], "wild": ["dog"]}, "vehicle": ["car"]}
    >>> [[v.value for v in hierarchy(result, tree=of_two_levels, level=level)][0] for level in (1, 2)]
    [0.5, 0.0]
    """
    paths = trees.above(tree, result.superclasses, result.classes)
    superclasses = trees.superclasses(tree, paths, result.classes, level)
    names, groups = np.unique(superclasses, return_inverse=True)
    same = groups[result.labels] == groups[result.predicted]
    yield proportion("superclass_accuracy", same)
    for place, name in enumerate(names.tolist()):
        yield proportion("superclass_recall", same[groups[result.labels] == place], name)
    wrong = result.labels != result.predicted
    yield proportion("within_superclass_error_share", same[wrong])
    yield proportion("cross_superclass_error_share", ~same[wrong])
    heights = trees.severities(paths, result.labels[wrong], result.predicted[wrong])
    yield mean("mistake_severity", heights, 1, max(map(len, paths)) + 1, unit="levels")
