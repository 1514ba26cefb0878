"""The situations in which `measure_coverage.py` draws samples of images: each interval, with its true value.

Those of logits are in coverage_models.py, those of whole metrics in coverage_measures.py.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from robust.core import statistics
from robust.metrics import binning, roc
from robust.results.evaluation import EvaluationResult

Ends = tuple[float, float]
Sample = Callable[[np.random.Generator, int], np.ndarray]
CLASSES = 10


class Held(NamedTuple):
    """An interval, and the true value."""

    metric: str
    low: float
    true: float
    high: float


class Kind(NamedTuple):
    """Samples of n images of one distribution: `draw` gives every interval of one sample."""

    situation: str
    draw: Callable[[np.random.Generator, int], Iterable[Held]]


def kinds() -> Iterator[Kind]:
    """The situations of this file."""
    for share in (0, 0.002, 0.02, 0.1, 0.5, 0.9, 1):
        for alike in (True, False):
            yield _errors(share, alike)
    for shift, spread in ((0.0, 1.0), (1.0, 1.0), (2.0, 3.0), (2.0, 0.3), (4.0, 1.0)):
        yield _scores(shift, spread)
    for shift, times in ((1.0, 0.1), (1.0, 10), (3.0, 0.1), (3.0, 10)):
        yield _scores(shift, 1.0, times)
    yield _scores(1.0, 1.0, steps=1.0)
    for share in (0.02, 0.1, 0.5):
        yield _beyond(share)
        yield _least_sure(share)


def against(ends: Mapping[str, Ends], truth: Mapping[str, float]) -> Iterator[Held]:
    """The intervals whose true value is known."""
    return (Held(metric, ends[metric][0], true, ends[metric][1]) for metric, true in truth.items())


def result(logits: np.ndarray, labels: np.ndarray) -> EvaluationResult:
    """An evaluation result of ten classes and these labels."""
    return EvaluationResult(tuple("abcdefghij"), np.arange(len(labels)).astype(str), labels, logits)


def _errors(share: float, alike: bool) -> Kind:
    """Five severities; an image is wrong at all or none of them, or independently at each."""

    def draw(random: np.random.Generator, n: int) -> Iterator[Held]:
        wrong = random.random((n, 1 if alike else 5)) < share
        return against({"corruption_error": statistics.bounded_mean(wrong.mean(axis=1), 0, 1)}, truth)

    truth = {"corruption_error": share}
    how = "at all severities or none" if alike else "each severity independently"
    return Kind(f"share {share:g}, {how}", draw)


def _scores(shift: float, spread: float, times: float = 1, steps: float = 0) -> Kind:
    """Normal scores, `times` as many out of distribution as in; rounded to `steps`, so that many are equal."""
    from scipy.stats import norm

    def draw(random: np.random.Generator, n: int) -> Iterator[Held]:
        inside, outside = random.normal(shift, 1, n), random.normal(0, spread, max(round(n * times), 2))
        if steps:
            inside, outside = np.floor(inside / steps), np.floor(outside / steps)
        return against(
            {"ood_auroc": roc.area_interval(inside, outside), "ood_fpr95": roc.fpr95_interval(inside, outside)}, truth
        )

    area = float(norm.cdf(shift / np.hypot(1, spread)))
    let_in = float(norm.sf((shift + norm.ppf(0.05)) / spread))
    truth = {"ood_auroc": area, "ood_fpr95": let_in} if not steps else {"ood_auroc": _stepped(shift, spread, steps)}
    more = (f", {times:g} times as many outside" if times != 1 else "") + (", in steps" if steps else "")
    return Kind(f"shift {shift:g}, spread {spread:g}{more}", draw)


def _stepped(shift: float, spread: float, steps: float) -> float:
    """The area where equal scores count half."""
    from scipy.stats import norm

    places = np.arange(-12, 12, steps)
    inside, outside = (np.diff(norm.cdf(places, *of)) for of in ((shift, 1), (0, spread)))
    return float(inside @ (np.cumsum(outside) - outside / 2))


def _beyond(share: float) -> Kind:
    """Two samples that do not overlap, but for a share of outside scores beyond all inside ones."""

    def draw(random: np.random.Generator, n: int) -> Iterator[Held]:
        outside = np.where(random.random(n) < share, 20.0, 0.0) + random.normal(0, 1, n)
        return against({"ood_auroc": roc.area_interval(random.normal(10, 1, n), outside)}, {"ood_auroc": 1 - share})

    return Kind(f"share {share:g} on the wrong side", draw)


def _least_sure(share: float) -> Kind:
    """A share of the images is wrong, exactly the least confident ones."""
    area = float(share + (1 - share) * np.log1p(-share))

    def draw(random: np.random.Generator, n: int) -> Iterator[Held]:
        confidence = random.random(n)
        return against({"aurc": binning.aurc_interval(confidence, confidence >= share)}, {"aurc": area})

    return Kind(f"errors are the least confident share {share:g}", draw)


def skewed() -> Iterator[tuple[str, float, Sample]]:
    """Differences of negative log-likelihoods, ours minus theirs: name, mean, a sample."""

    def rare(sign: int, random: np.random.Generator, n: int) -> np.ndarray:
        return sign * np.where(random.random(n) < 0.02, random.exponential(5, n), 0) + random.normal(0, 0.05, n)

    yield "ours rarely much worse", 0.1, lambda random, n: rare(1, random, n)
    yield "theirs rarely much worse", -0.1, lambda random, n: rare(-1, random, n)
    yield "symmetric", 0.1, lambda random, n: random.normal(0.1, 1, n)
    yield "one of 500 is 15 nats worse", 0.03, lambda random, n: 15.0 * (random.random(n) < 0.002)
