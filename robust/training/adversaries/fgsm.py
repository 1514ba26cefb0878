"""Fast adversarial training."""

from collections.abc import Callable

import tensorflow as tf

from robust.attacks import ball
from robust.core.types import Eps, Norm, Positive


def fgsm(
    gradient: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    images: tf.Tensor,
    labels: tf.Tensor,
    *,
    seeds: tf.Tensor,
    step: tf.Tensor,
    eps: Eps,
    norm: Norm = "linf",
    random_start: bool = True,
    step_size: Positive | None = None,
) -> tf.Tensor:
    """One step up the loss from a random point of the ball: as cheap as two plain epochs.

    Args:
        gradient, images, labels, seeds, step: see `robust.training.adversaries`.
        eps: radius of the ball, in units of a [0, 1] image. norm: of the ball.
        random_start: begin at a random point of the ball; without it the model soon learns to fool the
            one step alone (catastrophic overfitting).
        step_size: of the step; 1.25 eps after a random start, else eps.

    Source: Wong, Rice & Kolter, Fast is better than free, ICLR 2020.
    """
    size = step_size or (1.25 * eps if random_start else eps)
    start = ball.random_point(images, seeds, step, eps, norm) if random_start else images
    return ball.step(start, gradient(start, labels), images, eps, size, norm)
