"""The inference speed of a model on this machine."""

import os
import platform
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Literal

import numpy as np
import tensorflow as tf

from robust.core import statistics
from robust.core.declared import profile
from robust.core.errors import SuiteError
from robust.core.types import Count
from robust.datasets.dataset import Dataset
from robust.models.classifier import Classifier
from robust.results.evaluation import Value

LEAST = 6  # repeats that an interval of the median needs


@profile(
    names=("latency", "throughput"),
    table="cost",
    headings={"latency": "latency", "throughput": "images/s"},
)
def speed(classifier: Classifier, data: Dataset, *, batch: Count = 32, repeats: Count = 30) -> Iterator[Value]:
    """Latency of one image (ms) and throughput of a batch (images a second): medians with 95 % intervals.

    Both are timed in turn, so that other load on the machine affects both equally; the first pass of each, which
    builds its graph, is not timed. The interval is that of order statistics and covers the repeats only.
    These numbers are not reproducible: their `ci_method` names the date and the machine, and they
    are kept with the block until its model or code changes.

    Args:
        batch: images of a batch for the throughput, >= 1; images of the test split, repeated where it has fewer.
        repeats: timed passes of each, >= 6.

    Raises SuiteError for fewer repeats.

    >>> import keras
    >>> from robust.datasets.dataset import from_arrays
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    >>> data = from_arrays(np.zeros((1, 2, 2, 1)), [0], classes=3)
    >>> [(v.metric, v.n, v.ci_low <= v.value <= v.ci_high) for v in speed(Classifier(model, 3), data, repeats=6)]
    [('latency', 6, True), ('throughput', 6, True)]
    """
    if repeats < LEAST:
        raise SuiteError(f"repeats = {repeats}: an interval of the median needs {LEAST} or more", "repeats")
    found = data.examples("test", min(batch, data.size("test"))).images
    images = np.resize(found, (batch, *found.shape[1:]))
    one, many = timed(classifier, [images[:1], images], repeats)
    yield _median("latency", 1000 * one, "ms")
    yield _median("throughput", batch / many, "images/s")


def timed(classifier: Classifier, batches: list[np.ndarray], repeats: int) -> np.ndarray:
    """Seconds of a pass over each batch, [batches, repeats], in turn."""
    calls = [_call(classifier, images) for images in batches]
    for call in calls:
        call()
    return np.array([[_seconds(call) for call in calls] for _ in range(repeats)]).T


def _call(classifier: Classifier, images: np.ndarray) -> Callable[[], object]:
    size, inputs = len(images), tf.constant(images, classifier.dtype)
    compiled = classifier.compiled(("speed", size), lambda: classifier.__call__)

    def call() -> object:
        classifier.count(n_forward=size)
        return compiled(inputs).numpy()  # waits until the device is done

    return call


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _median(metric: Literal["latency", "throughput"], values: np.ndarray, unit: str) -> Value:
    low, high = statistics.order_statistics(values)
    return Value(
        metric, float(np.median(values)), len(values), "", unit, low, high, f"order statistics 95 %, {_where()}"
    )


def _where() -> str:
    day = datetime.now(UTC).date().isoformat()
    gpus = len(tf.config.list_physical_devices("GPU"))
    return f"{day}, {platform.machine()} with {os.cpu_count()} CPUs and {gpus} GPUs"
