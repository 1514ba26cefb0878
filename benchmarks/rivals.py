"""The same attack by other libraries: PGD in Linf from a random point, on a Keras model that gives logits."""

import importlib.util
import warnings
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from robust.core import registry


def foolbox(
    model: Callable, images: np.ndarray, labels: np.ndarray, eps: float, steps: int, batch: int
) -> Callable[[], object]:
    """Foolbox' eager loop, batch by batch."""
    library = registry.foolbox()
    attack = library.attacks.LinfProjectedGradientDescentAttack(steps=steps)
    device = "/GPU:0" if tf.config.list_physical_devices("GPU") else "/CPU:0"
    wrapped = library.TensorFlowModel(lambda x: model(x, training=False), bounds=(0, 1), device=device)
    batches = [slice(i, i + batch) for i in range(0, len(images), batch)]
    return lambda: [attack(wrapped, tf.constant(images[b]), tf.constant(labels[b]), epsilons=eps) for b in batches]


def art(
    model: Callable, images: np.ndarray, labels: np.ndarray, eps: float, steps: int, batch: int
) -> Callable[[], object]:
    """ART's loop, with the same step size as ours; all steps of all images."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it misses PyTorch
        from art.attacks.evasion import ProjectedGradientDescent
        from art.estimators.classification import TensorFlowV2Classifier
    wrapped = TensorFlowV2Classifier(
        model=lambda x, training=False: model(x, training=False),
        nb_classes=int(labels.max()) + 1,
        input_shape=images.shape[1:],
        loss_object=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        clip_values=(0, 1),
    )
    attack = ProjectedGradientDescent(
        wrapped, eps=eps, eps_step=2.5 * eps / steps, max_iter=steps, num_random_init=1, batch_size=batch, verbose=False
    )
    return lambda: attack.generate(images, labels)


_ART = importlib.util.find_spec("art")  # a folder of that name is no library
INSTALLED = {"Foolbox": foolbox} | ({"ART": art} if _ART and _ART.origin else {})
