"""The models of a suite, as classifiers: trained, loaded or passed in, and cached."""

import functools
import json
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import keras

from robust.core import keras_files, registry
from robust.core import store as stores
from robust.core.errors import ModelError, SuiteError
from robust.core.files import write
from robust.core.progress import Progress
from robust.core.signature import Call, bind
from robust.core.store import Store
from robust.core.types import NewTable, Table
from robust.datasets import channels
from robust.datasets.dataset import Dataset, data_key
from robust.engine import precision
from robust.engine.fitted import Fitted
from robust.models import input_checks
from robust.models.classifier import Classifier, black_box, inputs, rows
from robust.models.classifier.black_box import Network
from robust.models.classifier.structure_hash import structure_hash
from robust.models.loading import fingerprint, load
from robust.models.pretrained import load as pretrained
from robust.suite import Architecture, InMemory, Model, ModelFile, Pretrained, Published, Python, Weights
from robust.training import patience, strategies, tensorboard
from robust.training.fit import fit
from robust.training.robust_validation import epoch_to_keep

BATCH = 128


@dataclass(frozen=True)
class ModelKey:
    """Everything that makes a fitted model what it is.

    source: what a training starts from. train: its recipe, adversary and objective. data: its content. code: of the
    network, of the training and of all that they import.
    """

    source: Table
    train: Table | None
    data: tuple[str, str, str]
    seed: int
    code: str


def key(model: Model, seed: int, data: Dataset) -> NewTable:
    """The key of a fitted model in the store, see `ModelKey`."""
    calls = {} if model.train is None else {one.name: getattr(model.train, one.name) for one in fields(model.train)}
    train = {name: call and call.key() for name, call in calls.items()} or None
    made = [model.source.call] if isinstance(model.source, Architecture) else []
    code = stores.code_of([*made, *calls.values(), *augmentations(model)], "robust.training.fit")
    return asdict(ModelKey(_source(model, data), train, data_key(data), seed, code))


def augmentations(model: Model) -> list[Call]:
    """The augmentations of the images that a model is trained on."""
    named = model.train.recipe.arguments.get("augment") if model.train else None
    return [bind("augmentations", each) for each in named or []]


def identity(model: Model, seed: int, data: Dataset, store: Store) -> str | None:
    """What identifies a model without making it; None where that is unknown, or the model is not made yet."""
    if is_made_here(model):
        made_from = key(model, seed, data)
        return stores.digest(made_from) if store.find("models", made_from) else None
    match model.source:
        case ModelFile(path):
            return file_identity(path)
        case Weights() | Published() as weights:
            return stores.digest(weights_key(weights, data))
    return None


def is_made_here(model: Model) -> bool:
    """Is it built or trained here, and therefore kept in the store?"""
    return isinstance(model.source, Architecture) or model.train is not None


def _source(model: Model, data: Dataset) -> NewTable:
    """What identifies the start of a training."""
    how = {"preprocessing": model.preprocessing, "output": model.output}
    match model.source:
        case Architecture(call):
            return call.key()
        case ModelFile(path):
            return {"file": file_identity(path), **how}
        case Weights() | Published() as weights:
            return {**weights_key(weights, data), **how}
    raise untrained(model)


def file_identity(path: Path) -> str:
    """What identifies a model's file: its content, and the code of the modules that it names; none is imported."""
    modules = sorted({part.module for part in keras_files.foreign(path)} - {"", "__main__"})
    found = [(module, code) for module in modules if (code := _code(module))]
    return stores.digest([fingerprint(path), found]) if found else fingerprint(path)


def _code(module: str) -> str:
    """A hash of a module's code, "" where it is not found: then loading the file raises the error."""
    try:
        return registry.foreign_code(module)
    except (SuiteError, ValueError):
        return ""


def weights_key(source: Pretrained, data: Dataset) -> NewTable:
    """Everything that makes a network with pretrained weights what it is."""
    key = {"name": source.name, "code": stores.code("robust.models.pretrained.load")}
    if isinstance(source, Weights):
        own = source.architecture.key(), source.layout, pretrained.normalisation(source)[0]
        key |= {"file": fingerprint(source.file), "weights_sha": own, "shape": data.image_shape}
    return key


def prepare(model: Model, seed: int, data: Dataset, store: Store, progress: Progress) -> Fitted:
    """The model as a classifier; an architecture is built and trained unless the store has it.

    Raises ModelError, which names the model, for a file that cannot be loaded and for one that cannot be evaluated.
    """
    with named(model):
        fitted = _prepare(model, seed, data, store, progress)
        if model.attack_precision != "auto":
            return fitted
        return precision.chosen(fitted, fitted.with_model_channels(data).image_shape, store)


@contextmanager
def named(model: Model) -> Iterator[None]:
    """A ModelError names the model of the suite; not from Python, where there is only one."""
    try:
        yield
    except ModelError as error:
        names_it = str(error).startswith((f"model {model.name} ", f"model {model.name!r} "))
        if names_it or isinstance(model.source, InMemory):
            raise
        raise ModelError(f"model {model.name}: {error}") from error


def _prepare(model: Model, seed: int, data: Dataset, store: Store, progress: Progress) -> Fitted:
    if is_made_here(model):
        with trained(model, seed, data, store, progress) as folder:
            about = json.loads((folder / "about.json").read_text())
            identity_of = stores.digest(key(model, seed, data))
            return _fitted(model, load(folder / "model.keras", allow_code=model.allow_code), data, identity_of, about)
    network = _network(model, data)
    fitted = _fitted(model, network, data, identity(model, seed, data, store) or "", {})
    return fitted if fitted.identity else replace(fitted, identity=_identity_of(model, network, fitted))


def _network(model: Model, data: Dataset) -> Network:
    """A model that is not made here, unchanged."""
    match model.source:
        case ModelFile(path):
            return load(path, allow_code=model.allow_code)
        case Weights() | Published() as weights:
            shape = channels.for_model(data, pretrained.channels(weights)).image_shape
            return pretrained.load(weights, shape, len(data.classes))
        case Architecture(call) | Python(call):
            return call(input_shape=data.image_shape, classes=len(data.classes))
        case InMemory(network):
            return network


def _identity_of(model: Model, network: Network, fitted: Fitted) -> str:
    """What identifies a model that is known only once it is made."""
    code = model.source.call.key() if isinstance(model.source, Python) else None
    return stores.digest([fitted.classifier.weights, _form(network), code])


@contextmanager
def trained(
    model: Model, seed: int, data: Dataset, store: Store, progress: Progress, logs: Path | None = None
) -> Iterator[Path]:
    """A folder with the network, model.keras, and about.json; built, trained or tuned unless the store has it.

    An interrupted training continues after its last epoch. Of several machines only the chief writes to
    the store; the others train as well and keep their results during the `with` block. They share the store's
    folder, so that all know what is in it. `logs`: a folder for TensorBoard.
    """
    made_from = key(model, seed, data)
    unfinished = store.unfinished(made_from)

    def make(out: Path) -> None:
        began = time.perf_counter()
        base = None if isinstance(model.source, Architecture) else functools.partial(_base, model, data)
        network, history = fit(model, data, seed, progress, unfinished=unfinished, logs=logs, base=base)
        guess = channels.conversion_remark(data, inputs.channels(network))
        _save(network, history, time.perf_counter() - began, out, guess)
        _report(model, history, time.perf_counter() - began, progress)

    known = store.find("models", made_from)
    if known and logs and is_chief(model):
        progress.say(tensorboard.of_history(logs, json.loads((known / "about.json").read_text())["history"]))
    if is_chief(model) or known:
        folder = store.get_or_make("models", made_from, make)
        shutil.rmtree(unfinished, ignore_errors=True)
        yield folder
    else:
        with TemporaryDirectory() as folder:
            make(Path(folder))
            yield Path(folder)


def _base(model: Model, data: Dataset) -> keras.Model:
    """The network to fine-tune."""
    match model.source:
        case ModelFile(path):
            return load(path, allow_code=model.allow_code)
        case Weights() | Published() as weights:
            return pretrained.original(weights, channels.for_model(data, pretrained.channels(weights)).image_shape)
    raise untrained(model)


def untrained(model: Model) -> SuiteError:
    """The error for a model that cannot be trained here."""
    return SuiteError(f"model {model.name}: {model.source.name} is not trained here")


def connect_workers(models: Iterable[Model]) -> None:
    """Where a recipe requires several machines they connect here, which must be before TensorFlow does anything.

    No other strategy is created here: "mirrored" would initialise TensorFlow to list its devices.
    """
    for model in models:
        if model.train is not None and model.train.recipe.arguments["strategy"] == "multi_worker":
            strategies.strategy("multi_worker")


def is_chief(model: Model) -> bool:
    """Is this the process that writes, of all that train the model together?"""
    return model.train is None or strategies.is_chief(strategies.strategy(model.train.recipe.arguments["strategy"]))


def _form(network: keras.Model) -> Table | str:
    """What distinguishes networks of the same weights: the layers, or where Keras has no config, this very object."""
    try:
        return network.get_config()
    except (AttributeError, NotImplementedError, TypeError, ValueError):
        return uuid4().hex


def _save(network: keras.Model, history: Mapping[str, list[float]], seconds: float, out: Path, guess: str) -> None:
    network.save(out / "model.keras")
    about = {"training_seconds": seconds if history else None, "history": history or None, "guess": guess}
    write(out / "about.json", json.dumps(about))


def _report(model: Model, history: Mapping[str, list[float]], seconds: float, progress: Progress) -> None:
    if history and model.train is not None:
        names = {"accuracy": "accuracy", "val_accuracy": "validation accuracy", "val_robust": "robust accuracy"}
        epoch = epoch_to_keep(history, patience.column(model.train, history))
        values = [f"{name} {history[key][epoch]:.3f}" for key, name in names.items() if key in history]
        progress.say(f"trained {model.name} in {seconds:.0f} s: {', '.join(values)}")


def _fitted(model: Model, network: Network, data: Dataset, identity: str, about: NewTable) -> Fitted:
    classes = len(data.classes)
    pixels = None if model.train else model.preprocessing  # what was trained here takes [0, 1]
    takes = inputs.channels(network, pixels)
    seen = channels.for_model(data, takes, f"model {model.name}")
    network, flattened = rows.unrolled(network, seen.image_shape)
    evaluated = black_box.as_black_box(network, classes, model.output) if model.black_box else network
    size = min(BATCH, data.size("test"))  # a dozen photos are not padded to a hundred
    classifier = Classifier(
        evaluated,
        classes,
        preprocessing=pixels,
        attack_precision="float32" if model.attack_precision == "auto" else model.attack_precision,
        output=model.output,
        batch_size=size,
    )
    shape = inputs.image_shape(classifier.model, classifier.preprocessing)
    if any(w not in (None, h) for w, h in zip(shape, seen.image_shape, strict=False)):
        wants = f"model {model.name} takes images of shape {shape}, but those of {data.name} are {data.image_shape}"
        raise ModelError(f"{wants}{inputs.resized(shape, seen.image_shape)}")
    notes, doubts = ([], []) if is_made_here(model) else input_checks.at(classifier, seen)
    found = {"architecture": model.source.name, "parameters": classifier.parameters, "weights_sha": classifier.weights}
    found["form"] = structure_hash(network, classifier.preprocessing, model.output)
    declared = pretrained.notes(model.source) if isinstance(model.source, Pretrained) else ()
    understood = [*classifier.notes, *filter(None, [flattened]), *declared, *notes, *doubts]
    return Fitted(identity, classifier, {**found, "notes": understood, "doubts": doubts, **about}, takes=takes)
