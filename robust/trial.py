"""What one case did to one model, and the values that measures draw from it."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import pandas as pd

from robust import record, statistics

Metric = TypeVar("Metric", bound=str)


class Value(NamedTuple, Generic[Metric]):
    """One number: what it is called, of which group it speaks ("" for all), from how many, how sure."""

    metric: Metric
    value: float
    n: int
    group: str = ""
    unit: str = "proportion"
    low: float = float("nan")
    high: float = float("nan")
    interval: str = ""


def proportion(metric: Metric, hits: np.ndarray, group: str = "") -> Value[Metric]:
    """The share of `hits` (bool [n]) with its Wilson interval; NaN where there is nothing to count.

    >>> proportion("top1", np.array([True, False])).value
    0.5
    """
    n = len(hits)
    if not n:
        return Value(metric, float("nan"), 0, group)
    return Value(
        metric, float(np.mean(hits)), n, group, "proportion", *statistics.wilson(int(np.sum(hits)), n), "wilson 95 %"
    )


@dataclass(frozen=True)
class Trial:
    """One case on one model, at one strength of the perturbation.

    classes: names, by label. superclasses: name -> its classes; may be empty.
    ids: str [N]; labels: int64 [N]; logits: float [N, C], of the perturbed images.
    targets: int64 [N] where the attack had some. clean: the same images unperturbed; None where this is it.
    by: str [N]: what felled the image; linf, l2: float [N], sizes of the change; forward, backward: passes [N].
    """

    classes: tuple[str, ...]
    ids: np.ndarray
    labels: np.ndarray
    logits: np.ndarray
    superclasses: dict[str, tuple[str, ...]] = field(default_factory=dict)
    targets: np.ndarray | None = None
    clean: "Trial | None" = None
    by: np.ndarray | None = None
    linf: np.ndarray | None = None
    l2: np.ndarray | None = None
    forward: np.ndarray | None = None
    backward: np.ndarray | None = None

    @cached_property
    def predicted(self) -> np.ndarray:
        """The class with the largest logit, the first of equals, int64 [N]."""
        return self.logits.argmax(axis=1)

    @cached_property
    def log_probabilities(self) -> np.ndarray:
        """log softmax of the logits, float64 [N, C]."""
        from scipy.special import log_softmax

        return log_softmax(self.logits.astype(np.float64), axis=1)

    @property
    def nll(self) -> np.ndarray:
        """Negative log-likelihood of the label in nats, [N]."""
        return -self._at_label(self.log_probabilities)

    def in_top(self, k: int) -> np.ndarray:
        """Is the label among the k largest logits? Of equals the first classes win, as for `predicted`."""
        own = self._at_label(self.logits)[:, None]
        before = np.arange(self.logits.shape[1])[None, :] < self.labels[:, None]
        return ((self.logits > own) | ((self.logits == own) & before)).sum(axis=1) < k

    @property
    def margin(self) -> np.ndarray:
        """The label's logit minus the largest other, [N]; negative where the model errs."""
        others = self.logits.copy()
        np.put_along_axis(others, self.labels[:, None], -np.inf, axis=1)
        return self._at_label(self.logits) - others.max(axis=1)

    def _at_label(self, values: np.ndarray) -> np.ndarray:
        return np.take_along_axis(values, self.labels[:, None], axis=1)[:, 0]

    def outcomes(self, **same: Any) -> pd.DataFrame:
        """One row an example, in the columns of outcomes.parquet; `same` fills those that do not vary."""
        names = np.array(self.classes, dtype=object)
        superclass = {c: s for s, members in self.superclasses.items() for c in members}
        zeros = np.zeros(len(self.ids))
        columns = {
            "example": self.ids,
            "label": names[self.labels],
            "superclass": [superclass.get(c, "") for c in names[self.labels]],
            "target": "" if self.targets is None else names[self.targets],
            "predicted": names[self.predicted],
            "in_top5": self.in_top(5),
            "confidence": np.exp(self.log_probabilities.max(axis=1)),
            "margin": self.margin,
            "nll": self.nll,
            "fooled_by": "" if self.by is None else self.by,
            **{
                k: zeros if getattr(self, k) is None else getattr(self, k)
                for k in ("linf", "l2", "forward", "backward")
            },
        }
        return record.table(pd.DataFrame(columns).assign(**same), record.OUTCOMES)
