"""What a GPU gives: one table of attacks, training, memory and agreement with the CPU, without any download.

    python benchmarks/gpu.py          meant for at most 8 minutes on one data-centre GPU
    python benchmarks/gpu.py --tiny   the same rows with small networks on the CPU, in seconds: checks the script

The full form has not been run on a GPU yet. Times are medians over rounds of the compared calls in turn, after a
first that traces. Rows of a network that would begin after the limit of --minutes are "not run".

    pgd step / bare pass        a step of pgd on a full batch where no image is fooled, over a compiled forward
                                pass and input gradient; both with XLA and both without
    XLA off / on                the step's time
    AutoAttack, occupancy       useful passes (of images not yet fooled) over all passes of the slots
    AutoAttack, time / passes   its time over that of as many bare passes
    training step, fit / ours   a step of Keras' own `fit` over ours, in float32 and mixed_float16
    peak memory of ...          of the GPU in that part; nan on a CPU
    agreement                   share of images with the same class on the GPU and the CPU, of 200
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace

from robust.core import quiet

quiet.tensorflow()

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from robust import datasets  # noqa: E402
from robust.attacks import autoattack, losses  # noqa: E402
from robust.attacks.iterative import IterativeAttack, ascend  # noqa: E402
from robust.attacks.slot_loop import loop  # noqa: E402
from robust.core import registry  # noqa: E402
from robust.models.classifier import Classifier  # noqa: E402
from robust.results.attack_result import AttackResult  # noqa: E402
from robust.training import precision, recipes, strategies  # noqa: E402
from robust.training.objectives import objective  # noqa: E402
from robust.training.optimizers import optimizer  # noqa: E402
from robust.training.step import Learner, compiled  # noqa: E402

Row = tuple[str, str, float, str]
"""Network, quantity, value (nan: not measured), unit."""


@dataclass(frozen=True)
class Size:
    """How large a part is: the network with its arguments, batch, and steps and rounds that are timed."""

    network: str
    side: int
    classes: int
    batch: int
    steps: int
    rounds: int
    compared: int = 200

    def build(self, dtype: str = "float32") -> keras.Model:
        keras.utils.set_random_seed(0)
        network = registry.resolve("architectures", self.network)(
            input_shape=(self.side, self.side, 3), classes=self.classes
        )
        precision.set_precision(network, dtype)
        return network

    @property
    def name(self) -> str:
        return f"{self.network}@{self.side}"

    def images(self, count: int) -> np.ndarray:
        """The packaged photos at this size, in turn, each with noise of its own."""
        photos = datasets.photos().examples("test").images
        small = tf.image.resize(photos, (self.side, self.side), antialias=True).numpy()
        noise = np.random.default_rng(0).normal(0, 0.05, (count, self.side, self.side, 3))
        return np.clip(small[np.arange(count) % len(small)] + noise, 0, 1).astype("float32")


SMALL = Size("resnet20", 32, 10, 512, 20, 5)
LARGE = Size("resnet50", 224, 1000, 64, 10, 5)
TINY = [Size("lenet5", 28, 10, 8, 2, 1, compared=16)] * 2


def seconds(work: Callable[[], object], rounds: int = 1) -> float:
    """Median time of a call, after one that traces."""
    work()
    return float(np.median([_timed(work) for _ in range(rounds)]))


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def passing(classifier: Classifier, images: np.ndarray, steps: int, xla: bool | None) -> Callable[[], object]:
    """So many bare passes, a forward pass and an input gradient each."""
    points, labels = tf.constant(images), tf.zeros([len(images)], tf.int64)
    slope = lambda x: classifier.gradient(x, labels, lambda z, y: losses.leave(z, y, y))[2]  # noqa: E731
    bare = tf.function(slope, autograph=False, jit_compile=xla)
    return lambda: [bare(points) for _ in range(steps)][-1].numpy()


def forwarding(classifier: Classifier, images: np.ndarray, steps: int, xla: bool | None) -> Callable[[], object]:
    points, forward = tf.constant(images), tf.function(classifier.__call__, autograph=False, jit_compile=xla)
    return lambda: [forward(points) for _ in range(steps)][-1].numpy()


def stepping(classifier: Classifier, images: np.ndarray, steps: int, xla: bool | None) -> Callable[[], object]:
    """So many steps of pgd in a ball without extent, towards a class that is not predicted: no image is fooled."""
    size, labels = len(images), np.zeros(len(images), np.int64)
    never = (classifier.logits(images).argmax(axis=1) + 1) % classifier.classes
    hyperparameters = {"eps": np.float32(0), "size": np.float32(0)}
    method = IterativeAttack("pgd", "linf", steps, hyperparameters, losses.reach, ascend)
    graph = tf.function(loop(classifier, method, True), autograph=False, jit_compile=xla)
    fixed = {"centre": images, "label": labels, "target": never, "seed": labels}
    limits = {"turns": steps, "idle": size, "stride": 1}
    fixed, still, limits = ({k: tf.constant(v) for k, v in part.items()} for part in (fixed, hyperparameters, limits))
    begin = {"point": tf.constant(images), "left": tf.fill([size], steps), "trace": tf.zeros([size, steps])}
    return lambda: tf.nest.map_structure(lambda v: v.numpy(), graph(fixed, begin, still, limits))


def attacks(size: Size) -> Iterator[Row]:
    """A step of pgd beside a bare pass, with XLA and without."""
    images, took = size.images(size.batch), {}
    classifier = Classifier(size.build(), size.classes, preprocessing=(0, 1), batch_size=size.batch).lean()
    for name, xla in (("off", None), ("on", True)):
        took[name] = seconds(stepping(classifier, images, size.steps, xla), size.rounds)
        bare = seconds(passing(classifier, images, size.steps, xla), size.rounds)
        yield size.name, f"bare pass, XLA {name}", 1e3 * bare / size.steps, "ms"
        yield size.name, f"pgd step / bare pass, XLA {name}", took[name] / bare, ""
    yield size.name, "pgd step, XLA off / on", took["off"] / took["on"], ""


def occupancy(found: AttackResult, classifier: Classifier) -> float:
    """Useful passes over all passes that the classifier counted since it was made."""
    return float(found.n_forward.sum() / classifier.n_forward)


def composed(size: Size, queries: int) -> Iterator[Row]:
    """AutoAttack's occupancy, and its time beside that of its passes."""
    images = size.images(2 * size.batch)
    classifier = Classifier(size.build(), size.classes, preprocessing=(0, 1), batch_size=size.batch)
    labels = classifier.logits(images).argmax(axis=1)  # all are right at first
    run = lambda of: autoattack(  # noqa: E731
        of, images, labels, seeds=np.arange(len(labels)), eps=1 / 255, steps=size.steps, n_queries=queries
    )
    run(classifier)
    classifier.n_forward = classifier.n_backward = 0
    began = time.perf_counter()
    found = run(classifier)
    took, xla = time.perf_counter() - began, on_gpu() or None
    per_image = [
        seconds(make(classifier.lean(), images[: size.batch], size.steps, xla), size.rounds) / size.steps / size.batch
        for make in (passing, forwarding)
    ]
    passes = classifier.n_backward, classifier.n_forward - classifier.n_backward
    yield size.name, "AutoAttack, occupancy", occupancy(found, classifier), ""
    yield size.name, "AutoAttack, time / passes", took / float(np.dot(passes, per_image)), ""


def training(size: Size) -> Iterator[Row]:
    """Training steps beside those of Keras' own `fit`, with the same optimiser."""
    images, labels = size.images(size.batch), np.arange(size.batch) % size.classes
    for kind in ("float32", "mixed_float16"):
        ours = seconds(_ours(size, kind, images, labels), size.rounds) / size.steps
        theirs = seconds(_fit(size, kind, images, labels), size.rounds) / size.steps
        yield size.name, f"training step, {kind}", 1e3 * ours, "ms"
        yield size.name, f"training step, fit / ours, {kind}", theirs / ours, ""


def _repeated(size: Size, *parts: np.ndarray) -> tf.data.Dataset:
    """The same batch for every step: the data costs nothing."""
    return tf.data.Dataset.from_tensors(parts).cache().repeat(size.steps).prefetch(2)


def _ours(size: Size, kind: str, images: np.ndarray, labels: np.ndarray) -> Callable[[], object]:
    recipe = replace(recipes.short, precision=kind, batch_size=size.batch)
    network, strategy = size.build(kind), strategies.strategy("one_device")
    learner = Learner(network, optimizer(recipe, network), objective(None), recipe, strategy, [])
    batches = _repeated(size, images, labels, labels)
    step = compiled(learner, batches.element_spec)
    return lambda: [step(*batch)[0] for batch in batches][-1].numpy()


def _fit(size: Size, kind: str, images: np.ndarray, labels: np.ndarray) -> Callable[[], object]:
    recipe = replace(recipes.short, precision=kind, batch_size=size.batch)
    network = size.build(kind)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(optimizer(recipe, network), loss, metrics=["accuracy"], jit_compile=on_gpu())
    batches = _repeated(size, images, labels)
    return lambda: network.fit(batches, epochs=1, verbose=0, shuffle=False)


def agreement(size: Size) -> Iterator[Row]:
    """How often the GPU and the CPU name the same class; without a GPU, the graph and the eager network on the CPU."""
    images, network = size.images(size.compared), size.build()
    classifier = Classifier(network, size.classes, preprocessing=(0, 1), batch_size=min(size.batch, size.compared))
    here = classifier.logits(images)
    with tf.device("CPU:0"):
        weights = network.get_weights()
        other = size.build()
        other.set_weights(weights)
        there = np.concatenate([other(part, training=False).numpy() for part in np.array_split(images, 8)])
    yield (
        size.name,
        f"agreement with the CPU, {len(images)} images",
        float(np.mean(here.argmax(1) == there.argmax(1))),
        "",
    )
    yield (
        size.name,
        "largest difference of logits",
        float(np.abs(here - there).max() / np.abs(there).max()),
        "of the largest",
    )


def on_gpu() -> bool:
    return bool(tf.config.list_physical_devices("GPU"))


def memory(size: Size) -> Iterator[Row]:
    """Peak memory of the GPU since the last row of this kind."""
    peak = tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**30 if on_gpu() else float("nan")
    if on_gpu():
        tf.config.experimental.reset_memory_stats("GPU:0")
    yield size.name, "peak memory", peak, "GiB"


def table(sizes: list[Size], queries: int, minutes: float) -> Iterator[Row]:
    """All rows; a part that would begin after so many minutes is one row without a value."""
    began = time.perf_counter()
    small, large = sizes
    parts: list[tuple[str, Size, Callable[[], Iterator[Row]]]] = []
    for size in dict.fromkeys(sizes):
        parts += [
            ("pgd", size, lambda size=size: attacks(size)),
            ("agreement", size, lambda size=size: agreement(size)),
        ]
    parts += [("AutoAttack", small, lambda: composed(small, queries)), ("training", large, lambda: training(large))]
    for name, size, part in parts:
        if time.perf_counter() - began > 60 * minutes:
            yield size.name, f"{name}: not run, out of time", float("nan"), ""
            continue
        yield from part()
        yield from ((network, f"{what} of {name}", value, unit) for network, what, value, unit in memory(size))


def main(argv: list[str] | None = None) -> list[Row]:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--tiny", action="store_true", help="small networks, on the CPU, in seconds")
    parser.add_argument("--minutes", type=float, default=6.0, help="no part begins later than this")
    given = parser.parse_args(argv)
    sizes, queries = (TINY, 4) if given.tiny else ([SMALL, LARGE], 200)
    print(f"GPU: {'yes' if on_gpu() else 'none; this checks the script and says nothing of a GPU'}", flush=True)
    rows = []
    with tf.device("CPU:0") if given.tiny else nullcontext():
        for row in table(sizes, queries, given.minutes):
            rows.append(row)
            print(f"{row[0]:13} {row[1]:44} {row[2]:10.4g} {row[3]}", flush=True)
    return rows


if __name__ == "__main__":
    main()
