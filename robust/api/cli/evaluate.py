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
    """Measure a model of your own on clean images and under attacks.

    Parameters
    ----------
    model
        A .keras or .tflite file, or the folder of a SavedModel.
    data
        A folder of images with a folder for each class, a .csv table of files and labels beside the images, an
        .npz file, or the name of a data set.
    attack
        An attack; `robust list attacks` shows them; may be given several times.
    eps
        How far the attacks may go, as in 4/255; several are run upward.
    set_
        Another setting of the attacks, as in --set steps=100; may be given several times.
    metric
        What is measured; accuracy where it is not given; may be given several times.
    max_images
        How many images of the test split, chosen at random in proportion to the classes; all of them where it is not
        given.
    balanced
        Choose as many images of each class.
    transform
        For photos of different sizes: imagenet (the central 224 x 224), or the side of a square, as in 96; a table
        says more, as in --transform '{ size = 96, antialias = false }', which is what Keras' loader does.
    classes
        The names of the classes in the order of the model's outputs, as in --classes cat,dog; or a file of them, one a
        line, or .json. The order of the alphabet, or the data's own, where it is not given.
    channels
        See images in colour, rgb, or in grey, gray; as the model takes them where it is not given.
    preprocessing
        What the model wants, as in --preprocessing 0 255, or caffe, tf, torch for the preprocess_input of
        keras.applications; what its first layers say where it is not given, else 0 1.
    output
        Which of the model's outputs classifies, where it has several.
    black_box
        Ask for its answers only, as where a softmax cannot be taken off; for the attacks square and noise.
    allow_code
        Let somebody's code run: of the file (a Lambda, a class of another module, a SavedModel), or module:function.
    seed
        Of all that is random.
    out
        A folder for the tables and the page; none are written where it is not given.
    """
    from robust import suite
    from robust.core import quiet, typed
    from robust.datasets.asked import asked
    from robust.suite import read_case, read_data, read_model

    metrics = metric or ["accuracy"]
    typed.refuse([*(attack or []), *metrics], allow_code)
    attacks = _attacks(attack or [], eps, set_ or [])
    for each in attacks:  # a mistake is told before TensorFlow is imported
        read_case(each["name"], {"attack": each, "metrics": metrics})
    table = {models.kind(model): model, **models.asked(preprocessing, output, black_box)}
    read_model(Path(model).stem, table)
    source = asked(read_data(data, allow_code=allow_code, transform=transform), **suite.seen(classes, channels))
    quiet.tensorflow()
    from robust.api.evaluate import evaluate as measured
    from robust.core import progress
    from robust.datasets import given
    from robust.report import terminal

    with progress.on(sys.stderr) as shown:
        options: NewTable = {"metrics": metrics, "seed": seed, "out": out, "allow_code": allow_code}
        options |= {"max_images": max_images, "balanced": balanced}
        results = measured(table, given.read(source), attacks, progress=shown, **options)
    terminal.results(results)
    if out is not None:
        print(f"the page: {out / 'index.html'}")
    return 0


def _attacks(names: list[str], eps: list[str] | None, settings: list[str]) -> list[NewTable]:
    """The attacks as tables of a suite."""
    from robust.core import typed

    for option, given in (("--eps is how far", eps), ("--set is how", settings)):
        if given and not names:
            raise SuiteError(f"{option} an attack may go; say which: --attack pgd (`robust list attacks` shows all)")
    strengths: NewTable = {} if eps is None else {"eps": eps if len(eps) > 1 else eps[0]}
    return [{"name": name, **typed.settings("attacks", name, settings, "--set"), **strengths} for name in names]
