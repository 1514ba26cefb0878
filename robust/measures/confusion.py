"""What the model takes for what."""

from collections.abc import Iterator
from typing import Literal

import numpy as np

from robust.quantities import Count
from robust.trial import Trial, Value, proportion


def confusion(trial: Trial, *, pairs: Count = 5) -> Iterator[Value[Literal["recall", "precision", "confused"]]]:
    """Recall and precision of each class, and the pairs that are most confused.

    Args:
        trial: what the model answered.
        pairs: how many of the most confused pairs to tell, most errors first; a pair reads "Shirt -> Coat",
            and its value is the share of the images of the first that are taken for the second.

    A class without images has no recall, and one that is never predicted no precision: NaN, with n = 0.
    The matrix itself is in outcomes.parquet: `pandas.crosstab(outcomes.label, outcomes.predicted)`.

    >>> trial = Trial(("cat", "dog"), np.array(["a", "b"]), np.array([1, 0]), np.array([[0.0, 1.0], [0.0, 1.0]]))
    >>> [(v.metric, v.group, v.value) for v in confusion(trial)][-1]
    ('confused', 'cat -> dog', 1.0)
    """
    labels, predicted = trial.labels, trial.predicted
    for label, name in enumerate(trial.classes):
        yield proportion("recall", predicted[labels == label] == label, name)
        yield proportion("precision", labels[predicted == label] == label, name)
    wrong = predicted != labels
    kinds, counts = np.unique(np.stack([labels[wrong], predicted[wrong]], axis=1), axis=0, return_counts=True)
    for i in np.argsort(-counts, kind="stable")[:pairs]:
        true, taken_for = kinds[i]
        pair = f"{trial.classes[true]} -> {trial.classes[taken_for]}"
        yield proportion("confused", predicted[labels == true] == taken_for, pair)
