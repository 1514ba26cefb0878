"""Adversarial training with projected gradient descent."""

from collections.abc import Callable

import tensorflow as tf

from robust.attacks import ball
from robust.core.types import Count, Eps, Norm, Positive


def pgd(
    gradient: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    images: tf.Tensor,
    labels: tf.Tensor,
    *,
    seeds: tf.Tensor,
    step: tf.Tensor,
    eps: Eps,
    norm: Norm = "linf",
    steps: Count = 7,
    step_size: Positive | None = None,
    random_start: bool = True,
) -> tf.Tensor:
    """Several steps up the loss, each brought back into the ball: the min-max training of Madry et al.

    Args:
        gradient, images, labels, seeds, step: see `robust.training.adversaries`.
        eps: radius of the ball, in units of a [0, 1] image. norm: of the ball.
        steps: of the ascent; an epoch costs 1 + steps plain ones.
        step_size: of one step; eps / 4, which is their 2/255 at 8/255.
        random_start: begin at a random point of the ball rather than at the image.

    Source: Madry et al., Towards deep learning models resistant to adversarial attacks, ICLR 2018.
    """
    points = ball.random_point(images, seeds, step, eps, norm) if random_start else images
    for _ in range(steps):
        points = ball.step(points, gradient(points, labels), images, eps, step_size or eps / 4, norm)
    return points
