"""Objectives: pure functions from (model, batch, step) to (loss, logits), called by one `train_step`."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from robust.schema import Call

Batch = tuple[tf.Tensor, tf.Tensor, tf.Tensor]  # images [B, H, W, C], labels int64 [B], seeds int64 [B]
Objective = Callable[[Any, Batch, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]  # -> mean loss, logits [B, C]


def objective(adversary: Call | None = None, label_smoothing: float = 0.0) -> Objective:
    """Cross-entropy on the images, or on what the adversary makes of them.

    Args:
        adversary: from `robust.training.adversaries`; None trains plainly.
        label_smoothing: share of the target that is spread over all classes.
    """

    def loss(model: Any, batch: Batch, step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images, labels, seeds = batch
        if adversary is not None:
            images = tf.stop_gradient(adversary(_image_gradient(model), images, labels, seeds=seeds, step=step))
        logits = model(images, training=True)
        return tf.reduce_mean(cross_entropy(logits, labels, label_smoothing)), logits

    return loss


def cross_entropy(logits: tf.Tensor, labels: tf.Tensor, smoothing: float) -> tf.Tensor:
    """Cross-entropy [B] against the label with the weight 1 - smoothing and all classes with the rest."""
    targets = tf.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
    return keras.losses.categorical_crossentropy(targets, logits, from_logits=True, label_smoothing=smoothing)


def _image_gradient(model: Any) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """The model in inference mode, as TRADES has it: making an example must not move its statistics."""

    def gradient(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, model(images, training=False))
        return tape.gradient(losses, images)

    return gradient
