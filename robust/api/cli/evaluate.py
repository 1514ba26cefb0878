"""`robust evaluate`."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from robust.api.cli import models
from robust.api.cli.numbers import MaybeWhole, Whole
from robust.api.cli.preprocessing import Words
from robust.core.errors import SuiteError
from robust.core.types import Channels, NewTable


def evaluate(
    model: str,
    *,
    data: str,
    attack: Annotated[list[str] | None, Parameter(negative="")] = None,
    eps: Annotated[list[str] | None, Parameter(negative="", consume_multiple=True)] = None,
    set_: Annotated[list[str] | None, Parameter(name=["--set"], negative="")] = None,
    metric: Annotated[list[str] | None, Parameter(negative="")] = None,
    max_images: MaybeWhole = None,
    balanced: Annotated[bool, Parameter(negative="")] = False,
    transform: str | None = None,
    classes: str | None = None,
    channels: Channels | None = None,
    preprocessing: Words = None,
    output: str | None = None,
    black_box: Annotated[bool, Parameter(negative="")] = False,
    allow_code: Annotated[bool, Parameter(negative="")] = False,
    seed: Whole = 0,
    out: Path | None = None,
) -> int:
    """Evaluate a model of your own on clean images and under attacks.

    Parameters
    ----------
    model
        A .keras or .tflite file, or the folder of a SavedModel.
    data
        A folder of images with a folder for each class, a .csv table of files and labels next to the images, an
        .npz file, or the name of a data set.
    attack
        An attack; `robust list attacks` shows them; may be given several times.
    eps
        The radius of the attacks, as in 4/255; several are run in ascending order.
    set_
        Another setting of the attacks, as in --set steps=100; may be given several times.
    metric
        A metric; accuracy by default; may be given several times.
    max_images
        How many images of the test split, chosen at random in proportion to the classes; by default all.
    balanced
        Choose as many images of each class.
    transform
        For photos of different sizes: imagenet (the central 224 x 224), or the side of a square, as in 96; a table
        sets more, as in --transform '{ size = 96, antialias = false }', which is what Keras' loader does.
    classes
        The names of the classes in the order of the model's outputs, as in --classes cat,dog; or a file of them, one a
        line, or .json. By default the alphabetical order, or the data's own.
    channels
        Show images in colour, rgb, or in grey, gray; by default as the model takes them.
    preprocessing
        The pixels the model expects, as in --preprocessing 0 255, or caffe, tf, torch for the preprocess_input of
        keras.applications; by default what its first layers show, else 0 1.
    output
        Which of the model's outputs classifies, where it has several.
    black_box
        Use its outputs only, no gradients, as where a softmax cannot be removed; for the attacks square and noise.
    allow_code
        Allow third-party code: of the file (a Lambda, a class of another module, a SavedModel), or module:function.
    seed
        Of all that is random.
    out
        A folder for the tables and the page; by default none are written.
    """
    from robust import suite
    from robust.core import key_values, quiet
    from robust.datasets.data_call import presented
    from robust.suite import read_case, read_data, read_model

    metrics = metric or ["accuracy"]
    key_values.refuse([*(attack or []), *metrics], allow_code)
    attacks = _attacks(attack or [], eps, set_ or [])
    for each in attacks:  # a mistake is an error before TensorFlow is imported
        read_case(each["name"], {"attack": each, "metrics": metrics})
    table = {models.kind(model): model, **models.options(preprocessing, output, black_box)}
    read_model(Path(model).stem, table)
    found = read_data(data, allow_code=allow_code, transform=transform)
    source = presented(found, **suite.presentation(classes, channels))
    quiet.tensorflow()
    from robust.api.evaluate import evaluate as measured
    from robust.core import progress
    from robust.datasets import from_python
    from robust.report import terminal

    with progress.on(sys.stderr) as shown:
        options: NewTable = {"metrics": metrics, "seed": seed, "out": out, "allow_code": allow_code}
        options |= {"max_images": max_images, "balanced": balanced}
        results = measured(table, from_python.read(source), attacks, progress=shown, **options)
    terminal.results(results)
    if out is not None:
        print(f"the page: {out / 'index.html'}")
    return 0


def _attacks(names: list[str], eps: list[str] | None, settings: list[str]) -> list[NewTable]:
    """The attacks as in a suite."""
    from robust.core import key_values

    for option, given in (("--eps", eps), ("--set", settings)):
        if given and not names:
            raise SuiteError(f"{option} needs an attack, as in --attack pgd (`robust list attacks` shows all)")
    strengths: NewTable = {} if eps is None else {"eps": eps if len(eps) > 1 else eps[0]}
    return [{"name": name, **key_values.settings("attacks", name, settings, "--set"), **strengths} for name in names]
