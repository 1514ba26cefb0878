"""What an attack climbs: one number an image, from logits [B, C] and labels [B]."""

import tensorflow as tf


def cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """-log softmax(logits)[label]: climbed to leave the label.

    >>> cross_entropy(tf.constant([[0.0, 0.0]]), tf.constant([0])).numpy().round(4)
    array([0.6931], dtype=float32)
    """
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def towards(logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """log softmax(logits)[target]: climbed to reach the target."""
    return -cross_entropy(logits, targets)
