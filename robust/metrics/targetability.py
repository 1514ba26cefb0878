"""Targeted success for each pair of classes."""

from collections.abc import Iterator
from typing import Literal

from robust.core.declared import metric
from robust.results.evaluation import EvaluationResult, Value, pairs, proportion

SELECTED = "none: the largest of many shares is biased upward by the selection"


@metric(names=("most_sent",), per_pair=("sent",), shares=("most_sent", "sent"), needs=("target",), per_image=True)
def targetability(result: EvaluationResult) -> Iterator[Value]:
    """For each pair "i -> j" the share of the images of i that the attack makes the model classify as j.

    An image counts for each of its targets; one that the model classifies as j before the attack counts,
    too. `most_sent` is the largest share of all pairs; as the largest of many it is biased upward by the
    selection, and has no interval. Shares have exact intervals. Without targets it yields nothing.

    >>> import numpy as np
    >>> result = EvaluationResult(
    ...     ("panda", "gibbon"), np.array(["a"]), np.array([0]), np.array([[0, 1]]), targets=np.array([1])
    ... )
    >>> [(v.metric, v.subset, v.value) for v in targetability(result)]
    [('most_sent', '', 1.0), ('sent', 'panda -> gibbon', 1.0)]
    """
    if result.targets is None:
        return
    reached = result.predicted == result.targets
    shares: list[Value[Literal["sent", "most_sent"]]] = [
        proportion("sent", reached[rows], pair) for pair, rows in pairs(result)
    ]
    most = max(shares, key=lambda share: share.value)
    yield Value("most_sent", most.value, most.n, ci_method=SELECTED)
    yield from shares
