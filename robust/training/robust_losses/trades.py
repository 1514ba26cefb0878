"""A trade of accuracy for robustness."""

import tensorflow as tf

from robust.core.types import Positive
from robust.training.objectives import cross_entropy, divergence


def trades(
    clean: tf.Tensor, adversarial: tf.Tensor, shares: tf.Tensor, *, beta: Positive = 6.0
) -> tuple[tf.Tensor, tf.Tensor]:
    """TRADES: CE(f(x), y) + beta KL(f(x) || f(x')), where x' maximises the divergence and not the cross-entropy.

    Args:
        clean, adversarial, shares: see `robust.training.robust_losses`.
        beta: weight of robustness against accuracy; 1 and 6 are theirs.

    Give its adversary a random start: at the image itself the divergence is flat.

    Source: Zhang et al., Theoretically principled trade-off between robustness and accuracy, ICML 2019.
    """
    away = divergence(clean, adversarial)
    return away, cross_entropy(clean, shares, 0.0) + beta * away
