"""Fitting a network: `fit(architecture, training, data, seed) -> the network and what its training was like`."""

import keras
import tensorflow as tf

from robust import randomness
from robust.architectures.normalization import set_normalization
from robust.datasets.dataset import Dataset, Examples
from robust.errors import DataError, ModelError
from robust.progress import Progress
from robust.schema import Call
from robust.suite import Training
from robust.training.objectives import objective
from robust.training.recipes import Recipe
from robust.training.trainer import Trainer


def fit(
    architecture: Call, training: Training | None, data: Dataset, seed: int, progress: Progress, name: str
) -> tuple[keras.Model, dict[str, list[float]]]:
    """Build a network for the data and train it; the same seed gives the same weights on the same CPU.

    Args:
        architecture: the network to build; training: how; None leaves it as initialised.
        data: its training split is learned, its validation split watched, its test split never seen.
        seed: of the initialisation, the order of the images and the adversary.
        progress: told every step; name: what it calls the model.

    Returns the network and its history: one number an epoch for loss, accuracy, val_loss, val_accuracy.

    Raises ModelError where the training diverges, DataError where the data has no training split.
    """
    if training is not None and "train" not in data.sizes:
        raise DataError(f"data set {data.name!r} has no training split, so {name} cannot be trained on it")
    keras.utils.set_random_seed(seed)
    network = architecture(input_shape=data.image_shape, classes=len(data.classes))
    if "train" not in data.sizes:
        return network, {}
    examples = data.examples("train")
    set_normalization(network, examples.images)
    return network, {} if training is None else _train(network, training, data, examples, seed, progress, name)


def _train(
    network: keras.Model,
    training: Training,
    data: Dataset,
    examples: Examples,
    seed: int,
    progress: Progress,
    name: str,
) -> dict[str, list[float]]:
    recipe = Recipe(**training.recipe.arguments)
    steps = -(-len(examples.ids) // recipe.batch_size)
    trainer = Trainer(network, objective(training.adversary, recipe.label_smoothing))
    on_gpu = bool(tf.config.list_logical_devices("GPU"))  # on a CPU, XLA makes these networks slower
    trainer.compile(optimizer=optimizer(recipe, network, steps), jit_compile=on_gpu)
    progress.stage(f"training {name}", recipe.epochs * steps)
    history = trainer.fit(
        batches(examples, recipe.batch_size, seed),
        epochs=recipe.epochs,
        validation_data=_validation(data, recipe.batch_size),
        callbacks=[_report(progress, recipe.epochs), keras.callbacks.TerminateOnNaN()],
        shuffle=False,  # the pipeline has done it
        verbose=0,
    ).history
    if any(not tf.math.is_finite(loss) for loss in history["loss"]):
        when = f"its loss became {history['loss'][-1]} in epoch {len(history['loss'])}"
        raise ModelError(f"{name}: {when}; lower learning_rate from {recipe.learning_rate:g}")
    return {key: [float(v) for v in values] for key, values in history.items()}


def batches(examples: Examples, batch_size: int, seed: int) -> tf.data.Dataset:
    """(images, labels, seeds) in batches, in another order each epoch; `seeds` are the examples' own, int64."""
    seeds = randomness.image_seeds(seed, "train", list(examples.ids))
    rows = tf.data.Dataset.from_tensor_slices((examples.images, examples.labels, seeds))
    return (
        rows.shuffle(len(seeds), seed=seed, reshuffle_each_iteration=True).batch(batch_size).prefetch(tf.data.AUTOTUNE)
    )


def optimizer(recipe: Recipe, network: keras.Model, steps: int) -> keras.optimizers.Optimizer:
    """The recipe's optimiser for a network, with its schedule over `steps` steps an epoch."""
    warmup = round(recipe.warmup * recipe.epochs * steps)
    rate = keras.optimizers.schedules.CosineDecay(
        recipe.learning_rate / 100 if warmup else recipe.learning_rate,
        recipe.epochs * steps - warmup,
        warmup_target=recipe.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
    if recipe.optimizer == "adamw":
        made = keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay)
    else:
        made = keras.optimizers.SGD(rate, 0.9, nesterov=True, weight_decay=recipe.weight_decay or None)
    if recipe.weight_decay:
        made.exclude_from_weight_decay([v for v in network.trainable_variables if len(v.shape) < 2])
    return made


def _validation(data: Dataset, batch_size: int) -> tf.data.Dataset | None:
    if "validation" not in data.sizes:
        return None
    return data.split("validation").map(lambda image, label, _: (image, label)).batch(batch_size).cache()


def _report(progress: Progress, epochs: int) -> keras.callbacks.Callback:
    def note(epoch: int, logs: dict[str, float]) -> None:
        watched = "".join(f"  validation {logs['val_accuracy']:.3f}" for _ in range("val_accuracy" in logs))
        notes.append(f"epoch {epoch + 1}/{epochs}  loss {logs['loss']:.3f}{watched}")

    notes = [""]
    return keras.callbacks.LambdaCallback(
        on_epoch_end=note, on_train_batch_end=lambda batch, logs: progress.advance(notes[-1])
    )
