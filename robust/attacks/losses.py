"""What an attack maximises: one number per image, from logits [B, C], labels [B] and target classes [B]."""

from collections.abc import Callable

import tensorflow as tf

Loss = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]

_TINY = 1e-12  # avoids a division by zero where all logits are equal


def leave(logits: tf.Tensor, labels: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """log (1 - p) / p of the label, as logsumexp(other logits) - logit: maximised to leave the label.

    The cross-entropy is its softplus: both have the same maximum, the same order and the same direction
    of the gradient. But single precision has no digits left for the cross-entropy of a prediction that is
    confident by 16 nats, and its gradient is 0 there.

    >>> leave(tf.constant([[100.0, 0.0]]), tf.constant([0]), tf.constant([0])).numpy()
    array([-100.], dtype=float32)
    """
    del targets
    return _log_odds(logits, labels)


def reach(logits: tf.Tensor, labels: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """log p / (1 - p) of the target class: maximised to reach it."""
    del labels
    return -_log_odds(logits, targets)


def margin(logits: tf.Tensor, labels: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """The largest other logit minus the label's: positive where the model is fooled."""
    del targets
    return tf.reduce_max(without(logits, labels), axis=1) - _of(logits, labels)


def margin_towards(logits: tf.Tensor, labels: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """The logit of the target class minus the label's."""
    return _of(logits, targets) - _of(logits, labels)


def target_margin(logits: tf.Tensor, labels: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """The logit of the target class minus the largest other: positive where it is reached."""
    del labels
    return _of(logits, targets) - tf.reduce_max(without(logits, targets), axis=1)


def dlr(logits: tf.Tensor, labels: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """The difference of logits ratio: the margin over z_1 - z_3, the first and the third largest logit.

    It does not change when the logits are scaled. With two classes it is the margin.

    Source: Croce & Hein, Reliable evaluation of adversarial robustness with an ensemble of diverse
    parameter-free attacks, ICML 2020.
    """
    if int(logits.shape[1] or 0) < 3:
        return margin(logits, labels, targets)
    z = tf.sort(logits, axis=1, direction="DESCENDING")
    return margin(logits, labels, targets) / (z[:, 0] - z[:, 2] + _TINY)


def dlr_to(logits: tf.Tensor, labels: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """The targeted ratio: (z_target - z_label) / (z_1 - (z_3 + z_4) / 2). With three classes or two, the margin."""
    return margin_towards(logits, labels, targets) / _spread(logits)


def dlr_reach(logits: tf.Tensor, labels: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """The same ratio, but the target must be above the label and all others: images misclassified before included."""
    return target_margin(logits, labels, targets) / _spread(logits)


def _spread(logits: tf.Tensor) -> tf.Tensor | float:
    if int(logits.shape[1] or 0) < 4:
        return 1.0
    z = tf.sort(logits, axis=1, direction="DESCENDING")
    return z[:, 0] - (z[:, 2] + z[:, 3]) / 2 + _TINY


def _log_odds(logits: tf.Tensor, classes: tf.Tensor) -> tf.Tensor:
    return tf.reduce_logsumexp(without(logits, classes), axis=1) - _of(logits, classes)


def _of(logits: tf.Tensor, classes: tf.Tensor) -> tf.Tensor:
    return tf.gather(logits, classes, batch_dims=1)


def without(logits: tf.Tensor, classes: tf.Tensor) -> tf.Tensor:
    """The logits with minus infinity in place of that of one class."""
    return tf.where(tf.one_hot(classes, tf.shape(logits)[1], True, False), logits.dtype.min, logits)
