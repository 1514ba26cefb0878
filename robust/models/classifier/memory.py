"""Work that calls a model, repeated in smaller batches if memory does not suffice."""

from collections.abc import Callable
from typing import TypeVar

import tensorflow as tf

from robust.core.errors import ModelError
from robust.models.classifier import Classifier

Found = TypeVar("Found")


def halving_batches(classifier: Classifier, work: Callable[[], Found], say: Callable[[str], None]) -> Found:
    """The result of the work; if a batch does not fit in memory, its size is halved, and the work started again.

    Args:
        classifier: what the work calls.
        say: gets a message with the new size.

    Raises ModelError if not even one image fits.
    """
    while True:
        try:
            return work()
        except (tf.errors.ResourceExhaustedError, MemoryError) as error:
            name, size = classifier.model.name, classifier.batch_size
            if size == 1 or classifier.has_fixed_batch:
                what = "one image does" if size == 1 else f"the {size} images it is built for do"
                raise ModelError(f"model {name!r}: {what} not fit in memory; take smaller images") from error
            classifier.halve()
            say(f"model {name!r}: {size} images at once do not fit in memory; continuing with {classifier.batch_size}")
