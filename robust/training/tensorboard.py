"""Logs that TensorBoard shows; neither training nor writing them needs it installed."""

from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf


def log(folder: Path, epoch: int, row: Mapping[str, float]) -> None:
    """Add the numbers of an epoch to a folder of TensorBoard logs, as scalars."""
    scalar = tf.compat.v1.SummaryMetadata(plugin_data={"plugin_name": "scalars"})
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default():
        for name, value in row.items():  # tf.summary.scalar would import TensorBoard
            tf.summary.write(name, tf.constant(value), step=epoch, metadata=scalar)
    writer.close()
