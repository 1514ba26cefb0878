"""The situations in which `measure_coverage.py` draws samples of images: each interval, and what is true of it."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import NamedTuple

import numpy as np

from robust import statistics
from robust.measures import binning, roc
from robust.measures.calibration import calibration
from robust.measures.confusion import confusion
from robust.measures.temperature import interval
from robust.trial import Trial

Ends = tuple[float, float]
CLASSES = 10


class Kind(NamedTuple):
    """Samples of n images of one distribution: the intervals that `draw` gives, by metric, and the true values."""

    situation: str
    draw: Callable[[np.random.Generator, int], Mapping[str, Ends]]
    truth: Callable[[], Mapping[str, float]]


def kinds() -> Iterator[Kind]:
    """All of them."""
    for share in (0, 0.002, 0.02, 0.1, 0.5, 0.9, 1):
        for alike in (True, False):
            yield _errors(share, alike)
    for over in (0.5, 1.0, 2.0):
        yield _model(over)
    for shift, spread in ((0.0, 1.0), (1.0, 1.0), (2.0, 3.0), (2.0, 0.3), (4.0, 1.0)):
        yield _scores(shift, spread)
    for share in (0.02, 0.1, 0.5):
        yield _beyond(share)
        yield _least_sure(share)
    for name, recalls in {"alike": [0.8] * 10, "nearly all right": [0.99] * 10, "apart": np.linspace(0, 1, 10)}.items():
        yield _recalls(name, np.array(recalls))


def _errors(share: float, alike: bool) -> Kind:
    """Five severities; an image is wrong at all of them or at none, or at each by itself."""

    def draw(random: np.random.Generator, n: int) -> dict[str, Ends]:
        wrong = random.random((n, 1 if alike else 5)) < share
        return {"corruption_error": statistics.bounded_mean(wrong.mean(axis=1), 0, 1)}

    how = "at all severities or none" if alike else "each severity by itself"
    return Kind(f"share {share:g}, {how}", draw, lambda: {"corruption_error": share})


def _logits(random: np.random.Generator, n: int, over: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits [n, C] that are `over` times too large, the true probabilities, and labels drawn from these."""
    logits = 3 * random.normal(size=(n, CLASSES))
    true = _softmax(logits / over)
    return logits, true, (true.cumsum(axis=1) < random.random((n, 1))).sum(axis=1).clip(0, CLASSES - 1)


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _trial(logits: np.ndarray, labels: np.ndarray) -> Trial:
    return Trial(tuple("abcdefghij"), np.arange(len(labels)).astype(str), labels, logits)


def _model(over: float) -> Kind:
    def draw(random: np.random.Generator, n: int) -> dict[str, Ends]:
        logits, _, labels = _logits(random, n, over)
        trial = _trial(logits, labels)
        found = {v.metric: (v.low, v.high) for v in islice(calibration(trial), 6)}  # not those of single bins
        dearest = float(-trial.log_probabilities.min())
        nll = statistics.bounded_mean(trial.nll, 0, dearest)
        return {**found, "nll": nll, "temperature": interval(logits, labels)}

    return Kind(f"logits {over:g} times what is true", draw, lambda: _of_model(over))


@cache
def _of_model(over: float, n: int = 200_000) -> dict[str, float]:
    """By many images and their true probabilities, without drawing labels."""
    logits, true, _ = _logits(np.random.default_rng(1), n, over)
    said = _softmax(logits)
    sure, right = said.max(axis=1), true[np.arange(n), said.argmax(axis=1)]
    by_confidence = np.cumsum((1 - right)[np.argsort(-sure)]) / np.arange(1, n + 1)
    classes = [(said[:, c], true[:, c]) for c in range(CLASSES)]
    return {
        "ece": _error(sure, right, _width(sure)),
        "ece_equal_mass": _error(sure, right, _mass(sure)),
        "ece_classwise": float(np.mean([_error(p, q, _width(p)) for p, q in classes])),
        "ece_adaptive": float(np.mean([_error(p, q, _mass(p)) for p, q in classes])),
        "brier": float((said**2 - 2 * said * true).sum(axis=1).mean() + 1),
        "aurc": float(by_confidence.mean()),
        "nll": float(-(true * np.log(said)).sum(axis=1).mean()),
        "temperature": over,
    }


def _width(of: np.ndarray) -> np.ndarray:
    return np.clip(np.ceil(of * 15).astype(int) - 1, 0, 14)


def _mass(of: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(of)) * 15 // len(of)


def _error(sure: np.ndarray, right: np.ndarray, place: np.ndarray) -> float:
    return float(np.abs(np.bincount(place, right - sure)).sum() / len(sure))


def _scores(shift: float, spread: float) -> Kind:
    """Normal scores: as many from outside as from inside."""
    from scipy.stats import norm

    def draw(random: np.random.Generator, n: int) -> dict[str, Ends]:
        inside, outside = random.normal(shift, 1, n), random.normal(0, spread, n)
        return {"auroc": roc.area_interval(inside, outside), "fpr95": roc.fpr95_interval(inside, outside)}

    area = float(norm.cdf(shift / np.hypot(1, spread)))
    let_in = float(norm.sf((shift + norm.ppf(0.05)) / spread))
    return Kind(f"shift {shift:g}, spread {spread:g}", draw, lambda: {"auroc": area, "fpr95": let_in})


def _beyond(share: float) -> Kind:
    """Two samples that do not overlap, but for a share of scores from outside beyond all from inside."""

    def draw(random: np.random.Generator, n: int) -> dict[str, Ends]:
        outside = np.where(random.random(n) < share, 20.0, 0.0) + random.normal(0, 1, n)
        return {"auroc": roc.area_interval(random.normal(10, 1, n), outside)}

    return Kind(f"share {share:g} on the wrong side", draw, lambda: {"auroc": 1 - share})


def _least_sure(share: float) -> Kind:
    """A share of the images is wrong, and surely the least sure one."""

    def draw(random: np.random.Generator, n: int) -> dict[str, Ends]:
        confidence = random.random(n)
        return {"aurc": binning.aurc_interval(confidence, confidence >= share)}

    area = float(share + (1 - share) * np.log1p(-share))
    return Kind(f"errors are the share {share:g} that is least sure", draw, lambda: {"aurc": area})


def _recalls(name: str, recalls: np.ndarray) -> Kind:
    def draw(random: np.random.Generator, n: int) -> dict[str, Ends]:
        labels = np.arange(n) % CLASSES
        predicted = np.where(random.random(n) < recalls[labels], labels, (labels + 1) % CLASSES)
        values = confusion(_trial(np.eye(CLASSES)[predicted], labels))
        return {v.metric: (v.low, v.high) for v in values if v.metric in ("worst_class", "worst_pair", "recall_spread")}

    true = {"worst_class": recalls.min(), "worst_pair": 1 - recalls.min(), "recall_spread": recalls.std()}
    return Kind(f"recalls {name}", draw, lambda: {metric: float(value) for metric, value in true.items()})


def skewed() -> Iterator[tuple[str, float, Callable[[np.random.Generator, int], np.ndarray]]]:
    """Differences of negative log-likelihoods, ours minus theirs: what they are called, their mean, a sample."""

    def rare(sign: int, random: np.random.Generator, n: int) -> np.ndarray:
        return sign * np.where(random.random(n) < 0.02, random.exponential(5, n), 0) + random.normal(0, 0.05, n)

    yield "ours rarely much worse", 0.1, lambda random, n: rare(1, random, n)
    yield "theirs rarely much worse", -0.1, lambda random, n: rare(-1, random, n)
    yield "symmetric", 0.1, lambda random, n: random.normal(0.1, 1, n)
    yield "one of 500 is 15 nats worse", 0.03, lambda random, n: 15.0 * (random.random(n) < 0.002)
