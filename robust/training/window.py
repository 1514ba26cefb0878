"""Several steps of training run on the device before the host waits for their results."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from robust.training.recipes import Recipe
from robust.training.schedule import learning_rate
from robust.training.step import Learner

MOST_STEPS = 32
MOST_BYTES = 512 * 2**20
"""Of what a window keeps. Where one batch is this large, a step takes so long that the wait does not matter."""

Step = Callable[..., tuple[tf.Tensor, ...]]
Batch = tuple[object, ...]


@dataclass(frozen=True)
class Results:
    """What a step measured, as host values."""

    loss: np.float32
    right: np.int32
    images: np.int32
    finite: np.ndarray
    """bool for each trainable weight: whether its gradient was finite."""

    def is_finite(self, recipe: Recipe) -> bool:
        """Are the loss and, but for a scaled loss, the gradients finite?"""
        scaled = recipe.precision == "mixed_float16"  # its optimiser passes over infinite gradients
        return bool(np.isfinite(self.loss) and (scaled or self.finite.all()))


class NonFiniteError(Exception):
    """The results of a step are not finite; the learner is as this step left it."""

    def __init__(self, place: int, images: object, results: Results):
        super().__init__(place)
        self.place, self.images, self.results = place, images, results


def length(learner: Learner, spec: object) -> int:
    """How many steps may run before the host waits, from 1 to MOST_STEPS, for batches of this `element_spec`.

    A window keeps the variables of its start and its batches, to return to the step at which an alarm began.
    """
    sizes = [(part.shape[1:].num_elements(), part.dtype.size) for part in tf.nest.flatten(spec)]
    if any(elements is None for elements, _ in sizes):
        return 1
    batch = learner.recipe.batch_size * sum(elements * size for elements, size in sizes)
    kept = sum(4 * (tf.TensorShape(variable.shape).num_elements() or 0) for variable in learner.variables())
    return int(np.clip((MOST_BYTES - kept) // max(batch, 1), 1, MOST_STEPS))


def windows(first: int, end: int, most: int) -> Iterator[range]:
    """The steps from `first` to before `end`, in windows of at most so many.

    >>> list(windows(5, 10, 3))
    [range(5, 8), range(8, 10)]
    """
    return (range(place, min(place + most, end)) for place in range(first, end, most))


def walk(
    learner: Learner, step: Step, feed: Iterator[Batch], places: range, steps: int, advance: Callable[[], None]
) -> list[Results]:
    """Run the steps of a window, then wait for their results.

    Args:
        learner: what learns. step: see `robust.training.step.compiled`. feed: the batches that follow.
        places: numbers of the steps, from the first of the training. steps: how many an epoch has.
        advance: called after each step is queued.

    Raises NonFiniteError for the first step whose results are not finite; the later ones are undone.
    """
    before = [tf.convert_to_tensor(variable) for variable in learner.variables()] if len(places) > 1 else []
    batches, queued = [], []

    def run(place: int, batch: Batch) -> tuple[tf.Tensor, ...]:
        learner.optimizer.learning_rate = learning_rate(learner.recipe, place, steps)
        return step(*batch)

    for place in places:
        batches.append(next(feed))
        queued.append(run(place, batches[-1]))
        advance()
    found = [
        Results(*each) for each in zip(*(tf.stack(part).numpy() for part in zip(*queued, strict=True)), strict=True)
    ]
    wrong = next((i for i, results in enumerate(found) if not results.is_finite(learner.recipe)), None)
    if wrong is None:
        return found
    if wrong < len(places) - 1:
        for variable, value in zip(learner.variables(), before, strict=True):
            variable.assign(value)
        for place, batch in zip(places[: wrong + 1], batches, strict=False):
            run(place, batch)
    raise NonFiniteError(places[wrong], batches[wrong][0], found[wrong])
