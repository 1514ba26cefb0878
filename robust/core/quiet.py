"""Keeping TensorFlow's start-up lines off the user's terminal, without changing its numerics."""

import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


def tensorflow() -> None:
    """Import TensorFlow and Keras with their start-up lines suppressed; they are shown if the import fails.

    TF_CPP_MIN_LOG_LEVEL suppresses later lines, but not those from before it is read: for these the
    process's own stderr is redirected while the libraries load.
    """
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with aside():
        import keras  # noqa: F401
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")  # advice on retracing: one graph per model is intended
        tf.config.list_physical_devices()  # searching for GPUs also prints lines


@contextmanager
def aside() -> Iterator[None]:
    """Suppress what is written to the process's own stderr; it is shown if an error is raised."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except BaseException:
            aside.seek(0)
            os.write(kept, aside.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


@contextmanager
def dependencies() -> Iterator[None]:
    """Keep the deprecations between Keras, TensorFlow and NumPy from failing a run under `-W error`."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation doesn't accept a copy keyword", DeprecationWarning)
        yield
