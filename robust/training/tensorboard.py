"""Logs that TensorBoard shows; neither training nor writing them needs it installed."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import tensorflow as tf

Log = Callable[[int, Mapping[str, float]], None]
_FILES = "events.out.tfevents.*"


@contextmanager
def written(folder: Path | None) -> Iterator[Log]:
    """A function of an epoch, from 0, and its numbers that adds them to one file of scalars in the folder, if any."""
    if folder is None:
        yield lambda epoch, row: None
        return
    writer = tf.summary.create_file_writer(str(folder))
    scalar = tf.compat.v1.SummaryMetadata(plugin_data={"plugin_name": "scalars"})

    def log(epoch: int, row: Mapping[str, float]) -> None:
        with writer.as_default():
            for name, value in row.items():  # tf.summary.scalar would import TensorBoard
                tf.summary.write(name, tf.constant(value), step=epoch, metadata=scalar)
        writer.flush()

    try:
        yield log
    finally:
        writer.close()


def of_history(folder: Path, history: Mapping[str, list[float]]) -> str:
    """Write the logs of a training that is done already; a line on that, or on why nothing is written."""
    if any(folder.glob(_FILES)):
        return f"{folder} has logs already, and the training was done before: nothing is added to them"
    with written(folder) as log:
        for epoch in range(len(history["loss"])):
            log(epoch, {name: values[epoch] for name, values in history.items()})
    return f"the training was done before; its logs are written to {folder}"
