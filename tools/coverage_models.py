"""Situations of `measure_coverage.py`: logits of overconfident, underconfident and calibrated models."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial

import numpy as np
from coverage_kinds import CLASSES, Held, Kind, result
from scipy.optimize import brentq
from scipy.special import log_softmax

from robust.metrics.accuracy import accuracy
from robust.metrics.calibration import calibration
from robust.metrics.temperature import UNITS, temperature
from robust.results.evaluation import Predictions, Value

Logits = tuple[np.ndarray, np.ndarray]
"""Logits [n, C], and the logarithms of the true probabilities [n, C]."""
Source = Callable[[np.random.Generator, int], Logits]
TEMPERATURES = np.exp(np.linspace(np.log(0.05), np.log(20), 61))
MANY = 100_000


def kinds() -> Iterator[Kind]:
    """All situations of this file; temperature scaling is slow, so it is separate, in two of them."""
    sources = {f"logits {over:g} times the true ones": partial(_times, over) for over in (0.5, 1.0, 2.0)}
    sources |= {"heavy-tailed logits, 2 times the true ones": _heavy, "confident on all, 1 of 50 wrong": _sure}
    for situation, source in sources.items():
        yield Kind(situation, partial(_unscaled, source))
    for situation in ("logits 2 times the true ones", "confident on all, 1 of 50 wrong"):
        yield Kind(situation, partial(_tempered, sources[situation]))


def _times(over: float, random: np.random.Generator, n: int) -> Logits:
    logits = 3 * random.normal(size=(n, CLASSES))
    return logits, log_softmax(logits / over, axis=1)


def _heavy(random: np.random.Generator, n: int) -> Logits:
    logits = 3 * random.normal(size=(n, CLASSES)) * random.lognormal(0, 1, (n, 1))
    return logits, log_softmax(logits / 2, axis=1)


def _sure(random: np.random.Generator, n: int) -> Logits:
    logits = random.normal(size=(n, CLASSES))
    predicted = random.integers(CLASSES, size=n)
    logits[np.arange(n), predicted] = logits.max(axis=1) + 9
    true = np.full((n, CLASSES), 0.02 / (CLASSES - 1))
    true[np.arange(n), predicted] = 0.98
    return logits, np.log(true)


def _labelled(source: Source, random: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits [n, C], and labels [n] sampled from the true probabilities."""
    logits, true = source(random, n)
    return logits, (np.exp(true).cumsum(axis=1) < random.random((n, 1))).sum(axis=1).clip(0, CLASSES - 1)


def _unscaled(source: Source, random: np.random.Generator, n: int) -> Iterator[Held]:
    own = result(*_labelled(source, random, n))
    return _held(source, [*calibration(own), *(v for v in accuracy(own) if v.metric == "nll")], 1.0)


def _tempered(source: Source, random: np.random.Generator, n: int) -> Iterator[Held]:
    """On one sample, with the temperature fitted on another of as many images."""
    held_out, labels = _labelled(source, random, n)
    own = replace(
        result(*_labelled(source, random, n)), get_predictions=lambda _: Predictions(labels, held_out, held_out)
    )
    values = list(temperature(own))
    return _held(source, values, values[0].value)


def _held(source: Source, values: list[Value], fitted: float) -> Iterator[Held]:
    for value in values:
        if not np.isnan(value.ci_low) and (true := _true(source, value, fitted)) is not None:
            yield Held(value.metric, value.ci_low, true, value.ci_high)


def _true(source: Source, value: Value, fitted: float) -> float | None:
    """The true value; None where it is not needed, as for the exact shares."""
    if value.metric == "bin_confidence":
        return _confidences(source).get(value.subset)
    if value.metric in UNITS:
        return float(np.interp(np.log(fitted), np.log(TEMPERATURES), _scaled(source)[value.metric]))
    return _plain(source).get(value.metric)


@cache
def _many(source: Source) -> Logits:
    return source(np.random.default_rng(1), MANY)


@cache
def _plain(source: Source) -> dict[str, float]:
    logits, true = _many(source)
    return {**_at(logits, true, 1.0), **_more(log_softmax(logits, axis=1), true), "temperature": _best(logits, true)}


@cache
def _scaled(source: Source) -> dict[str, list[float]]:
    """At each of TEMPERATURES."""
    logits, true = (of[: MANY // 4] for of in _many(source))
    found = [_at(logits, true, float(by)) for by in TEMPERATURES]
    return {f"{metric}_scaled": [each[metric] for each in found] for metric in found[0]}


@cache
def _confidences(source: Source) -> dict[str, float]:
    logits, true = _many(source)
    many = result(logits, true.argmax(axis=1))
    return {v.subset: v.value for v in calibration(many) if v.metric == "bin_confidence" and v.n > 100}


def _at(logits: np.ndarray, true: np.ndarray, by: float) -> dict[str, float]:
    """From many images and their true probabilities, without sampling labels."""
    log_p, share = log_softmax(logits / by, axis=1), np.exp(true)
    p = np.exp(log_p)
    sure, right = p.max(axis=1), share[np.arange(len(p)), p.argmax(axis=1)]
    return {
        "nll": float(-(share * log_p).sum(axis=1).mean()),
        "brier": float((p**2 - 2 * p * share).sum(axis=1).mean() + 1),
        "ece": _error(sure, right, _width(sure)),
        "ece_adaptive": _error(sure, right, _mass(sure)),
    }


def _more(log_p: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """The metrics without temperature scaling."""
    p, share = np.exp(log_p), np.exp(true)
    right = share[np.arange(len(p)), p.argmax(axis=1)]
    surest = np.argsort(-log_p.max(axis=1), kind="stable")
    by_confidence = np.cumsum((1 - right)[surest]) / np.arange(1, len(p) + 1)
    classes = [(p[:, c], share[:, c]) for c in range(CLASSES)]
    return {
        "ece_classwise": float(np.mean([_error(of, to, _width(of)) for of, to in classes])),
        "ace": float(np.mean([_error(of, to, _mass(of)) for of, to in classes])),
        "aurc": float(by_confidence.mean()),
    }


def _best(logits: np.ndarray, true: np.ndarray) -> float:
    """The temperature of the largest expected likelihood."""
    right = (np.exp(true) * logits).sum(axis=1).mean()

    def slope(log_by: float) -> float:
        return float((np.exp(log_softmax(logits / np.exp(log_by), axis=1)) * logits).sum(axis=1).mean() - right)

    return float(np.exp(brentq(slope, np.log(0.05), np.log(20), xtol=1e-4)))


def _width(of: np.ndarray) -> np.ndarray:
    return np.clip(np.ceil(of * 15).astype(int) - 1, 0, 14)


def _mass(of: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(of)) * 15 // len(of)


def _error(sure: np.ndarray, right: np.ndarray, place: np.ndarray) -> float:
    return float(np.abs(np.bincount(place, right - sure)).sum() / len(sure))
