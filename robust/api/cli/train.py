"""`robust train`."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from robust.api.cli.numbers import MaybeWhole, Whole
from robust.api.cli.preprocessing import Words, parsed
from robust.core import keras_files
from robust.core.errors import SuiteError
from robust.core.types import Channels


def train(
    network: str,
    *,
    data: str = "fashion_mini",
    transform: str | None = None,
    classes: str | None = None,
    channels: Channels | None = None,
    recipe: str = "short",
    out: Path | None = None,
    seed: Whole = 0,
    epochs: MaybeWhole = None,
    set_: Annotated[list[str] | None, Parameter(name=["--set"])] = None,
    option: list[str] | None = None,
    preprocessing: Words = None,
    class_weights: str | None = None,
    sampling: str | None = None,
    patience: MaybeWhole = None,
    precision: str | None = None,
    strategy: str | None = None,
    adversary: str | None = None,
    eps: str | None = None,
    objective: str | None = None,
    tensorboard: Path | None = None,
    allow_code: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Train or fine-tune a network and write it to a .keras file; run it again to resume where it was stopped.

    Parameters
    ----------
    network
        The name of an architecture, as `robust list architectures` shows them; or weights to
        fine-tune: a .keras file, or keras:resnet50 for the weights of keras.applications.
    data
        The name of a data set, a folder of images (train/, validation/ and test/ with a folder for each class in
        them), a .csv table of files, labels and splits next to the images, or an .npz file. Its test split is
        evaluated once, at the end.
    transform
        For photos of different sizes: imagenet (the central 224 x 224), or the side of a square, as in 96; a table
        sets more, as in --transform '{ size = 96, antialias = false }', which is what Keras' loader does.
    classes
        The names of the classes in the order of the network's outputs, as in --classes cat,dog; or a file of them, one
        a line, or .json. By default the alphabetical order, or the data's own.
    channels
        Show images in colour, rgb, or in grey, gray; by default as they are, or as a network that has weights
        takes them.
    recipe
        How it is trained; `robust list recipes` shows them.
    out
        The .keras file; by default NETWORK.keras, or NETWORK-tuned.keras of one that had weights. The history is
        the .csv of the same name.
    seed
        Of the initialisation, the order of the images and all else that is random.
    epochs
        By default the recipe's.
    set_
        Another field of the recipe, as in --set learning_rate=.05 or --set freeze=conv1; may be given several times.
    option
        Of the architecture, as in --option form=1998; may be given several times.
    preprocessing
        The pixels that a network with weights expects, as in --preprocessing 0 255, or caffe, tf, torch for the
        preprocess_input of keras.applications; by default what its first layers show, else 0 1. The written file
        takes 0 1.
    class_weights
        balanced: images of small classes are weighted more; or weights by name, as in --class-weights '{ cat = 2.0 }'.
    sampling
        balanced: all classes are shown equally often.
    patience
        Epochs without a better accuracy on the validation split, after which training stops; the best one is kept.
    precision
        float32, mixed_float16 or mixed_bfloat16.
    strategy
        mirrored: all devices of this machine; multi_worker: all machines that TF_CONFIG names.
    adversary
        Train against it: fgsm, pgd.
    eps
        The radius of the adversary's ball, as in 8/255.
    objective
        How the losses on clean and adversarial images are combined: trades, mart.
    tensorboard
        A folder for TensorBoard's logs.
    allow_code
        Allow third-party code: of a .keras file (a Lambda, a class of another module), or module:function.
    """
    from robust import suite
    from robust.core import key_values, quiet
    from robust.datasets.data_call import presented
    from robust.suite import read_data, read_model

    has_weights = network.endswith(keras_files.ENDINGS) or network.startswith("keras:")
    key_values.refuse(filter(None, [recipe, adversary, objective, None if has_weights else network]), allow_code)
    name = network.removesuffix(".keras").removeprefix("keras:").rpartition("/")[2]
    given = {
        "epochs": epochs, "precision": precision, "strategy": strategy, "adversary": _adversary(adversary, eps),
        "objective": objective, "sampling": sampling, "patience": patience, "class_weights": _weights(class_weights),
    }  # fmt: skip
    fields = {key: value for key, value in given.items() if value is not None}
    table = {"recipe": recipe, **key_values.settings("recipes", recipe, set_ or [], "--set"), **fields}
    source = (
        _with_weights(network, option, preprocessing) if has_weights else _architecture(network, option, preprocessing)
    )
    model = read_model(name, {**source, "train": table}, seed, allow_code=allow_code)
    found = read_data(data, allow_code=allow_code, transform=transform)
    images = presented(found, **suite.presentation(classes, channels))
    quiet.tensorflow()
    from robust.api.train import train as train_model
    from robust.core import progress
    from robust.engine import prepare_models

    path = out or Path(f"{name}-tuned.keras" if has_weights else f"{name}.keras")
    with progress.on(sys.stderr) as shown:
        done = train_model(model, images, path, progress=shown, logs=tensorboard)
    print(done.in_words())
    if prepare_models.is_chief(model):  # of several machines one writes
        print(f"{path} {path.with_suffix('.csv')}")
    return 0


def _weights(given: str | None) -> object:
    from robust.core import key_values

    return None if given is None else key_values.value(given)


def _adversary(name: str | None, eps: str | None) -> dict | None:
    return None if name is None and eps is None else {"name": name or "pgd", "eps": eps or "8/255"}


def _architecture(name: str, option: list[str] | None, preprocessing: list[str] | None) -> dict:
    from robust.core import key_values

    if preprocessing is not None:
        raise SuiteError(f"--preprocessing {' '.join(preprocessing)}: {name} is built here and takes 0 1; leave it out")
    return {"architecture": {"name": name, **key_values.settings("architectures", name, option or [], "--option")}}


def _with_weights(network: str, option: list[str] | None, preprocessing: list[str] | None) -> dict:
    if option:
        raise SuiteError(f"--option {option[0]}: {network} is built already; its training is set by --set")
    expects = {} if preprocessing is None else {"preprocessing": parsed(preprocessing)}
    return {"keras" if network.endswith(keras_files.ENDINGS) else "pretrained": network, **expects}
