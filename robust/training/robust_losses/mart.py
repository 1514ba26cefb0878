"""Adversarial training that weights misclassified images."""

import tensorflow as tf

from robust.core.types import Positive
from robust.training.objectives import cross_entropy, divergence


def mart(
    clean: tf.Tensor, adversarial: tf.Tensor, shares: tf.Tensor, *, beta: Positive = 5.0
) -> tuple[tf.Tensor, tf.Tensor]:
    """MART: CE(f(x'), y) - log(1 - max p'_k, k not y) + beta KL(f(x) || f(x')) (1 - p_y), x' maximising CE.

    Args:
        clean, adversarial, shares: see `robust.training.robust_losses`; y is the class of the largest share.
        beta: of the divergence, which counts most where the clean image is misclassified; their lambda.

    Source: Wang et al., Improving adversarial robustness requires revisiting misclassified examples, ICLR 2020.
    """
    label = tf.one_hot(tf.argmax(shares, 1), shares.shape[-1], dtype=shares.dtype)
    maximised = cross_entropy(adversarial, shares, 0.0)
    nearest = tf.reduce_max(tf.nn.softmax(adversarial) * (1 - label), axis=1)
    doubt = 1 - tf.reduce_sum(tf.nn.softmax(clean) * label, axis=1)
    boosted = maximised - tf.math.log(1.0001 - nearest)  # as in their code: finite where p'_k is 1
    return maximised, boosted + beta * divergence(clean, adversarial) * doubt
