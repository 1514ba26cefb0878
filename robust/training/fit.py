"""Fitting a network: `fit(model, data, seed, progress) -> the network and the history of its training`."""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import keras
import tensorflow as tf

from robust.core.errors import DataError, ModelError
from robust.core.progress import Progress
from robust.core.remedies import formatted
from robust.core.signature import bind
from robust.datasets import channels
from robust.datasets.dataset import Dataset
from robust.models.architectures.normalization import set_normalization
from robust.models.classifier import inputs, main_logits
from robust.suite import Architecture, Model, Training
from robust.training import balance, data_warnings, finetune, loop, patience, precision, robust_validation, strategies
from robust.training.checkpoints import History
from robust.training.objectives import Objective, objective, weighed
from robust.training.optimizers import optimizer
from robust.training.pipeline import IN_MEMORY, training_batches
from robust.training.recipes import Recipe
from robust.training.remat import Rematerialised
from robust.training.step import Learner, averaged

STATISTICS_BYTES = 2**30
"""Bytes of training images whose mean and variance are taken; of a larger split, part of each class."""


def fit(
    model: Model,
    data: Dataset,
    seed: int,
    progress: Progress,
    *,
    unfinished: Path | None = None,
    logs: Path | None = None,
    base: Callable[[], keras.Model] | None = None,
) -> tuple[keras.Model, History]:
    """Build a network for the data, or take one, and train it; the same seed gives the same weights on the same CPU.

    Args:
        model: its `train` is the recipe; None leaves it as initialised. Its `source` is an architecture, unless
            `base` makes the network.
        data: its training split is learned, its validation split watched, its test split never seen.
        seed: of the initialisation (and so of Keras' and TensorFlow's global generators), the order of the
            images, their augmentation and the adversary.
        progress: updated every step.
        unfinished: a folder for a checkpoint after each epoch; if it holds one, training resumes there.
        logs: a folder for TensorBoard.
        base: makes a network that has weights already, to be fine-tuned; None builds the architecture.

    Returns the network and its history: one number an epoch for loss, accuracy, val_loss, val_accuracy and,
    if it trains against an adversary, val_robust. A trained network ends in its main logits alone;
    an untrained one keeps its auxiliary heads.

    Raises ModelError if the training diverges, DataError if the data has no training split.
    """
    if model.train is None:
        return _built(model, data, seed, "float32"), {}
    if "train" not in data.sizes:
        raise DataError(f"data set {data.name!r} has no training split, so {model.name} cannot be trained on it")
    train, recipe = model.train, Recipe(**model.train.recipe.arguments)
    for line in (*data.notes, *data_warnings.of(data, train.adversary)):
        progress.say(f"{model.name}: {line}")
    patience.check(recipe, data)
    make = partial(_built, model, data, seed, recipe.precision)
    if base is not None:
        make = partial(_adapted, base, model, recipe, data, seed)
    learner = _learner(make, train, recipe, data)
    takes = inputs.channels(learner.network)
    if guess := channels.conversion_remark(data, takes):
        progress.say(f"{model.name} {formatted(guess)}")
    data = channels.for_model(data, takes)
    run = loop.TrainingRun(
        model.name,
        learner,
        lambda epoch: training_batches(
            data,
            batch_size=recipe.batch_size,
            seed=seed,
            epochs=recipe.epochs,
            start_epoch=epoch,
            augment=[bind("augmentations", each) for each in recipe.augment or []],
            sampling=recipe.sampling,
        ),
        steps=strategies.batches(data.sizes["train"], recipe.batch_size, learner.strategy),
        validation=_validation(data, recipe.batch_size),
        robustness=_robustness(train, learner, data),
        watched=patience.watched(train.adversary, data),
    )
    history = loop.train(run, progress, unfinished, logs)
    return main_logits.linear(learner.network), history


def _learner(make: Callable[[], keras.Model], train: Training, recipe: Recipe, data: Dataset) -> Learner:
    strategy = strategies.strategy(recipe.strategy)
    with strategy.scope():
        network = make()
        if recipe.auxiliary_weight and len(getattr(network, "outputs", None) or []) == 1:
            raise ModelError(
                f"auxiliary_weight = {recipe.auxiliary_weight:g}: {network.name} has no auxiliary heads; leave it out"
                ', or build them: heads = "all" of googlenet'
            )
        averages = [tf.Variable(weight.numpy()) for weight in averaged(network)] if recipe.ema else []
        made = optimizer(recipe, network, strategy.num_replicas_in_sync)
        spared = Rematerialised(network) if recipe.remat == "blocks" else None
        keeps = recipe.keeps_best(robust_validation.is_watched(train.adversary, data))
        best = [tf.Variable(weight.numpy()) for weight in averaged(network)] if keeps else []
    held, weights = finetune.held(network, recipe), balance.class_weights(recipe.class_weights, data)
    return Learner(network, made, _objective(train, recipe), recipe, strategy, averages, spared, held, best, weights)


def _objective(train: Training, recipe: Recipe) -> Objective:
    weights = recipe.label_smoothing, recipe.auxiliary
    if train.objective is not None and train.adversary is not None:
        return weighed(train.adversary, train.objective, *weights)
    return objective(train.adversary, *weights)


def _robustness(train: Training, learner: Learner, data: Dataset) -> robust_validation.Evaluation | None:
    if train.adversary is None or not robust_validation.is_watched(train.adversary, data):
        return None
    return robust_validation.robust_accuracy(learner.network, data, train.adversary, learner.recipe.batch_size)


def _built(model: Model, data: Dataset, seed: int, policy: str) -> keras.Model:
    keras.utils.set_random_seed(seed)
    if not isinstance(model.source, Architecture):
        what = f"{model.source.name} is not an architecture; `base` has to make its network"
        raise ModelError(f"model {model.name}: {what}")
    network = model.source.call(input_shape=data.image_shape, classes=len(data.classes))
    precision.set_precision(network, policy)
    if "train" in data.sizes:
        most = STATISTICS_BYTES // (4 * math.prod(data.image_shape))
        size = data.sizes["train"]
        set_normalization(network, data.examples("train", most if most < size else None).images)
    return network


def _adapted(base: Callable[[], keras.Model], model: Model, recipe: Recipe, data: Dataset, seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    network = finetune.adapted(base(), data, recipe, model.preprocessing, model.output)
    precision.set_precision(network, recipe.precision)
    return network


def _validation(data: Dataset, batch_size: int) -> tf.data.Dataset | None:
    if "validation" not in data.sizes:
        return None
    batches = data.split("validation").map(lambda image, label, _: (image, label)).batch(batch_size)
    size = 4 * math.prod(data.image_shape) * data.size("validation")
    return batches.cache() if size <= IN_MEMORY else batches.prefetch(tf.data.AUTOTUNE)
