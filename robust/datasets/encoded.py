"""Images as they are stored."""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf


@dataclass(frozen=True)
class Encoded:
    """Images as they are stored, and what makes pixels of them, so that those not wanted are never decoded."""

    rows: Callable[[str], tf.data.Dataset]
    """Split -> (encoded image, label int64, id string), in a fixed order."""
    decode: Callable[[tf.Tensor], tf.Tensor] = tf.identity
    """Encoded image -> pixels [H, W, C], uint8 or float32 in [0, 1]."""
    light: bool = False
    """Are rows paths or the like, so that all of them fit into memory and are shuffled together?"""

    def read(self, split: str) -> tf.data.Dataset:
        """(image [H, W, C], label, id) of a split."""
        return self.rows(split).map(self.decoded, num_parallel_calls=tf.data.AUTOTUNE)

    def decoded(self, image: tf.Tensor, label: tf.Tensor, id: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """The row with the pixels of its image."""
        return self.decode(image), label, id
