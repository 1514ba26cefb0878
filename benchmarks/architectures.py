"""Our networks and those of keras.applications, as ratios measured in one run.

    python benchmarks/architectures.py [--pairs 15] [--only resnet50 ...]

Prints the time of Keras' network over the time of ours (above 1: ours is faster), medians over
interleaved pairs with the middle half of the pairs in brackets; batch 8, the same images, compiled:

    forward   inference
    train     a step of SGD on the cross-entropy

and the same for AlexNet's two branches against `Conv2D(groups=2)`.
"""

import argparse
from collections.abc import Callable

from robust.core import quiet

quiet.tensorflow()

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402
from keras import applications as theirs  # noqa: E402
from ratios import ratios  # noqa: E402

from robust.models import architectures as ours  # noqa: E402

BATCH, CLASSES = 8, 1000
PAIRS = {  # ours -> theirs, and the side of the images
    "vgg16": (theirs.VGG16, 96),
    "vgg19": (theirs.VGG19, 96),
    "resnet50": (theirs.ResNet50, 160),
    "resnet101": (theirs.ResNet101, 128),
    "resnet152": (theirs.ResNet152, 128),
    "densenet121": (theirs.DenseNet121, 160),
    "densenet169": (theirs.DenseNet169, 128),
    "densenet201": (theirs.DenseNet201, 128),
    "mobilenet": (theirs.MobileNet, 160),
    "mobilenet_v2": (theirs.MobileNetV2, 160),
    "mobilenet_v3_large": (theirs.MobileNetV3Large, 160),
    "mobilenet_v3_small": (theirs.MobileNetV3Small, 160),
    "efficientnet_b0": (theirs.EfficientNetB0, 160),
    "efficientnet_b1": (theirs.EfficientNetB1, 128),
    "efficientnet_b2": (theirs.EfficientNetB2, 128),
}


def forward(model: keras.Model, images: tf.Tensor) -> Callable[[], object]:
    graph = tf.function(lambda x: model(x, training=False), autograph=False)
    return lambda: graph(images).numpy()


def train(model: keras.Model, images: tf.Tensor) -> Callable[[], object]:
    labels, optimizer = tf.range(BATCH, dtype=tf.int64), keras.optimizers.SGD(0.0)
    optimizer.build(model.trainable_variables)

    def step(images: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    graph = tf.function(step, autograph=False)
    return lambda: graph(images).numpy()


def compare(name: str, rival: keras.Model, network: keras.Model, side: int, pairs: int) -> None:
    images = tf.random.stateless_uniform([BATCH, side, side, 3], [0, 0])
    for what, work in {"n_forward": forward, "train": train}.items():
        print(
            f"{name:20} {side:3} px  {what:8} {ratios(work(rival, images), work(network, images), pairs)}", flush=True
        )
    keras.backend.clear_session()


def alexnet_with_groups() -> keras.Model:
    """AlexNet with the library's own grouped convolution in conv2, conv4 and conv5."""

    def grouped(x: keras.KerasTensor, channels: int, kernel: int, *, name: str) -> keras.KerasTensor:
        return keras.layers.Conv2D(channels, kernel, padding="same", groups=2, name=name)(x)

    from robust.models.architectures.alexnet import BRANCHES

    branches, BRANCHES[2] = BRANCHES[2], grouped
    try:
        return ours.alexnet()
    finally:
        BRANCHES[2] = branches


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--only", nargs="*", default=[*PAIRS, "alexnet"])
    arguments = parser.parse_args()
    print(f"GPU: {'yes' if tf.config.list_physical_devices('GPU') else 'none, so XLA is off'}; Keras' time over ours")
    for name in arguments.only:
        if name == "alexnet":
            compare("alexnet groups=2", alexnet_with_groups(), ours.alexnet(), 227, arguments.pairs)
            continue
        function, side = PAIRS[name]
        shape = (side, side, 3)
        rival = function(weights=None, input_shape=shape, classes=CLASSES, classifier_activation=None)
        compare(name, rival, getattr(ours, name)(input_shape=shape, stem="imagenet"), side, arguments.pairs)
