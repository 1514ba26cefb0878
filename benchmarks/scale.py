"""ImageNet's validation x 20 networks on 1 to 1,000 workers: a simulation with the scheduler that `--engine ray` uses.

    python benchmarks/scale.py                # measures passes, decoding, corruptions and the store, then simulates
    python benchmarks/scale.py --faster 100   # the same, with passes of an accelerator

Time is virtual: no worker is started. A unit takes the seconds of its passes and of decoding its images, times a
lognormal factor (STRAGGLING), and waits for one store, which writes one unit after another. The merge is left out.
"""

import argparse
import heapq
import io
import time
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from robust.core.progress import Silent
from robust.engine.scheduler import Done, Job, Ready, Scheduler, Task

MODELS, IMAGES, ATTACKED, SHARD = 20, 50_000, 5_000, 256
CORRUPTIONS, SEVERITIES = 15, 5
STRAGGLING = 0.2  # sigma of the factor: half of the units are within 14 % of the median
STANDING = 0.4  # share of the images that AutoAttack does not fool: these cost all of its passes
PGD_STEPS = 20
WORKERS = (1, 16, 128, 1000)


@dataclass(frozen=True)
class Costs:
    """Seconds: of a forward pass of an image, of one with its gradient, of decoding and of corrupting it, of opening a
    suite and loading a model, of writing a unit to the store."""

    forward: float
    gradient: float
    decode: float
    corrupt: float
    start: float
    store: float


def passes(kind: str) -> tuple[float, float]:
    """Forward passes without and with a gradient, an image, over all strengths of a case."""
    if kind == "autoattack":  # APGD 100, targeted APGD 9 x 100, FAB 9 x 100 with gradients, Square 5,000 without
        return STANDING * 5000, STANDING * 1900 + (1 - STANDING) * 100
    return {"clean": (1, 0), "pgd": (1, PGD_STEPS), "corruption": (SEVERITIES, 0)}[kind]


def seconds(kind: str, images: int, costs: Costs) -> float:
    """Of a unit on a device, without its writing."""
    forward, gradient = passes(kind)
    corrupted = SEVERITIES * costs.corrupt if kind == "corruption" else 0
    return images * (forward * costs.forward + gradient * costs.gradient + costs.decode + corrupted)


def jobs(attacked_shard: int) -> list[Job]:
    found = []
    for model in map(str, range(MODELS)):
        clean = shards(model, "clean", "clean", IMAGES)
        cases = {"clean": [], "pgd": shards(model, "pgd", "pgd", IMAGES)}
        cases["autoattack"] = shards(model, "autoattack", "autoattack", ATTACKED, attacked_shard)
        cases |= {f"c{i}": shards(model, f"c{i}", "corruption", IMAGES) for i in range(CORRUPTIONS)}
        found += [Job(f"{name}[{model}]", [clean, units]) for name, units in cases.items()]
    return found


def shards(model: str, case: str, kind: str, images: int, size: int = SHARD) -> list[Task]:
    sizes = [min(size, images - i) for i in range(0, images, size)]
    return [
        Task(kind, f"{model}-{case}-{number}", f"{case}[{model}]", model, number, images=size)
        for number, size in enumerate(sizes)
    ]


class Simulated:
    """Workers in virtual time."""

    def __init__(self, costs: Costs, seed: int):
        self.costs, self.random = costs, np.random.default_rng(seed)
        self.now, self.store_free, self.busy, self.waited, self.count = 0.0, 0.0, 0.0, 0.0, 0
        self.events: list[tuple[float, int, Ready | Done]] = []
        self.written: list[tuple[float, int, int, Task]] = []
        self.order, self.held = 0, dict[int, str]()

    def start(self) -> None:
        self._push(self.now + self.costs.start, Ready(self.count))
        self.count += 1

    def give(self, worker: int, task: Task) -> None:
        work = seconds(task.kind, task.images, self.costs) * self.random.lognormal(0, STRAGGLING)
        loaded = 0 if self.held.get(worker) == task.model else self.costs.start
        self.held[worker] = task.model
        self.busy += work
        done = self.now + loaded + work
        self._push(done, Done(worker, task))

    def wait(self) -> list[Ready | Done]:
        """The next event; a unit waits here until the store has written those before, one after another."""
        while True:
            self.now, _, event = heapq.heappop(self.events)
            if isinstance(event, Ready) or event.lines:
                return [event]
            begin = max(self.now, self.store_free)
            self.waited += begin - self.now
            self.store_free = begin + self.costs.store
            self._push(self.store_free, Done(event.worker, event.task, lines=("written",)))

    def _push(self, at: float, event: Ready | Done) -> None:
        self.order += 1
        heapq.heappush(self.events, (at, self.order, event))


def simulate(costs: Costs, workers: int, attacked_shard: int = SHARD, seed: int = 0) -> dict[str, float]:
    """Hours until all is done, and the share of the workers' time that is work of units."""
    there = Simulated(costs, seed)
    Scheduler(jobs(attacked_shard), there, workers, Silent(), lambda *_: None, lambda _: None).run()
    return {
        "hours": there.now / 3600,
        "efficiency": there.busy / (workers * there.now),
        "store": there.waited / (workers * there.now),
    }


def measured() -> Costs:
    """The costs on this machine, with resnet50 on photos of 224 pixels."""
    import tensorflow as tf

    from robust import corruptions
    from robust.core.store import Store
    from robust.models.architectures import resnet50
    from robust.models.classifier import Classifier
    from robust.results import evidence

    images = np.random.default_rng(0).random((16, 224, 224, 3), np.float32)
    began = time.perf_counter()
    classifier = Classifier(resnet50(input_shape=(224, 224, 3), classes=1000), 1000, batch_size=16)
    start = time.perf_counter() - began
    model, batch = classifier.model, tf.constant(images)

    @tf.function
    def gradient(x: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(model(x, training=False)[:, 0])
        return tape.gradient(loss, x)

    file = io.BytesIO()
    from PIL import Image

    Image.fromarray((images[0] * 255).astype("uint8")).resize((500, 375)).save(file, "JPEG", quality=90)
    raw = file.getvalue()

    def write() -> None:
        with TemporaryDirectory() as folder:
            arrays = {"logits": np.zeros((SHARD, 1000), np.float32), "ids": np.arange(SHARD)}
            Store(Path(folder)).get_or_make("perturbed", {"a": 1}, lambda out: evidence.write(out, arrays, {}))

    def corrupt() -> None:
        for name in ("gaussian_noise", "defocus_blur", "fog", "contrast", "jpeg_compression"):
            getattr(corruptions, name)(images[:1], seeds=np.zeros(1, np.int64), severity=3)

    return Costs(
        forward=fastest(lambda: classifier.logits(images)) / 16, gradient=fastest(lambda: gradient(batch)) / 16,
        decode=fastest(lambda: tf.image.resize(tf.io.decode_jpeg(raw), (224, 224))), corrupt=fastest(corrupt) / 5,
        start=start, store=fastest(write),
    )  # fmt: skip


def fastest(call, times: int = 4) -> float:
    call()
    found = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        found.append(time.perf_counter() - began)
    return min(found)


def table(costs: Costs) -> None:
    print("| case | images | forward passes an image | with gradient | units | device hours |")
    print("|---|---:|---:|---:|---:|---:|")
    kinds = {"clean": (IMAGES, 1), "pgd": (IMAGES, 1), "autoattack": (ATTACKED, 1), "corruption": (IMAGES, CORRUPTIONS)}
    for kind, (images, times) in kinds.items():
        forward, gradient = passes(kind)
        hours = MODELS * times * seconds(kind, images, costs) / 3600
        units = MODELS * times * -(-images // SHARD)
        print(f"| {kind} | {images:,} | {times * forward:,.0f} | {times * gradient:,.0f} | {units:,} | {hours:,.1f} |")
    print("\n| workers | hours | efficiency | of AutoAttack's shards of 32 | waiting for the store |")
    print("|---:|---:|---:|---:|---:|")
    for workers in WORKERS:
        found, small = simulate(costs, workers), simulate(costs, workers, attacked_shard=32)
        columns = f"{found['efficiency']:.1%} | {small['efficiency']:.1%} | {found['store']:.1%}"
        print(f"| {workers:,} | {found['hours']:,.2f} | {columns} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--costs", type=float, nargs=6, metavar="MS", help="the six costs, instead of measured ones")
    parser.add_argument("--faster", type=float, default=1, help="passes take this times less, as on an accelerator")
    arguments = parser.parse_args()
    costs = Costs(*(each / 1e3 for each in arguments.costs)) if arguments.costs else measured()
    costs = replace(costs, forward=costs.forward / arguments.faster, gradient=costs.gradient / arguments.faster)
    print(", ".join(f"{name} {value * 1e3:.3g} ms" for name, value in vars(costs).items()), end="\n\n")
    table(costs)
