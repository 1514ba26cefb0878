"""A thin Keras model around the one that is trained, so that `fit`, callbacks and strategies work as they do."""

from typing import Any

import keras
import tensorflow as tf

from robust.training.objectives import Batch, Objective


class Trainer(keras.Model):
    """Trains `network` by an objective; the network itself is what is saved and evaluated.

    Its batches are (images, labels, seeds); to validate, (images, labels).
    """

    def __init__(self, network: keras.Model, objective: Objective):
        super().__init__()
        self.network, self.objective = network, objective
        self._loss, self._accuracy = keras.metrics.Mean("loss"), keras.metrics.SparseCategoricalAccuracy("accuracy")

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Loss and accuracy, reset by Keras at the start of each epoch."""
        return [self._loss, self._accuracy]

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The network's logits."""
        return self.network(images, training=training)

    def train_step(self, batch: Batch) -> dict[str, Any]:
        """One step of the optimiser; under a strategy the gradients of the replicas are summed."""
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        with tf.GradientTape() as tape:
            loss, logits = self.objective(self.network, batch, self.optimizer.iterations)
            scaled = self.optimizer.scale_loss(loss / replicas)
        weights = self.network.trainable_weights
        self.optimizer.apply_gradients(zip(tape.gradient(scaled, weights), weights, strict=True))
        return self._measured(loss, logits, batch[1])

    def test_step(self, batch: tuple[tf.Tensor, tf.Tensor]) -> dict[str, Any]:
        """Cross-entropy and accuracy on unperturbed images."""
        images, labels = batch
        logits = self.network(images, training=False)
        return self._measured(
            keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True), logits, labels
        )

    def _measured(self, loss: tf.Tensor, logits: tf.Tensor, labels: tf.Tensor) -> dict[str, Any]:
        self._loss.update_state(loss)
        self._accuracy.update_state(labels, logits)
        return {metric.name: metric.result() for metric in self.metrics}
