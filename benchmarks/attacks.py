"""What an attack costs, as ratios measured side by side in one run.

    python benchmarks/attacks.py [--pairs 15]

Prints, for lenet5 and resnet20 on 28x28 images at batch 128, medians over interleaved pairs with the
middle half of the pairs in brackets:

    step / bare      a step of pgd over a bare compiled forward pass and input gradient
    Foolbox / ours   pgd-20 without early stopping: Foolbox's time over ours, same images, same steps
"""

import argparse

from robust import quiet

quiet.tensorflow()

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402
from ratios import ratios  # noqa: E402

from robust import catalog, datasets  # noqa: E402
from robust.attacks import losses  # noqa: E402
from robust.attacks.climb import Climb, ascend  # noqa: E402
from robust.attacks.walk import walk  # noqa: E402
from robust.classifier import Classifier  # noqa: E402

BATCH, STEPS, EPS = 128, 20, 8 / 255


def measure(name: str, pairs: int) -> None:
    examples = datasets.fashion_mini().examples("test", BATCH)
    keras.utils.set_random_seed(0)
    model = catalog.resolve("architectures", name)(input_shape=(28, 28, 1), classes=10)
    classifier = Classifier(model, 10, batch_size=BATCH)
    images, labels = tf.constant(examples.images), tf.constant(examples.labels)
    bare = tf.function(lambda x: classifier.gradient(x, labels, lambda z, y: losses.leave(z, y, y))[2], autograph=False)
    # nobody falls: the aim is a class that is never predicted, so every slot takes every step
    never = tf.constant((classifier.logits(examples.images).argmax(1) + 1) % 10)
    numbers = {"eps": 0.0, "size": 0.0}
    climb = Climb("pgd", "linf", STEPS, numbers, losses.reach, ascend)
    graph = tf.function(walk(classifier, climb, targeted=True), autograph=False)
    fixed = {"centre": images, "label": labels, "aim": never, "seed": labels}
    still = {k: tf.constant(v) for k, v in numbers.items()}

    def steps() -> object:
        state = {"point": images, "left": tf.fill([BATCH], STEPS)}
        return [v.numpy() for v in tf.nest.flatten(graph(fixed, state, still, tf.constant(STEPS)))]

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
