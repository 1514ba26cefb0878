"""Every value that metrics and profiles declare, computed once: each of their intervals needs a situation.

Names come from the decorators, so that a new one is here as soon as it is declared. Each is computed on synthetic
images: a value with an interval is an exact share, or has a situation under its own name.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from robust.core import registry
from robust.core.declared import yields
from robust.results.evaluation import EvaluationResult, Predictions, Value
from robust.results.summaries import comparison, corruption_error

KINDS = ("metrics", "profile")
CLASSES = tuple("abcdefgh")


def declared() -> set[str]:
    """The names of the values of all metrics and profiles."""
    return {metric for kind in KINDS for name in registry.names(kind) for metric in yields(kind, name).all_names}


def printed() -> Iterator[dict[str, Any]]:
    """Rows with metric, value, n, low, high and interval: each declared name, and those of the summaries."""
    for name in registry.names("metrics"):
        for result in (_result(), _searched(), replace(_searched(), targets=(_result().labels + 1) % len(CLASSES))):
            yield from (value._asdict() for value in registry.resolve("metrics", name)(result))
    yield from (value._asdict() for value in _profiled())
    yield from corruption_error.own_errors(_corrupted())
    yield from _compared()


def _result(n: int = 200) -> EvaluationResult:
    """Eight classes, four of ten images wrong; with all that a metric may need."""
    random = np.random.default_rng(0)
    labels = random.integers(len(CLASSES), size=n)
    logits = random.normal(size=(n, len(CLASSES))) + 2 * np.eye(len(CLASSES))[labels]
    predictions = Predictions(labels, logits, random.normal(size=(n, 4)) + labels[:, None])
    groups = {"first": CLASSES[:4], "second": CLASSES[4:]}
    ids = np.arange(n).astype(str)
    return EvaluationResult(
        CLASSES,
        ids,
        labels,
        logits,
        groups,
        get_features=lambda: predictions.features,
        get_predictions=lambda _: predictions,
    )


def _searched() -> EvaluationResult:
    """After an attack that fooled the model on every other image, with the distance of each."""
    result = _result()
    even = np.arange(len(result.ids)) % 2 == 0
    by, distance = np.where(even, "fgsm", ""), np.where(even, 0.01, np.inf)
    return replace(result, by=by, rounded=even, distance=distance, limit=0.1, norm="linf")


def _profiled() -> Iterator[Value]:
    import keras

    from robust.datasets.dataset import from_arrays
    from robust.models.classifier import Classifier

    hidden = [keras.layers.Dense(8, activation) for activation in ("relu", "tanh")]  # one may be dead, one saturated
    layers = [keras.Input((4, 4, 1)), keras.layers.Flatten(), *hidden, keras.layers.Dense(3)]
    images, labels = np.random.default_rng(0).random((64, 4, 4, 1)), np.arange(64) % 3
    classifier, data = Classifier(keras.Sequential(layers), 3), from_arrays(images, labels, classes=3)
    for name in registry.names("profile"):
        yield from registry.resolve("profile", name)(classifier, data)


def _corrupted() -> pd.DataFrame:
    wrong = np.random.default_rng(0).random((30, 2)) < 0.5
    columns = {"example": np.repeat(np.arange(30), 2), "perturbation": ["fog", "snow"] * 30, "severity": 1}
    return pd.DataFrame({**columns, "label": "a", "predicted": np.where(wrong.ravel(), "b", "a")})


def _compared() -> Iterator[dict[str, Any]]:
    """A bound on every metric that can be compared with another model."""
    from robust.core.catalogue import mapping
    from robust.suite.bounds import NoWorse

    one, other = (replace(_searched(), targets=_result().labels, logits=_result().logits + by).outcomes(
        model="m", seed=0, case="c", perturbation="fgsm", norm="linf", eps=0.1, severity=None
    ) for by in (0.0, np.eye(len(CLASSES))[0]))  # fmt: skip
    for metric in mapping("paired"):
        key = f"{metric}[a]" if metric == "recall" else metric
        limit = NoWorse("no worse than other by 0.1", "other", 0.1)
        yield from comparison.judged(key, limit, one, other, {"first": CLASSES[:4], "second": CLASSES[4:]}, same=False)
