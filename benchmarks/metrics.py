"""Time and peak memory of the metrics at the size of ImageNet's validation set.

    python benchmarks/metrics.py [--images 50000] [--metrics accuracy confusion calibration hierarchy]

Random logits, float32, of ImageNet's 1,000 classes and its 50 superclasses. Each metric runs in a process of its own,
and then all of them together in one, as in an evaluation, where they share the probabilities. Prints

    seconds   from the logits to the last value, imports included
    cpu       of these, what the process computed itself: on a shared machine the more reliable figure
    peak      GB of resident memory of the whole process, of which the logits are 0.2

Limits, for all together and 50,000 images: 15 seconds, 2 GB. The exit status is 1 where one is missed.
"""

import argparse
import resource
import subprocess
import sys
import time

import numpy as np

from robust.core import registry
from robust.datasets.taxonomy import imagenet, superclasses
from robust.results.evaluation import EvaluationResult

METRICS = ("accuracy", "confusion", "calibration", "hierarchy")
SECONDS, PEAK = 15.0, 2.0


def evaluated(images: int) -> EvaluationResult:
    """Of a model that is correct on most images."""
    names, random = imagenet.names(), np.random.default_rng(0)
    labels = np.arange(images) % len(names)
    logits = random.standard_normal((images, len(names)), np.float32)
    logits[np.arange(images), labels] += random.normal(4, 1.5, images).astype(np.float32)
    ids = np.array([f"{i:08d}" for i in range(images)])
    return EvaluationResult(names, ids, labels, logits, superclasses.of(names))


def run(images: int, metrics: list[str]) -> None:
    """Print seconds, seconds of the processor and the peak in GB, of this process."""
    result = evaluated(images)
    began, used = time.perf_counter(), time.process_time()
    for name in metrics:
        list(registry.resolve("metrics", name)(result))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(time.perf_counter() - began, time.process_time() - used, peak)


def measured(images: int, metrics: list[str]) -> tuple[float, float, float]:
    """What `run` prints, in a process of its own."""
    command = [sys.executable, __file__, "--inside", "--images", str(images), "--metrics", *metrics]
    seconds, cpu, peak = map(float, subprocess.run(command, check=True, capture_output=True).stdout.split())
    return seconds, cpu, peak


def main() -> None:
    """Print a line for each metric, and one for all together."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--metrics", nargs="+", default=list(METRICS), choices=METRICS)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        run(options.images, options.metrics)
        return
    for name in options.metrics:
        seconds, cpu, peak = measured(options.images, [name])
        print(f"{name:12} {seconds:6.1f} s   cpu {cpu:6.1f} s   peak {peak:.2f} GB", flush=True)
    seconds, cpu, peak = measured(options.images, options.metrics)
    print(f"{'together':12} {seconds:6.1f} s   cpu {cpu:6.1f} s   peak {peak:.2f} GB")
    print(f"limits: under {SECONDS:g} s: {seconds < SECONDS}; under {PEAK:g} GB: {peak < PEAK}")
    sys.exit(seconds >= SECONDS or peak >= PEAK)


if __name__ == "__main__":
    main()
