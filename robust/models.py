"""The models of a suite, as classifiers: fitted, or loaded, or handed in, and kept."""

import functools
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import keras

from robust import store as stores
from robust.classifier import Classifier
from robust.datasets.dataset import Dataset
from robust.errors import ModelError
from robust.files import write
from robust.progress import Progress
from robust.store import Store
from robust.suite import Model
from robust.training.fit import fit

_MADE_BY = ("architectures", "training", "datasets", "attacks/ball", "randomness")


@dataclass(frozen=True)
class Fitted:
    """A model ready to be asked: what identifies it, the classifier, and what the page says of it."""

    identity: str
    classifier: Classifier
    about: Mapping[str, Any]


def key(model: Model, seed: int, data: Dataset) -> dict[str, Any]:
    """Everything that makes a fitted model what it is."""
    train = model.train and {
        "recipe": model.train.recipe.key(),
        "adversary": model.train.adversary and model.train.adversary.key(),
    }
    return {
        "architecture": model.source.key(),
        "train": train,
        "data": data.fingerprint,
        "seed": seed,
        "code": stores.code(*_MADE_BY),
    }


def identity(model: Model, seed: int, data: Dataset, store: Store) -> str | None:
    """What identifies a model without making it; None where that cannot be known, or it is not made yet."""
    if model.kind == "keras":
        return _file_hash(model.source, model.source.stat().st_mtime_ns)
    if model.kind == "architecture" and store.find("models", made_from := key(model, seed, data)):
        return stores.digest(made_from)
    return None


@functools.cache
def _file_hash(path: Path, changed: int) -> str:
    """Read once for each version of the file, not once for each cell."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def prepare(model: Model, seed: int, data: Dataset, store: Store, progress: Progress) -> Fitted:
    """The model as a classifier; an architecture is built and trained unless the store has it.

    Raises ModelError, which names the model, for a file that cannot be loaded and for one that cannot be evaluated.
    """
    try:
        return _prepare(model, seed, data, store, progress)
    except ModelError as error:
        raise error if model.kind == "memory" else ModelError(f"model {model.name}: {error}") from error


def _prepare(model: Model, seed: int, data: Dataset, store: Store, progress: Progress) -> Fitted:
    if model.kind == "architecture":
        folder = store.keep("models", key(model, seed, data), lambda out: _fit(model, seed, data, progress, out))
        return _fitted(
            model,
            load(folder / "model.keras"),
            data,
            stores.digest(key(model, seed, data)),
            json.loads((folder / "about.json").read_text()),
        )
    if model.kind == "keras":
        return _fitted(model, load(Path(model.source)), data, identity(model, seed, data, store) or "", {})
    made = (
        model.source
        if model.kind == "memory"
        else model.source(input_shape=data.image_shape, classes=len(data.classes))
    )
    fitted = _fitted(model, made, data, "", {})
    return Fitted(stores.digest([fitted.classifier.weights, _form(made)]), fitted.classifier, fitted.about)


def load(path: Path) -> keras.Model:
    """Load a .keras file as data: code inside it (a Lambda, a pickle) is refused.

    Raises ModelError with the reason and what to do.
    """
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises what it likes: zip, h5 and JSON errors, TypeError, ValueError
        first = str(error).strip().split("\n")[0]
        raise ModelError(f"{path}: cannot be loaded as data ({type(error).__name__}: {first})") from error


def _form(network: keras.Model) -> Any:
    """What tells networks of the same weights apart: the layers, or where Keras cannot say them, this very object."""
    try:
        return network.get_config()
    except (NotImplementedError, TypeError, ValueError):
        return uuid4().hex


def _fit(model: Model, seed: int, data: Dataset, progress: Progress, out: Path) -> None:
    began = time.perf_counter()
    network, history = fit(model.source, model.train, data, seed, progress, model.name)
    seconds = time.perf_counter() - began
    network.save(out / "model.keras")
    write(
        out / "about.json", json.dumps({"training_seconds": seconds if history else None, "history": history or None})
    )
    if history:
        watched = f", validation accuracy {history['val_accuracy'][-1]:.3f}" if "val_accuracy" in history else ""
        progress.say(f"trained {model.name} in {seconds:.0f} s: accuracy {history['accuracy'][-1]:.3f}{watched}")


def _fitted(model: Model, network: keras.Model, data: Dataset, identity: str, about: dict[str, Any]) -> Fitted:
    classifier = Classifier(network, len(data.classes), pixels=model.pixels)
    shape = getattr(network, "input_shape", None)
    if isinstance(shape, tuple) and any(w not in (None, h) for w, h in zip(shape[1:], data.image_shape, strict=False)):
        raise ModelError(
            f"model {model.name} takes images of shape {shape[1:]}, but those of {data.name} are {data.image_shape}"
        )
    source = {"memory": "memory", "keras": str(model.source)}.get(model.kind) or model.source.name
    return Fitted(
        identity,
        classifier,
        {"architecture": source, "parameters": network.count_params(), "weights": classifier.weights, **about},
    )
