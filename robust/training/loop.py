"""The one loop of training: epochs, checkpoints, validation, and an alarm for numbers that are not finite."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import tensorflow as tf

from robust.core.errors import ModelError
from robust.core.progress import Progress
from robust.training import (
    checkpoints,
    finetune,
    nonfinite,
    patience,
    robust_validation,
    strategies,
    tensorboard,
    window,
)
from robust.training.checkpoints import History
from robust.training.objectives import cross_entropy, outputs
from robust.training.step import Learner, State, averaged, compiled


@dataclass(frozen=True)
class TrainingRun:
    """One training: what learns, and from what."""

    name: str
    learner: Learner
    batches: Callable[[int], tf.data.Dataset]
    """The epoch to begin with -> batches of the remaining training."""
    steps: int
    """Batches per epoch."""
    validation: tf.data.Dataset | None = None
    """(images, labels) in batches."""
    robustness: robust_validation.Evaluation | None = None
    """Robust accuracy on the validation split, if it is watched."""
    watched: str = "val_accuracy"
    """The column of the history by which epochs are compared."""


def train(run: TrainingRun, progress: Progress, unfinished: Path | None = None, logs: Path | None = None) -> History:
    """Train, leaving the network with its last weights, or their averages if the recipe requests these.

    If the learner has a `best`, they are those of the epoch that was best in what the run watches; under a patience
    that is at its end, training stops.

    Args:
        run: what to do. progress: updated every step.
        unfinished: a folder for a checkpoint after each epoch; if it holds one, training resumes there.
        logs: a folder for TensorBoard.

    Raises ModelError if a loss or a gradient is not finite, naming the layer in which that began.
    """
    learner, recipe = run.learner, run.learner.recipe
    history = checkpoints.restore(unfinished, learner) if unfinished else {}
    done = len(history.get("loss", []))
    progress.stage(f"training {run.name}", (recipe.epochs - done) * run.steps)
    over = patience.stops(recipe, history.get(run.watched, []))  # before it was interrupted
    validate = validator(run)
    writes = strategies.is_chief(learner.strategy)
    with tensorboard.written(logs if writes else None) as log, finetune.in_inference(learner.held):
        for epoch, learned in enumerate(() if over else _epochs(run, done, history, progress), start=done):
            row = {**learned, **validate()}
            for key, value in row.items():
                history.setdefault(key, []).append(value)
            watch(run, history, progress)
            log(epoch, row)
            if unfinished and writes:
                checkpoints.save(unfinished, learner, history)
            if patience.stops(recipe, history.get(run.watched, [])):
                reason = patience.stop_reason(run.watched, history[run.watched], bool(learner.best))
                progress.say(f"{run.name}: stopped after epoch {epoch + 1}, {reason}")
                break
    use_averages(learner)
    if learner.best:
        _put(averaged(learner.network), checkpoints.arrays(learner.best))
    for layer in learner.held:
        layer.trainable = True
    return history


def watch(run: TrainingRun, history: History, progress: Progress) -> None:
    """Keep the weights of an epoch that is the best until now; report it if robust accuracy collapsed."""
    learner = run.learner
    if learner.best and robust_validation.epoch_to_keep(history, run.watched) == len(history["loss"]) - 1:
        _put(learner.best, checkpoints.arrays(learner.averages or averaged(learner.network)))
    if warning := robust_validation.overfitting(history, "the best" if learner.best else "the last"):
        progress.say(f"{run.name}: {warning}")


def _epochs(run: TrainingRun, done: int, history: History, progress: Progress) -> Iterator[Mapping[str, float]]:
    """Run the epochs that are left, yielding the loss and the accuracy of each.

    history: of all epochs; when the next one begins, it includes the results of this one on the validation split.
    """
    learner, epochs, note = run.learner, run.learner.recipe.epochs, ""
    if done == epochs:
        return
    own = run.batches(done)
    batches, most = strategies.share(own, learner.strategy), window.length(learner, own.element_spec)
    step, feed = _step(learner, done, batches), iter(batches)
    for epoch in range(done, epochs):
        if epoch > done and finetune.is_frozen(learner.recipe, epoch) != finetune.is_frozen(learner.recipe, epoch - 1):
            step = _step(learner, epoch, batches)
        seen: list[window.Results] = []
        advance = partial(progress.advance, note)
        for places in window.windows(epoch * run.steps, (epoch + 1) * run.steps, most):
            try:
                seen += window.walk(learner, step, feed, places, run.steps, advance)
            except window.NonFiniteError as error:
                raise _not_finite(run, error) from None
        total, right, images = np.sum([(each.loss * each.images, each.right, each.images) for each in seen], axis=0)
        yield {"loss": float(total / images), "accuracy": float(right / images)}
        note = f"epoch {epoch + 1}/{epochs}{_last(history)}"


def _last(history: History) -> str:
    """The results of the last epoch, for the line that shows the progress of training."""
    robust = f"  robust {history['val_robust'][-1]:.3f}" if "val_robust" in history else ""
    return f"  loss {history['loss'][-1]:.3f}{robust}"


def _step(learner: Learner, epoch: int, batches: tf.data.Dataset) -> Callable[..., tuple[tf.Tensor, ...]]:
    """The step from this epoch on; what the learner holds is frozen in it, or is not."""
    for layer in learner.held:
        layer.trainable = not finetune.is_frozen(learner.recipe, epoch)
    return compiled(learner, batches.element_spec)


def _not_finite(run: TrainingRun, error: window.NonFiniteError) -> ModelError:
    """The error of a step whose loss or gradient is not finite, with the layer in which that began."""
    learner, loss = run.learner, error.results.loss
    images = learner.strategy.experimental_local_results(error.images)[0]
    began = nonfinite.where(learner.network, images, error.results.finite)
    epoch, step = divmod(error.place, run.steps)
    what = "its gradient is not finite" if np.isfinite(loss) else f"its loss became {loss}"
    return ModelError(
        f"{run.name}: {what} in epoch {epoch + 1}, step {step + 1}; the first that is not finite is {began}; "
        f"lower learning_rate from {learner.recipe.learning_rate:g}, or set clip_norm"
    )


def validator(run: TrainingRun) -> Callable[[], dict[str, float]]:
    """A function that gives the loss and the accuracy on the validation split, or nothing if there is none."""
    if run.validation is None:
        return dict
    network, batches = run.learner.network, run.validation

    def evaluate(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        logits = outputs(network, images, training=False)[0]
        right = tf.math.count_nonzero(tf.argmax(logits, 1) == labels)
        return tf.reduce_sum(cross_entropy(logits, labels, 0.0)), right, tf.size(labels)

    compiled = tf.function(evaluate, autograph=False, input_signature=batches.element_spec)

    def validate() -> dict[str, float]:
        with averages(run.learner):
            total, right, images = np.sum([[float(part) for part in compiled(*batch)] for batch in batches], axis=0)
            robust = {"val_robust": run.robustness()} if run.robustness else {}
        return {"val_loss": float(total / images), "val_accuracy": float(right / images), **robust}

    return validate


@contextmanager
def averages(learner: Learner) -> Iterator[None]:
    """The network with the averages of its weights, if it has any; then its own again."""
    own = checkpoints.arrays(learner.averaged())
    use_averages(learner)
    yield
    _put(learner.averaged(), own)


def use_averages(learner: Learner) -> None:
    """Replace the network's weights and statistics by their averages, where the recipe keeps any."""
    _put(learner.averaged(), checkpoints.arrays(learner.averages))


def _put(variables: Iterable[State], values: list[np.ndarray]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
