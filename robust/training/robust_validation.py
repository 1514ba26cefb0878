"""How hard a network is to fool while it is trained: on the validation split, never on the test split."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from robust.core.randomness import image_seeds
from robust.core.signature import Call
from robust.datasets.dataset import Dataset
from robust.training.adversaries import pgd
from robust.training.objectives import Network, image_gradient, outputs

History = Mapping[Any, Sequence[float]]
"""Of a training: the columns that were recorded, and the values of each, epoch by epoch."""

IMAGES = 256
"""Of the validation split, chosen at random; fewer where it has fewer."""
STEPS = 10
"""Of the attack, a quarter of eps each."""

Evaluation = Callable[[], float]


def is_watched(adversary: Call | None, data: Dataset) -> bool:
    """Is there an adversary with a ball, and a validation split to watch?"""
    return adversary is not None and "eps" in adversary.arguments and "validation" in data.sizes


def robust_accuracy(network: Network, data: Dataset, adversary: Call, batch_size: int) -> Evaluation:
    """A function that gives the share of validation images that are correct after PGD in the adversary's own ball.

    Args:
        network: as it is when it is called, in inference mode. data: its validation split is read, once.
        adversary: of the catalogue `adversaries`; its eps and norm count, not how it searches, so that a network
            which has learned to fool one step is found out.
        batch_size: images per pass.

    PGD: Madry et al., ICLR 2018. Watching it on held-out images: Wong, Rice & Kolter, ICLR 2020.
    """
    examples = data.examples("validation", min(IMAGES, data.sizes["validation"]))
    seeds = image_seeds(0, "val_robust", examples.ids.tolist())
    batches = tf.data.Dataset.from_tensor_slices((examples.images, examples.labels, seeds)).batch(batch_size)
    eps, norm = adversary.arguments["eps"], adversary.arguments.get("norm", "linf")

    def count(images: tf.Tensor, labels: tf.Tensor, seeds: tf.Tensor) -> tf.Tensor:
        gradient = image_gradient(network)
        found = pgd(gradient, images, labels, seeds=seeds, step=tf.constant(0), eps=eps, norm=norm, steps=STEPS)
        return tf.math.count_nonzero(tf.argmax(outputs(network, found, training=False)[0], 1) == labels)

    compiled = tf.function(count, autograph=False, input_signature=batches.element_spec)
    return lambda: sum(int(compiled(*batch)) for batch in batches) / len(examples.labels)


def epoch_to_keep(history: History, by: str | None = "val_robust") -> int:
    """The epoch, from 0, whose weights a training keeps: the latest of the best in a column, or else the last.

    >>> epoch_to_keep({"loss": [3, 2, 1], "val_robust": [0.1, 0.4, 0.0]})
    1
    >>> history = {"loss": [3, 2, 1], "val_accuracy": [0.6, 0.6, 0.5]}
    >>> epoch_to_keep({"loss": [3, 2, 1]}), epoch_to_keep(history, "val_accuracy")
    (2, 1)
    """
    last, values = len(history["loss"]) - 1, history.get(by)
    return max(range(last + 1), key=lambda epoch: (values[epoch], epoch)) if values else last


def overfitting(history: History, keeps: str = "the best") -> str | None:
    """A message if the last epoch is one of catastrophic overfitting and the one before it was not.

    It is one if `val_robust` has dropped below half of its best so far while the training loss is lower than
    it was then: the network has learned to fool its adversary. keeps: the epoch whose weights are kept, in words.

    >>> overfitting({"loss": [1.5, 1.2, 0.7], "val_robust": [0.3, 0.4, 0.02]})
    'in epoch 3 robust accuracy on the validation split dropped to 0.020 from 0.400 in epoch 2, while the training ...'
    >>> overfitting({"loss": [1.5, 1.2, 1.3], "val_robust": [0.3, 0.4, 0.02]})

    Named by Wong, Rice & Kolter, Fast is better than free, ICLR 2020.
    """
    before = {key: values[:-1] for key, values in history.items()}
    if not _collapsed(history) or _collapsed(before):
        return None
    best, robust = epoch_to_keep(history), history["val_robust"]
    return (
        f"in epoch {len(robust)} robust accuracy on the validation split dropped to {robust[-1]:.3f} from "
        f"{robust[best]:.3f} in epoch {best + 1}, while the training loss decreased: catastrophic overfitting; the "
        f"weights of {keeps} epoch are kept; train against pgd, or with a random start and a smaller step_size"
    )


def _collapsed(history: History) -> bool:
    robust, loss = history.get("val_robust"), history["loss"]
    if not robust:
        return False
    best = epoch_to_keep(history)
    return robust[-1] < robust[best] / 2 and loss[-1] < loss[best]
