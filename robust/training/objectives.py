"""Objectives: pure functions from (network, batch, step) to (losses, logits), called by the one training step."""

from collections.abc import Callable

import keras
import tensorflow as tf

from robust.core.signature import Call

Batch = tuple[tf.Tensor, tf.Tensor, tf.Tensor]  # images [B, H, W, C], labels int64 [B] or float [B, C], seeds [B]
Network = Callable[..., tf.Tensor | list[tf.Tensor]]
"""A Keras model, or what is called in its place to save memory."""
Objective = Callable[[Network, Batch, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]  # -> losses [B], logits [B, C]


def objective(adversary: Call | None = None, label_smoothing: float = 0.0, auxiliary_weight: float = 0.0) -> Objective:
    """Cross-entropy on the images, or on what the adversary makes of them.

    Args:
        adversary: from `robust.training.adversaries`; None trains plainly.
        label_smoothing: share of the target that is spread over all classes.
        auxiliary_weight: of the cross-entropy of each auxiliary head, added to that of the main one.
    """

    def losses(network: Network, batch: Batch, step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images, labels, seeds = batch
        if adversary is not None:
            images = tf.stop_gradient(adversary(image_gradient(network), images, labels, seeds=seeds, step=step))
        main, auxiliary = outputs(network, images, training=True)
        total = cross_entropy(main, labels, label_smoothing)
        for head in auxiliary:
            total += auxiliary_weight * cross_entropy(head, labels, label_smoothing)
        return total, main

    return losses


def weighed(adversary: Call, against: Call, label_smoothing: float = 0.0, auxiliary_weight: float = 0.0) -> Objective:
    """A loss of each image and of what the adversary makes of it: TRADES, MART; the logits are the latter's.

    Args:
        adversary: from `robust.training.adversaries`; it maximises what `against` returns first.
        against: from `robust.training.robust_losses`.
        label_smoothing, auxiliary_weight: see `objective`; each head is weighed by itself.
    """

    def losses(network: Network, batch: Batch, step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images, labels, seeds = batch
        still = tf.stop_gradient(outputs(network, images, training=False)[0])
        gradient = image_gradient(network, lambda logits, labels: against(still, logits, _shares(labels, logits))[0])
        found = tf.stop_gradient(adversary(gradient, images, labels, seeds=seeds, step=step))
        clean, clean_heads = outputs(network, images, training=True)
        main, heads = outputs(network, found, training=True)
        shares = _shares(labels, main) * (1 - label_smoothing) + label_smoothing / int(main.shape[-1] or 1)
        total = against(clean, main, shares)[1]
        for before, after in zip(clean_heads, heads, strict=True):
            total += auxiliary_weight * against(before, after, shares)[1]
        return total, main

    return losses


def outputs(network: keras.Model, images: tf.Tensor, training: bool) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """The main logits [B, C] and those of the auxiliary heads; of several outputs, "logits" is the main one."""
    found = network(images, training=training)
    if not isinstance(found, list | tuple):
        return found, []
    main = network.output_names.index("logits")
    return found[main], [head for place, head in enumerate(found) if place != main]


def cross_entropy(logits: tf.Tensor, labels: tf.Tensor, smoothing: float) -> tf.Tensor:
    """Cross-entropy [B] against labels, int [B] or a share of each class [B, C], smoothed towards all classes."""
    shares = _shares(labels, logits)
    return keras.losses.categorical_crossentropy(shares, logits, from_logits=True, label_smoothing=smoothing)


def _shares(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Labels, int [B] or a share of each class [B, C], as the latter."""
    return tf.one_hot(labels, logits.shape[-1], dtype=logits.dtype) if labels.dtype.is_integer else labels


def divergence(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Kullback-Leibler divergence [B] of the distributions that logits [B, C] represent.

    Keras' takes probabilities, and cuts them at 1e-7: below that nothing would be learned.
    """
    change = tf.nn.log_softmax(one) - tf.nn.log_softmax(other)
    return tf.reduce_sum(tf.nn.softmax(one) * change, axis=1)


def _plain(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    return cross_entropy(logits, labels, 0.0)


def image_gradient(
    network: Network, loss: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] = _plain
) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """The gradient by the images of a loss of (logits, labels); in inference mode, as in TRADES.

    Making an example must not move the network's statistics.
    """

    def gradient(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            losses = loss(outputs(network, images, training=False)[0], labels)
        return tape.gradient(losses, images)

    return gradient
