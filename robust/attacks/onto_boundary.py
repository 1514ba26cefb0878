"""The step of FAB, shared by the attack and the search for the smallest change: onto the boundary, and beyond it.

Source: Croce & Hein, Minimally distorted adversarial examples with a fast adaptive boundary attack, ICML 2020.
"""

import tensorflow as tf

from robust.attacks import ball, box
from robust.attacks.ball import Scalar
from robust.attacks.iterative import State, StepOutput
from robust.core.types import AnyNorm

OVERSHOOT = 1.05  # a little beyond the boundary
BACK = 0.9  # share of the change that remains after a step back towards the image
MOST_BIAS = 0.1  # the largest weight of the projection of the image itself


def beyond(slots: State, output: StepOutput, targeted: bool) -> tf.Tensor:
    """Is the model fooled by the points, bool [B]? If targeted, only by the target class."""
    predicted = tf.argmax(output.logits, 1)
    return predicted == slots["target"] if targeted else predicted != slots["label"]


def towards(
    centre: tf.Tensor, point: tf.Tensor, output: StepOutput, norm: AnyNorm, bias: Scalar | None = None
) -> tf.Tensor:
    """Beyond the boundary linearised at the point: the margin there is `losses`, and its slope the gradient.

    The projection of the image itself has the weight `bias`; if that is None, d / (d + d0), at most 0.1.
    """
    slope = output.gradients
    margin = output.losses + tf.reduce_sum(slope * (centre - point), axis=[1, 2, 3])
    here = box.onto_plane(point, slope, -output.losses, norm)
    there = box.onto_plane(centre, slope, -margin, norm)
    near, far = ball.size(here, norm), ball.size(there, norm)
    share = tf.minimum(tf.math.divide_no_nan(near, near + far), MOST_BIAS) if bias is None else bias
    mixed = (1 - share) * (point + OVERSHOOT * here) + share * (centre + OVERSHOOT * there)
    return tf.clip_by_value(mixed, 0.0, 1.0)
