"""Images as they are stored."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import tensorflow as tf

Rows = Callable[[str], tf.data.Dataset]
"""Split -> (an image in some form, label int64, id string), in a fixed order."""


@dataclass(frozen=True)
class Encoded:
    """Images as they are stored, and how to decode them, so that unused ones are never decoded."""

    rows: Rows
    """Of encoded images."""
    decode: Callable[[tf.Tensor], tf.Tensor] = tf.identity
    """Encoded image -> pixels [H, W, C], uint8 or float32 in [0, 1]."""
    light: bool = False
    """Are rows small, such as paths, so that all of them fit into memory and are shuffled together?"""
    places: Rows | None = None
    """Where rows are not light: the same rows with the place of each image instead, if it can be fetched from there."""
    fetch: Callable[[tf.Tensor], tf.Tensor] = tf.identity
    """Place -> encoded image."""

    def read(self, split: str) -> tf.data.Dataset:
        """(image [H, W, C], label, id) of a split."""
        return self.rows(split).map(self.decoded, num_parallel_calls=tf.data.AUTOTUNE)

    def decoded(self, image: tf.Tensor, label: tf.Tensor, id: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """The row with the pixels of its image."""
        return self.decode(image), label, id

    def changed(self, change: Callable[[Rows], Rows]) -> "Encoded":
        """The images of other rows, or with other labels."""
        return replace(self, rows=change(self.rows), places=self.places and change(self.places))

    def scattered(self) -> "Encoded":
        """The same images, each fetched from its place, with light rows; itself where there are no such places."""
        if self.places is None:
            return self
        return Encoded(self.places, lambda place: self.decode(self.fetch(place)), light=True)
