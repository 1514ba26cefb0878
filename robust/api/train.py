"""Training one network and keeping it as a file: what `robust train` does."""

import json
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from robust.core import csv_files, files, statistics
from robust.core import store as stores
from robust.core.errors import ModelError
from robust.core.progress import Progress, Silent
from robust.core.remedies import formatted, setting
from robust.core.signature import Call
from robust.core.store import Store
from robust.datasets import channels, copies, order, remarks
from robust.datasets.dataset import Dataset
from robust.datasets.from_python import read
from robust.datasets.held_out import with_validation
from robust.engine import prepare_models
from robust.models.classifier import Classifier, inputs
from robust.suite import Model, ModelFile, Weights
from robust.training import patience
from robust.training.robust_validation import epoch_to_keep


@dataclass(frozen=True)
class Trained:
    """The result of a training. Accuracies are shares; `test` comes with its exact 95 % interval."""

    history: pd.DataFrame
    """A row an epoch: epoch, loss, accuracy and, where there is a validation split, val_loss, val_accuracy; after
    training against an adversary, val_robust."""
    test: tuple[float, float, float] | None
    """Low, accuracy, high on the test split; None where the data has none, or another process reports it."""
    images: int
    """Of the test split."""
    notes: tuple[str, ...] = ()
    """How the data was interpreted or split, such as a validation split."""
    kept_by: str | None = "val_robust"
    """The column of the history by which the epoch was chosen whose weights are kept; the last where it has none."""

    def in_words(self) -> str:
        """The accuracies, a line each, of the epoch whose weights were kept."""
        epoch = epoch_to_keep(self.history.to_dict("list"), self.kept_by)
        row, last = self.history.iloc[epoch], epoch == len(self.history) - 1
        lines = [f"train {row['accuracy']:.4f}, in {'the last epoch' if last else f'epoch {epoch + 1}'}"]
        if "val_accuracy" in row:
            best = "; the best epoch is kept" if self.kept_by == "val_accuracy" else ""
            lines.append(f"validation {row['val_accuracy']:.4f}{best}")
        if "val_robust" in row:
            best = "; the best epoch is kept" if self.kept_by == "val_robust" else ""
            lines.append(f"robust {row['val_robust']:.4f}, under PGD on the validation split{best}")
        if self.test is not None:
            low, accuracy, high = self.test
            lines.append(f"test {accuracy:.4f} [{low:.4f}, {high:.4f}], {self.images:,} images")
        lines += self.notes
        return "\n".join(lines)


def train(
    model: Model,
    data: Call,
    out: Path,
    *,
    store: Store | None = None,
    progress: Progress | None = None,
    logs: Path | None = None,
) -> Trained:
    """Train or fine-tune a network, write it to `out` and its history next to it, and evaluate on the test split, once.

    A training that was stopped resumes after its last epoch when it is run again; a finished one is
    read from the store.

    Args:
        model: with a recipe, from its first seed. data: of the catalogue `datasets`.
        out: the .keras file; the history is the .csv of the same name.
        store: where checkpoints and results are kept; the user's default store where it is not given.
        progress: receives every step. logs: a folder for TensorBoard.

    Raises RobustError for what is wrong with model, data or folder.
    """
    check(out, model, data, logs)
    prepare_models.connect_workers([model])
    seed = model.seeds[0]
    found = read(data) if model.train is None else with_validation(read(data))
    remarks.report([*remarks.lines([found]), *copies.found(found, learned=True)], progress)
    (progress or Silent()).say(order.class_order_remark(found))
    with prepare_models.trained(model, seed, found, store or stores.default(), progress or Silent(), logs) as folder:
        about = json.loads((folder / "about.json").read_text())
        history = _history(about["history"])
        guesses = [f"{model.name} {formatted(about['guess'])}"] if about["guess"] else []
        if guesses and progress is None:
            warnings.warn(guesses[0], stacklevel=2)
        if chief := prepare_models.is_chief(model):
            files.write(out, (folder / "model.keras").read_bytes())
            files.write(out.with_suffix(".csv"), csv_files.csv(history))
        tested = _tested(folder, found, model.allow_code) if chief and "test" in found.sizes else (None, 0)
        by = None if model.train is None else patience.column(model.train, history)
        return Trained(history, *tested, (*found.notes, *guesses), by)


def check(out: Path, model: Model, data: Call, logs: Path | None) -> None:
    """Raise ModelError where `out` is no .keras file, or it or the history would overwrite an input.

    Raises StoreError where it or the logs cannot be written.
    """
    if out.suffix != ".keras":
        raise ModelError(f"--out {out}: must be a .keras file, as in {setting('out', str(out.with_suffix('.keras')))}")
    for written in (out, out.with_suffix(".csv")):
        if written.is_dir():
            other = setting("out", str(out.with_stem(f"{out.stem}-trained")))
            raise ModelError(f"--out {out}: {written} is a folder; write {other}")
    inputs = _files(model)
    given = [data.arguments.get(key) for key in ("path", "labels")]
    inputs += [Path(root, each) for each in given if each for root in ("", data.arguments.get("path") or "")]
    for written in (out, out.with_suffix(".csv")):
        if written.is_file() and any(each.exists() and each.samefile(written) for each in inputs):
            other = setting("out", str(out.with_stem(f"{out.stem}-tuned")))
            raise ModelError(f"--out {out}: {written} is read by this training, and would be lost; write {other}")
    files.check_folder(out.parent, setting("out", str(Path("other", out.name))))
    if logs is not None:
        files.check_folder(logs, setting("tensorboard", f"{logs}-2"))


def _files(model: Model) -> list[Path]:
    """The files that a model is read from."""
    match model.source:
        case ModelFile(path) | Weights(path):
            return [path]
    return []


def _history(columns: dict[str, list[float]]) -> pd.DataFrame:
    table = pd.DataFrame(columns)
    table.insert(0, "epoch", np.arange(1, len(table) + 1))
    return table


def _tested(folder: Path, data: Dataset, allow_code: bool) -> tuple[tuple[float, float, float], int]:
    network = prepare_models.load(folder / "model.keras", allow_code=allow_code)
    examples = channels.for_model(data, inputs.channels(network)).examples("test")
    classifier = Classifier(network, len(data.classes))
    right = int((classifier.logits(examples.images).argmax(axis=1) == examples.labels).sum())
    low, high = statistics.clopper_pearson(right, len(examples.labels))
    return (low, right / len(examples.labels), high), len(examples.labels)
