import subprocess
import sys
from pathlib import Path

import keras
import pandas as pd
import pytest

from robust.api import cli
from robust.api.train import Trained, train
from robust.core.errors import ModelError, RobustError, SuiteError
from robust.core.progress import Silent
from robust.core.signature import Call
from robust.core.store import Store
from robust.datasets import fashion_mini
from robust.datasets.from_python import read
from robust.engine import prepare_models
from robust.suite import ModelFile, read_model

TABLE = {"architecture": {"name": "lenet5", "width": 0.3}, "train": {"recipe": "short", "epochs": 1}}
DATA = Call("datasets", "fashion_mini")


class Loud(Silent):
    def advance(self, note=""):
        raise AssertionError("it trains")


def test_a_network_is_trained_once_written_and_looked_at(tmp_path):
    model, out, store = read_model("net", TABLE), tmp_path / "net.keras", Store(tmp_path / "store")
    done = train(model, DATA, out, store=store)
    low, accuracy, high = done.test
    assert low < accuracy < high and accuracy > 0.5
    history = pd.read_csv(tmp_path / "net.csv")
    assert list(history) == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy"]
    assert len(history) == 1
    assert done.in_words().splitlines()[-1] == f"test {accuracy:.4f} [{low:.4f}, {high:.4f}], 1,000 images"
    examples = fashion_mini().examples("test")
    logits = keras.saving.load_model(out).predict(examples.images, verbose=0)
    assert accuracy == (logits.argmax(1) == examples.labels).mean()
    assert not list((tmp_path / "store/unfinished").glob("*/*"))
    again = train(model, DATA, tmp_path / "again.keras", store=store, progress=Loud())
    assert again.test == done.test
    assert (tmp_path / "again.keras").read_bytes() == out.read_bytes()


@pytest.mark.slow
def test_a_suite_finds_what_was_trained(tmp_path):
    model, store, data = read_model("net", TABLE), Store(tmp_path / "store"), read(DATA)
    train(model, DATA, tmp_path / "net.keras", store=store)
    assert prepare_models.prepare(model, 0, data, store, Loud()).about["history"]["loss"]


def test_only_several_machines_meet_as_another_strategy_would_start_tensorflow_before_them(monkeypatch):
    made = []
    monkeypatch.setattr("robust.training.strategies.strategy", made.append)
    trains = [{"recipe": "short", "strategy": name} for name in ("mirrored", "one_device", "multi_worker")]
    built = [read_model("net", {"architecture": "lenet5", "train": train}) for train in trains]
    prepare_models.connect_workers([read_model("untrained", {"architecture": "lenet5"}), *built])
    assert made == ["multi_worker"]


def test_an_augmentation_that_does_not_exist_is_told_before_anything_is_trained():
    wrong = {"architecture": "lenet5", "train": {"recipe": "short", "augment": ["flp"]}}
    with pytest.raises(SuiteError, match="no augmentations named 'flp'; did you mean 'flip'"):
        read_model("net", wrong)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["resnet2"], "no architectures named 'resnet2'; did you mean 'resnet20'?"),
        (["lenet5", "--recipe", "shrt"], "no recipes named 'shrt'; did you mean 'short'?"),
        (["lenet5", "--data", "fashion"], "; did you mean 'fashion_mini'?"),
        (["lenet5", "--set", "epohs=3"], "short takes no 'epohs'; did you mean 'epochs'?"),
        (["lenet5", "--epochs", "0"], "epochs = 0: must be a number >= 1"),
        (["lenet5", "--objective", "trades"], "requires an adversary: also write --adversary pgd --eps 8/255"),
        (["none.keras"], "keras = 'none.keras': there is no such file"),
        (["keras:resnet51"], "pretrained = 'keras:resnet51': not known; did you mean 'keras:resnet50'?"),
        (["keras:resnet50", "--option", "width=2"], "--option width=2: keras:resnet50 is built already; its training"),
        (
            ["lenet5", "--precision", "mixed_float"],
            "precision = 'mixed_float': not known; did you mean 'mixed_float16'?",
        ),
        (["lenet5", "--adversary", "pdg"], "no adversaries named 'pdg'; did you mean 'pgd'?"),
        (["lenet5", "--strategy", "multi_worker"], "TF_CONFIG, which is not set"),
    ],
)
def test_bad_usage_of_the_command_is_exit_code_2_and_a_line(arguments, told, tmp_path, robust_command):
    done = robust_command("train", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_command_writes_the_network_and_says_the_numbers(tmp_path, monkeypatch):
    monkeypatch.setenv("ROBUST_STORE", str(tmp_path / "store"))
    options = [
        "--option",
        "width=0.2",
        "--epochs",
        "1",
        "--set",
        "batch_size=256",
        "--adversary",
        "fgsm",
        "--eps",
        "8/255",
    ]
    command = [sys.executable, "-m", "robust", "train", "lenet5", *options, "--out", "net.keras"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    assert [line.split()[0] for line in told] == ["train", "validation", "robust", "test", "net.keras"]
    assert (tmp_path / "net.keras").is_file() and (tmp_path / "net.csv").is_file()
    about = next((tmp_path / "store/models").glob("*/key.json")).read_text()
    assert '"adversary": {"eps": 0.03137254901960784' in about


def test_the_command_fine_tunes_a_file_and_says_the_epoch_that_is_kept(tmp_path, monkeypatch, capsys):
    keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(5)]).save(
        tmp_path / "a.keras"
    )
    history = pd.DataFrame({
        "epoch": [1, 2, 3], "loss": [3, 2, 1], "accuracy": [0.1, 0.2, 0.3], "val_loss": [3, 2, 1],
        "val_accuracy": [0.4, 0.5, 0.6], "val_robust": [0.2, 0.35, 0.0],
    })  # fmt: skip
    asked = []
    monkeypatch.setattr("robust.api.train.train", lambda *args, **_: asked.extend(args) or Trained(history, None, 0))
    monkeypatch.chdir(tmp_path)
    cli.train("a.keras", set_=["freeze=flatten"], adversary="pgd", eps="0.1", objective="mart")
    model, _, out = asked
    assert (model.name, model.source, out) == ("a", ModelFile(Path("a.keras")), Path("a-tuned.keras"))
    assert (model.train.recipe.arguments["freeze"], model.train.objective.name) == ("flatten", "mart")
    assert capsys.readouterr().out.splitlines() == [
        "train 0.2000, in epoch 2", "validation 0.5000",
        "robust 0.3500, under PGD on the validation split; the best epoch is kept", "a-tuned.keras a-tuned.csv",
    ]  # fmt: skip


@pytest.mark.parametrize("how", ["itself", "a link", "its table", "a name"])
def test_what_a_training_reads_is_not_overwritten(tmp_path, how):
    network = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(5)])
    network.save(tmp_path / "a.keras")
    (tmp_path / "b.keras").symlink_to(tmp_path / "a.keras")
    (tmp_path / "labels.csv").write_text("file,label\n")
    before = (tmp_path / "a.keras").read_bytes()
    model = read_model("a", {"keras": str(tmp_path / "a.keras"), "train": {"recipe": "short", "epochs": 1}})
    data = Call("datasets", "folder", {"path": str(tmp_path), "labels": "labels.csv"})
    out = {"itself": "a.keras", "a link": "b.keras", "its table": "labels.keras", "a name": "c.csv"}[how]
    told = "must be a .keras file" if how == "a name" else "is read by this training, and would be lost; write out="
    with pytest.raises(ModelError, match=told):
        train(model, data, tmp_path / out)
    assert (tmp_path / "a.keras").read_bytes() == before


@pytest.mark.parametrize(
    ("out", "logs", "told"),
    [
        ("taken.keras", None, r"taken\.keras is a folder; write out='.*taken-trained\.keras'$"),
        ("history.keras", None, r"history\.csv is a folder; write out='.*history-trained\.keras'$"),
        ("file/net.keras", None, r"file: cannot be written \(File exists\); .* out='other/net\.keras'$"),
        ("net.keras", "file", r"file: cannot be written \(File exists\); .* tensorboard='.*file-2'$"),
        ("net.keras", "file/logs", r"logs: cannot be written \(Not a directory\); .* tensorboard='.*logs-2'"),
    ],
)
def test_what_cannot_be_written_is_told_before_anything_is_read_or_trained(tmp_path, monkeypatch, out, logs, told):
    monkeypatch.setattr("robust.api.train.read", lambda call: pytest.fail("data is read"))
    (tmp_path / "file").write_text("")
    for folder in ("taken.keras", "history.csv"):
        (tmp_path / folder).mkdir()
    with pytest.raises(RobustError, match=told):
        train(read_model("net", TABLE), DATA, tmp_path / out, logs=logs and tmp_path / logs)
