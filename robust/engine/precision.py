"""The precision in which attacks search, where `attack_precision = "auto"` leaves the choice: the faster one here."""

import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from robust.attacks import losses
from robust.core import files
from robust.core import store as stores
from robust.core.store import Store
from robust.core.types import PRECISIONS, Precision
from robust.engine.fitted import Fitted
from robust.models.classifier import Classifier

KIND = "precision"
"""The kind of these measurements in the store."""
_RESULT, _ROUNDS = "seconds.json", 5


@dataclass(frozen=True)
class PrecisionKey:
    """What a choice of precision depends on: the model, its batches, the machine, and the code that measures."""

    model: str
    batch: tuple[int, ...]
    machine: tuple[object, ...]
    code: str


def chosen(fitted: Fitted, image_shape: tuple[int, int, int], store: Store) -> Fitted:
    """The model with the precision in which a pass with its gradient takes the least time.

    It is measured once for a model and a machine and kept in the store, so that a run that is continued goes on in the
    same precision. A note on the model says which one was chosen, and why.
    """
    candidates = candidates_of(fitted.classifier)
    batch = (fitted.classifier.batch_size, *image_shape)
    key = asdict(PrecisionKey(fitted.identity, batch, _machine(), stores.code("robust.engine.precision")))

    def fill(out: Path) -> None:
        files.write(out / _RESULT, json.dumps(measured(candidates, image_shape)))

    path = store.get_or_make(KIND, key, fill)
    seconds: dict[Precision, float] = json.loads((path / _RESULT).read_text("utf-8"))
    best = min(seconds, key=seconds.__getitem__)
    about = {**fitted.about, "notes": [*fitted.about.get("notes", []), note(seconds)]}
    return replace(fitted, classifier=candidates[best], about=about)


def note(seconds: dict[Precision, float]) -> str:
    """What was chosen, and why.

    >>> note({"float32": 0.05, "bfloat16": 0.04})
    'attacks search in bfloat16, chosen by attack_precision = "auto": a pass took 80 % of the time of one in float32'
    >>> note({"float32": 0.05})
    'attacks search in float32: attack_precision = "auto" found no copy of the model in bfloat16'
    """
    best = min(seconds, key=seconds.__getitem__)
    if len(seconds) == 1:
        return f'attacks search in {best}: attack_precision = "auto" found no copy of the model in bfloat16'
    other = next(name for name in seconds if name != best)
    share = f"{100 * seconds[best] / seconds[other]:.0f} % of the time of one in {other}"
    return f'attacks search in {best}, chosen by attack_precision = "auto": a pass took {share}'


def candidates_of(classifier: Classifier) -> dict[Precision, Classifier]:
    """The classifier in each precision in which it has a copy to search on; a black box has only one."""
    all_of = {name: classifier.with_precision(name) for name in PRECISIONS}
    return {name: each for name, each in all_of.items() if name == "float32" or each.lean() is not each}


def measured(candidates: dict[Precision, Classifier], image_shape: tuple[int, int, int]) -> dict[Precision, float]:
    """Seconds of a pass over a full batch with its gradient, the least of several, taken in turn."""
    if len(candidates) == 1:
        return dict.fromkeys(candidates, 0.0)
    passes = {name: _pass(each.lean(), image_shape) for name, each in candidates.items()}
    rounds = [{name: _seconds(work) for name, work in passes.items()} for _ in range(1 + _ROUNDS)]
    return {name: min(each[name] for each in rounds[1:]) for name in passes}  # the first one traces


def _pass(classifier: Classifier, image_shape: tuple[int, int, int]) -> Callable[[], object]:
    shape = (classifier.batch_size, *image_shape)
    images = tf.constant(np.random.default_rng(0).uniform(size=shape), classifier.dtype)
    labels = tf.zeros(classifier.batch_size, tf.int64)
    graph = classifier.compiled("pass", lambda: lambda x, y: classifier.gradient(x, y, _loss))
    return lambda: [each.numpy() for each in graph(images, labels)]


def _loss(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    return losses.margin(logits, labels, labels)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _machine() -> tuple[object, ...]:
    gpus = [tf.config.experimental.get_device_details(each) for each in tf.config.list_physical_devices("GPU")]
    return platform.machine(), os.cpu_count(), [each.get("device_name", "") for each in gpus]
