"""What an attack costs, as ratios measured side by side in one run.

    python benchmarks/attacks.py [--pairs 15]

Prints, for lenet5 and resnet20 on 28x28 images at batch 128, medians over interleaved pairs with the
middle half of the pairs in brackets:

    step / bare      a step of pgd over a bare compiled forward pass and input gradient
    Foolbox / ours   pgd-20 without early stopping: Foolbox's time over ours, same images, same steps
"""

import argparse
import time
from collections.abc import Callable

from robust import quiet

quiet.tensorflow()

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from robust import catalog, datasets  # noqa: E402
from robust.attacks import ball, losses  # noqa: E402
from robust.attacks.survivors import walk  # noqa: E402
from robust.classifier import Classifier  # noqa: E402

BATCH, STEPS, EPS = 128, 20, 8 / 255


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def ratios(above: Callable[[], object], below: Callable[[], object], pairs: int) -> str:
    """Median and middle half of above / below, the two timed in turn after one warm-up each."""
    above(), below()
    values = [seconds(above) / seconds(below) for _ in range(pairs)]
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"{median:.2f} [{low:.2f}, {high:.2f}]"


def measure(name: str, pairs: int) -> None:
    examples = datasets.fashion_mini().examples("test", BATCH)
    keras.utils.set_random_seed(0)
    model = catalog.resolve("architectures", name)(input_shape=(28, 28, 1), classes=10)
    classifier = Classifier(model, 10, batch_size=BATCH)
    images, labels = tf.constant(examples.images), tf.constant(examples.labels)
    loss = losses.cross_entropy
    bare = tf.function(lambda x: classifier.gradient(x, labels, loss)[2], autograph=False)
    # nobody falls: the aim is a class that is never predicted, so every slot takes every step
    never = tf.constant((classifier.logits(examples.images).argmax(1) + 1) % 10)
    graph = tf.function(walk(classifier, ball.step, "linf", targeted=True), autograph=False)
    numbers = tf.constant(0.0), tf.constant(0.0)

    def steps() -> object:
        left = tf.fill([BATCH], STEPS)
        return [v.numpy() for v in graph(images, images, never, left, *numbers, tf.constant(STEPS))]

    def passes() -> object:
        return [bare(images).numpy() for _ in range(STEPS)]

    foolbox = catalog.foolbox()
    theirs = foolbox.attacks.LinfProjectedGradientDescentAttack(steps=STEPS, random_start=False, abs_stepsize=0.0)
    wrapped = foolbox.TensorFlowModel(lambda x: model(x, training=False), bounds=(0, 1), device="/CPU:0")
    theirs_takes = ratios(lambda: theirs(wrapped, images, labels, epsilons=EPS), steps, max(pairs // 3, 3))
    print(f"{name:10} step / bare     {ratios(steps, passes, pairs)}")
    print(f"{name:10} Foolbox / ours  {theirs_takes}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--pairs", type=int, default=15)
    pairs = parser.parse_args().pairs
    print(f"GPU: {'yes' if tf.config.list_physical_devices('GPU') else 'none, so XLA is off'}")
    for network in ("lenet5", "resnet20"):
        measure(network, pairs)
