"""The cost of attacks compared with Foolbox and ART, as ratios measured in one run, each with its limit.

    python benchmarks/attacks.py [--pairs 15] [--only lenet5 resnet20]

For the lenet5 and resnet20 of suites/quick.toml, which are trained at the first run and cached in
ROBUST_STORE, on 28x28 images at batch 128. Times are medians over interleaved pairs with the middle half
of the pairs in brackets; passes are counted where the network is called:

    step / bare              a step of pgd over a bare compiled forward pass and input gradient of the same model
    model / copy             that pass of the model itself over that of the copy used in the search, with
                             BatchNorm folded; and of the copy in bfloat16
    Foolbox, ART / ours      pgd-20 where no image is fooled, and at 8/255 where ours stops at success, on 1,000
                             images, since the slots of fooled images are refilled; searched in float32 and in
                             bfloat16, for CPUs with bfloat16 multiplication; ART if
                             adversarial-robustness-toolbox is installed
    curve / Foolbox          passes of 8 ascending values of eps over those of Foolbox's 8 runs, on 256 images;
                             and what the curve misses, for Square on 128, with what an independent run misses
    autoattack / its passes  time over that of as many bare passes; its forward and backward passes over those of
                             the original, computed: there a fooled image stays to the end of a search, but in
                             Square (fewer steps and queries than usual)
"""

import argparse
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from robust.core import quiet

quiet.tensorflow()

import numpy as np  # noqa: E402
import rivals  # noqa: E402
import tensorflow as tf  # noqa: E402
from ratios import middle, seconds  # noqa: E402

from robust import datasets, suite  # noqa: E402
from robust.attacks import autoattack, losses, pgd  # noqa: E402
from robust.attacks.autoattack import parts  # noqa: E402
from robust.attacks.iterative import IterativeAttack, ascend  # noqa: E402
from robust.attacks.slot_loop import loop  # noqa: E402
from robust.core import store  # noqa: E402
from robust.core.progress import Silent  # noqa: E402
from robust.core.signature import Call, bind  # noqa: E402
from robust.datasets.dataset import Dataset, Examples, from_arrays  # noqa: E402
from robust.engine import perturb, prepare_models  # noqa: E402
from robust.models.classifier import Classifier  # noqa: E402
from robust.results.attack_result import AttackResult  # noqa: E402
from robust.results.evaluation import EvaluationResult  # noqa: E402
from robust.suite import Case  # noqa: E402

ROOT = Path(__file__).parents[1]
BATCH, STEPS, EPS = 128, 20, 8 / 255
CURVE = [eps / 255 for eps in (1, 2, 3, 4, 5, 6, 7, 8)]
STEP = {"lenet5": 1.25, "resnet20": 1.11}
FULL = {"lenet5": 2.0, "resnet20": 3.5}
STOPPED = {("Foolbox", "resnet20"): 7.0}
PASSES = {"lenet5": 1.0, "resnet20": 0.7, "hardened": 1.0}
SEARCHES = {"apgd-ce": 1, "apgd-t": 9, "fab-t": 9}  # of AutoAttack's parts, at most
XLA = bool(tf.config.list_physical_devices("GPU")) or None


class Watched(Classifier):
    """Counts the images that its network is called on, as the graph runs."""

    seen: Counter
    xla = None  # it supports no calls of Python

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        @tf.custom_gradient
        def watch(images: tf.Tensor) -> tuple:
            return self._add("n_forward", images), lambda upstream: self._add("n_backward", upstream)

        return super().__call__(watch(images))

    def _add(self, way: str, images: tf.Tensor) -> tf.Tensor:
        def count(n: np.ndarray) -> np.ndarray:
            self.seen[way] += int(n)
            return n

        with tf.control_dependencies([tf.numpy_function(count, [tf.shape(images)[0]], tf.int32)]):
            return tf.identity(images)


def show(name: str, what: str, values: list[float], most: float | None = None, least: float | None = None) -> None:
    """A line of the table, with its limit and whether it is met."""
    median, limit = float(np.median(values)), ""
    if most is not None:
        limit = f"  <= {most}  {'met' if median <= most else 'missed'}"
    if least is not None:
        limit = f"  >= {least}  {'met' if median >= least else 'missed'}"
    print(f"{name:9} {what:44} {middle(values, '.2f'):19}{limit}", flush=True)


def paired(above: Callable[[], object], below: Callable[[], object], pairs: int) -> list[float]:
    above(), below()
    return [seconds(above) / seconds(below) for _ in range(pairs)]


def passing(classifier: Classifier, images: np.ndarray, labels: np.ndarray) -> Callable[[], object]:
    """STEPS bare passes, compiled: a forward pass and an input gradient each."""
    points, own = tf.constant(images), tf.constant(labels)
    slope = lambda x: classifier.gradient(x, own, lambda z, y: losses.leave(z, y, y))[2]  # noqa: E731
    bare = tf.function(slope, autograph=False, jit_compile=XLA)
    return lambda: [bare(points).numpy() for _ in range(STEPS)]


def forwarding(classifier: Classifier, images: np.ndarray) -> Callable[[], object]:
    points, forward = tf.constant(images), tf.function(classifier.__call__, autograph=False, jit_compile=XLA)
    return lambda: [forward(points).numpy() for _ in range(STEPS)]


def stepping(classifier: Classifier, images: np.ndarray, labels: np.ndarray, never: np.ndarray) -> Callable[[], object]:
    """STEPS steps of pgd on a full batch where no image is fooled: the target is a class that is never predicted."""
    hyperparameters = {"eps": 0.0, "size": 0.0}
    method = IterativeAttack("pgd", "linf", STEPS, hyperparameters, losses.reach, ascend)
    graph = tf.function(loop(classifier, method, True), autograph=False, jit_compile=XLA)
    fixed = {"centre": images, "label": labels, "target": never, "seed": labels}
    limits = {"turns": STEPS, "idle": BATCH, "stride": 1}
    fixed, still, limits = ({k: tf.constant(v) for k, v in part.items()} for part in (fixed, hyperparameters, limits))
    begin = {"point": tf.constant(images), "left": tf.fill([BATCH], STEPS), "trace": tf.zeros([BATCH, STEPS])}
    return lambda: [v.numpy() for v in tf.nest.flatten(graph(fixed, begin, still, limits))]


def speed(name: str, classifier: Classifier, data: Dataset, pairs: int) -> None:
    examples = data.examples("test", 1000)
    images, labels = examples.images, examples.labels
    first, own = images[:BATCH], labels[:BATCH]
    never = (classifier.logits(first).argmax(axis=1) + 5) % 10
    lean = classifier.lean()
    show(name, "step / bare", paired(stepping(lean, first, own, never), passing(lean, first, own), pairs), STEP[name])
    half = Classifier(classifier.model, 10, attack_precision="bfloat16")
    for what, other in (("model / copy", lean), ("model / copy in bfloat16", half.lean())):
        show(name, what, paired(passing(classifier, first, own), passing(other, first, own), max(pairs // 3, 3)))

    def full(of: Classifier) -> AttackResult:
        return pgd(of, first, own, seeds=own, targets=never, eps=1e-9, steps=STEPS)

    assert (full(classifier).by == "").all() and (full(half).by == "").all()
    for rival, make in rivals.INSTALLED.items():
        theirs, bar = make(classifier.model, first, own, 1e-9, STEPS, BATCH), FULL[name] if rival == "Foolbox" else None
        for each in (classifier, half):
            ratios = paired(theirs, lambda each=each: full(each), max(pairs // 2, 3))
            show(name, f"{rival} / ours, pgd-{STEPS}, none fooled, {each.attack_precision}", ratios, least=bar)
    for rival, make in rivals.INSTALLED.items():
        theirs, bar = make(classifier.model, images, labels, EPS, STEPS, BATCH), STOPPED.get((rival, name))
        for each in (classifier, half):
            ours = lambda each=each: pgd(each, images, labels, seeds=labels, eps=EPS, steps=STEPS)  # noqa: E731
            what = f"{rival} / ours, pgd-{STEPS} at 8/255, {each.attack_precision}"
            show(name, what, paired(theirs, ours, 3), least=bar)


def curve(name: str, classifier: Classifier, data: Dataset) -> None:
    """Passes of a whole case of 8 eps over Foolbox's, and what an independent run of each eps fools besides."""
    examples = data.examples("test", 2 * BATCH)
    calls = tuple(bind("attacks", {"name": "pgd", "eps": eps, "steps": STEPS}) for eps in CURVE)
    before = classifier.n_forward + classifier.n_backward
    last, found = upward(classifier, calls, from_arrays(examples.images, examples.labels, data.classes))
    spent = classifier.n_forward + classifier.n_backward - before
    theirs = len(CURVE) * len(examples.labels) * (2 * STEPS + 1)  # and a final check; nothing is padded
    show(
        name,
        "curve / Foolbox, passes for the images",
        [(last.n_forward + last.n_backward).sum() / theirs],
        PASSES[name],
    )
    show(name, "with padding and the final checks", [spent / theirs])
    one = alone(classifier, calls, examples, 7)
    show(name, "missed by the curve, of independent runs, in %", [missed(one, found)], 1.0)
    calls = tuple(bind("attacks", {"name": "square", "eps": eps, "n_queries": 100}) for eps in CURVE)
    examples = data.examples("test", BATCH)
    found = upward(classifier, calls, from_arrays(examples.images, examples.labels, data.classes))[1]
    one, other = (alone(classifier, calls, examples, seed) for seed in (7, 8))
    bar = round(missed(one, other), 2)  # random search misses some of what it finds another time
    show(name, "by Square's, and by another run, in %", [missed(one, found)], bar)


def upward(classifier: Classifier, calls: tuple[Call, ...], few: Dataset) -> tuple[EvaluationResult, np.ndarray]:
    """The last result of the curve, and which images are fooled, [eps, images]."""
    results = [o.result for o in perturb.outcomes(classifier, Case("curve", calls), few, 0)]
    return results[-1], np.array([result.predicted != result.labels for result in results])


def alone(classifier: Classifier, calls: tuple[Call, ...], examples: Examples, seed: int) -> np.ndarray:
    """Which images an independent run of each eps fools, [eps, images]."""
    images, labels = examples.images, examples.labels
    return np.array([call(classifier, images, labels, seeds=labels + seed).by != "" for call in calls])


def missed(fooled: np.ndarray, found: np.ndarray) -> float:
    return 100 * float((fooled & ~found).sum()) / max(fooled.sum(), 1)


def composed(name: str, model: object, data: Dataset, batch: int = 32, steps: int = 20, n_queries: int = 500) -> None:
    """AutoAttack's time over that of its passes, and its passes over the original's."""
    examples = data.examples("test", 2 * batch)
    images, labels = examples.images, examples.labels
    options = {"seeds": labels, "eps": EPS, "steps": steps, "n_queries": n_queries}
    watched, plain = (kind(model, 10, batch_size=batch) for kind in (Watched, Classifier))
    watched.seen = Counter()
    autoattack(watched, images, labels, **options)
    assert (watched.seen["n_forward"], watched.seen["n_backward"]) == (watched.n_forward, watched.n_backward)
    autoattack(plain, images, labels, **options)  # traces
    gradient, forward = passing(plain.lean(), images[:batch], labels[:batch]), forwarding(plain.lean(), images[:batch])
    gradient(), forward()
    ratios = []
    for _ in range(3):
        whole = seconds(lambda: autoattack(plain, images, labels, **options))
        per_image = [seconds(work) / STEPS / batch for work in (gradient, forward)]
        passes = watched.seen["n_backward"], watched.seen["n_forward"] - watched.seen["n_backward"]
        ratios.append(whole / float(np.dot(passes, per_image)))
    show(name, "autoattack / its passes, time", ratios, 1.3)
    ours = theirs = 0
    rows = np.arange(len(labels))
    for part_name, part in parts("standard", "linf", steps, n_queries).items():
        found = part(plain, images[rows], labels[rows], seeds=labels[rows], eps=EPS, norm="linf")
        ours += (found.n_forward + found.n_backward).sum()
        theirs += original(part_name, found, steps, n_queries).sum()
        rows = rows[found.by == ""]
    show(name, "autoattack / the original, passes", [ours / theirs], 1.0)


def original(part: str, found: AttackResult, steps: int, n_queries: int) -> np.ndarray:
    """Passes of the original for each image, both ways: whole searches, and one for the most likely classes."""
    never = found.by == ""
    if part == "square":
        return np.where(never, n_queries + 1, found.n_forward)
    ranks = SEARCHES[part] > 1
    searches = np.where(never, SEARCHES[part], np.ceil((found.n_forward - ranks) / (steps + 1)))
    return 2 * searches * (steps + 1) + ranks


def main(pairs: int, only: list[str]) -> None:
    print(f"GPU: {'yes' if tf.config.list_physical_devices('GPU') else 'none, so XLA is off'}")
    print(f"compared with: {', '.join(rivals.INSTALLED)}", flush=True)
    data, quick = datasets.fashion_mini(), suite.load(ROOT / "suites" / "quick.toml")
    for model in (model for model in quick.models if model.name in only):
        classifier = prepare_models.prepare(model, model.seeds[0], data, store.default(), Silent()).classifier
        if model.name in STEP:
            speed(model.name, classifier, data, pairs)
        curve(model.name, classifier, data)
        if model.name != "lenet5":
            composed(model.name, classifier.model, data)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--only", nargs="+", default=["lenet5", "resnet20", "hardened"])
    given = parser.parse_args()
    main(given.pairs, given.only)
