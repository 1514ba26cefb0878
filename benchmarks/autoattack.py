"""AutoAttack compared with the original and with ART's, on the same model file and images, in one run.

    python -m venv rivals && rivals/bin/pip install torch==2.13.0 keras pyautoattack==0.2.0
    python benchmarks/autoattack.py --rivals rivals/bin/python [--art] [--only resnet20 small]

Models, trained at the first run and cached in ROBUST_STORE: `hardened` of suites/quick.toml (a resnet20) on 60 images
at 8/255, and a lenet5 trained in the same way on 200 images at 0.05. Each attack is AutoAttack standard: 100 steps, 9
targets, 5,000 queries of Square. The rivals run as child processes, on the torch backend of Keras, with two threads;
ours in float32 and in bfloat16, what it finds confirmed in float32. The first calls, which trace, are timed, too.

    original / ours     time; limits 2.5 in float32 and 4 in bfloat16 on resnet20, 2 on the small network
    ART / ours          time on the small network; limit 12
    original / evaluate the whole of `robust.evaluate` with its reliability checks; limit 2, small network
    occupancy           the share of forward passes that an image needed, on 60, 100, 200 and 1,000 images; limit 0.9
    robust accuracy     of ours and of the original: at most 0.5 points apart
"""

import argparse
import json
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from robust.core import quiet

quiet.tensorflow()

import keras  # noqa: E402
import numpy as np  # noqa: E402

import robust  # noqa: E402
from robust import datasets, suite  # noqa: E402
from robust.attacks import autoattack  # noqa: E402
from robust.core import store  # noqa: E402
from robust.core.progress import Silent  # noqa: E402
from robust.core.types import PRECISIONS, Precision  # noqa: E402
from robust.datasets.dataset import Dataset  # noqa: E402
from robust.engine import prepare_models  # noqa: E402
from robust.models.classifier import Classifier  # noqa: E402

ROOT = Path(__file__).parents[1]
RIVALS = Path(__file__).with_name("autoattack_rivals.py")
APART = 0.005
SMALL = """
data = "fashion_mini"
[model.small]
architecture = "lenet5"
train = { recipe = "short", epochs = 6, adversary = { name = "fgsm", eps = "0.05", random_start = true } }
[case.clean]
"""


@dataclass(frozen=True)
class Task:
    """A model and its images. limits: of the original's time over ours, in float32 and in bfloat16."""

    name: str
    network: keras.Model
    images: np.ndarray
    labels: np.ndarray
    eps: float
    limits: tuple[float, float | None]

    def save(self, folder: Path) -> tuple[str, str]:
        """The files that a rival reads."""
        task, model = folder / f"{self.name}.npz", folder / f"{self.name}.keras"
        np.savez(task, images=self.images, labels=self.labels, eps=self.eps)
        self.network.save(model)
        return str(task), str(model)


@dataclass(frozen=True)
class Found:
    """What an attack took, and the share of all images that stay right."""

    seconds: float
    robust: float
    occupancy: float = float("nan")


def show(name: str, what: str, value: float, least: float | None = None, most: float | None = None) -> bool:
    """A line of the table; was the limit met?"""
    met = (least is None or value >= least) and (most is None or value <= most)
    limit = f">= {least}" if least is not None else f"<= {most}" if most is not None else ""
    print(f"{name:9} {what:44} {value:9.3f}  {limit and f'{limit}  ' + ('met' if met else 'missed')}", flush=True)
    return met


def tasks(only: list[str]) -> list[Task]:
    data, quick = datasets.fashion_mini(), suite.load(ROOT / "suites" / "quick.toml")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "small.toml").write_text(SMALL)
        small = suite.load(Path(folder) / "small.toml").models[0]
    hardened = next(model for model in quick.models if model.name == "hardened")
    made = {"resnet20": (hardened, 60, 8 / 255, (2.5, 4.0)), "small": (small, 200, 0.05, (2.0, None))}
    return [_task(name, *made[name], data) for name in only]


def _task(name: str, model: suite.Model, n: int, eps: float, limits: tuple, data: Dataset) -> Task:
    fitted = prepare_models.prepare(model, model.seeds[0], data, store.default(), Silent())
    examples = data.examples("test", n)
    return Task(name, fitted.classifier.network, examples.images, examples.labels, eps, limits)


def rival(which: str, python: str, files: tuple[str, str]) -> Found:
    done = subprocess.run([python, str(RIVALS), which, *files], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{which}: {done.stderr[-2000:]}")
    return Found(**json.loads(done.stdout.splitlines()[-1]))


def ours(task: Task, precision: Precision) -> Found:
    classifier = Classifier(task.network, 10, preprocessing=(0, 1), attack_precision=precision)
    began = time.perf_counter()
    right = classifier.logits(task.images).argmax(axis=1) == task.labels
    images, labels, before = task.images[right], task.labels[right], classifier.n_forward
    found = autoattack(classifier, images, labels, seeds=np.arange(len(labels)), eps=task.eps)
    seconds, made = time.perf_counter() - began, classifier.n_forward - before
    standing = classifier.logits(found.images).argmax(axis=1) == labels
    return Found(seconds, float(standing.sum() / len(task.labels)), float(found.n_forward.sum() / made))


def evaluated(task: Task) -> Found:
    began = time.perf_counter()
    table = robust.evaluate(
        task.network, (task.images, task.labels), ["autoattack"], eps=task.eps, preprocessing=(0, 1)
    )
    return Found(time.perf_counter() - began, robust.value(table, "top1", case="autoattack").value)


def compared(task: Task, python: str, with_art: bool) -> list[bool]:
    """The lines of a task: each attack once, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        files = task.save(Path(folder))
        theirs, found_in = rival("original", python, files), {}
        met = [show(task.name, "the original, seconds", theirs.seconds)]
        met += [show(task.name, "robust accuracy, the original", theirs.robust)]
        for name, least in zip(PRECISIONS, task.limits, strict=True):
            found = found_in[name] = ours(task, name)
            met += [show(task.name, f"ours in {name}, seconds", found.seconds)]
            met += [show(task.name, f"original / ours in {name}", theirs.seconds / found.seconds, least)]
            met += [show(task.name, f"robust accuracy apart, {name}", abs(found.robust - theirs.robust), most=APART)]
        if task.name == "small":
            whole = evaluated(task)
            met += [show(task.name, "original / robust.evaluate", theirs.seconds / whole.seconds, 2.0)]
            if with_art:
                art = rival("art", python, files)
                met += [show(task.name, "robust accuracy, ART", art.robust)]
                met += [show(task.name, "ART / ours in float32", art.seconds / found_in["float32"].seconds, 12.0)]
    return met


def occupied(task: Task, sizes: list[int]) -> list[bool]:
    """The occupancy of cases of several sizes; of the small network, as it does not depend on the speed."""
    data = datasets.fashion_mini()
    found = []
    for n in sizes:
        few = data.examples("test", n)
        part = Task(task.name, task.network, few.images, few.labels, task.eps, task.limits)
        found.append(show(task.name, f"occupancy, {n} images", ours(part, "float32").occupancy, 0.9))
    return found


def main(python: str, with_art: bool, only: list[str], sizes: list[int]) -> None:
    met = []
    for task in tasks(only):
        met += compared(task, python, with_art) if python else []
        met += occupied(task, sizes) if task.name == "small" else []
    raise SystemExit(0 if all(met) else 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rivals", default="", help="the Python of an environment with PyTorch; none: occupancy alone")
    parser.add_argument("--art", action="store_true", help="run ART's AutoAttack, too (minutes)")
    parser.add_argument("--only", nargs="+", default=["resnet20", "small"])
    parser.add_argument("--sizes", nargs="*", type=int, default=[60, 100, 200, 1000], help="images of the occupancy")
    given = parser.parse_args()
    main(given.rivals, given.art, given.only, given.sizes)
