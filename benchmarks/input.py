"""Does training wait for its images? The pipeline compared with the step of resnet20, in one run.

    python benchmarks/input.py [--rounds 5]

32 x 32 colour images in batches of 128, from memory, on the available CPUs. Prints

    step      images per second of resnet20's own training step, fed one batch over and over
    waits     the share of a training loop's time in which it waits for the next batch: median over the
              rounds and the middle half of them
    slower    the loop over one fed the same batch over and over, rounds of the two in turn, minus 1: as
              pipeline and step share the CPUs, this is the actual cost of the pipeline
    alone     images per second of each pipeline by itself, and as a multiple of the step's rate
"""

import argparse
import itertools
import time
from collections.abc import Callable, Iterator

from robust.core import quiet

quiet.tensorflow()

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from ratios import middle, seconds  # noqa: E402

from robust.core import registry  # noqa: E402
from robust.core.signature import bind  # noqa: E402
from robust.datasets.dataset import Dataset, from_splits  # noqa: E402
from robust.training import recipes, strategies  # noqa: E402
from robust.training.objectives import objective  # noqa: E402
from robust.training.optimizers import optimizer  # noqa: E402
from robust.training.pipeline import training_batches  # noqa: E402
from robust.training.step import Learner, compiled  # noqa: E402

BATCH, STEPS, WARM, IMAGES = 128, 15, 5, 10_000
FED = ((), ("pad_and_crop", "flip"))


def batches(data: Dataset, augment: tuple[str, ...]) -> tf.data.Dataset:
    calls = [bind("augmentations", name) for name in augment]
    return training_batches(data, batch_size=BATCH, seed=0, epochs=10**6, augment=calls)


def step(spec: object) -> Callable[..., object]:
    keras.utils.set_random_seed(0)
    network, recipe = registry.resolve("architectures", "resnet20")(input_shape=(32, 32, 3), classes=10), recipes.short
    strategy = strategies.strategy("one_device")
    made = optimizer(recipe, network, 1)
    graph = compiled(Learner(network, made, objective(None), recipe, strategy, []), spec)
    return lambda batch: [part.numpy() for part in graph(*batch)]


def loop(take: Callable[..., object], feed: Iterator) -> tuple[float, float]:
    """Total seconds, and those spent waiting, of some steps after a few that empty the prefetch buffer."""
    for _ in range(WARM):
        take(next(feed))
    began, waited = time.perf_counter(), 0.0
    for _ in range(STEPS):
        requested = time.perf_counter()
        batch = next(feed)
        waited += time.perf_counter() - requested
        take(batch)
    return time.perf_counter() - began, waited


def drained(feed: Iterator) -> float:
    """Images per second, the median of a few tries."""
    for _ in range(WARM):
        next(feed)
    return BATCH * STEPS / float(np.median([seconds(lambda: [next(feed) for _ in range(STEPS)]) for _ in range(5)]))


def main(rounds: int) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (IMAGES, 32, 32, 3), np.uint8)
    data = from_splits({"train": (colours, np.arange(IMAGES) % 10)})
    take = step(batches(data, ()).element_spec)
    held = next(iter(batches(data, ()).take(1)))
    rates = []
    for augment in FED:
        feed, waits, slower = iter(batches(data, augment)), [], []
        for _ in range(rounds):
            (whole, waited), (without, _) = loop(take, feed), loop(take, itertools.repeat(held))
            waits.append(waited / whole)
            slower.append(whole / without - 1)
            rates.append(BATCH * STEPS / without)
        shares = f"waits {middle(waits, '.1%')}   slower {middle(slower, '.1%')}"
        print(f"{' + '.join(augment) or 'plain':22} {shares}", flush=True)
    rate = float(np.median(rates))
    print(f"{'resnet20 step':22} {rate:9,.0f} images/s")
    for augment in (*FED, *((name,) for name in registry.names("augmentations"))):
        own = drained(iter(batches(data, augment)))
        print(
            f"{' + '.join(augment) or 'plain':22} {own:9,.0f} images/s alone, {own / rate:6.1f} x the step", flush=True
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    main(parser.parse_args().rounds)
