"""What tests share: a toy problem of three classes on 6 x 6 images, and networks that solve it.

Nothing is trained by steps: hidden weights are random, the head is the least-squares one. TensorFlow is
imported when the first of them is asked for. And the wheel, for environments of their own.
"""

import gc
import subprocess
import sys
import sysconfig
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from robust.results.tables import RESULTS, table

# Thousands of live Keras objects are looked through by each collection: fewer take a tenth off the whole run.
gc.set_threshold(200_000, 50, 100)

ROOT = Path(__file__).parents[1]
SHAPE, CLASSES = (6, 6, 1), 3


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a test marked `slow_after_first`, all cases but the first are slow."""
    met = set()
    for item in items:
        if item.get_closest_marker("slow_after_first"):
            name = item.nodeid.partition("[")[0]
            if name in met:
                item.add_marker("slow")
            met.add(name)


class Toy(NamedTuple):
    """Images of class c: uniform grey, with rows 2c and 2c + 1 a little brighter."""

    images: np.ndarray
    labels: np.ndarray
    seeds: np.ndarray


def toy(n: int, seed: int = 0) -> Toy:
    random = np.random.default_rng(seed)
    labels = random.integers(0, CLASSES, n)
    bright = np.arange(SHAPE[0])[None, :] // 2 == labels[:, None]  # [N, H]
    images = random.uniform(0.2, 0.6, (n, *SHAPE)) + 0.2 * bright[:, :, None, None]
    return Toy(images.astype(np.float32), labels, random.integers(-(2**63), 2**63, n))


@pytest.fixture(scope="session")
def problem() -> Callable[..., Toy]:
    """`problem(n, seed)`: images, labels and seeds."""
    return toy


class Said:
    """A progress that remembers its lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def stage(self, name: str, total: int) -> None: ...
    def advance(self, note: str = "") -> None: ...

    def say(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture(scope="session")
def remembering() -> Callable[[], Said]:
    """`remembering()`: a progress whose `lines` are what was said."""
    return Said


def network(dtype: str = "float32", gain: float = 4.0) -> Any:
    """Convolution, batch normalisation with lopsided statistics, dropout, dense: right on about 97 %."""
    import keras

    random, data = np.random.default_rng(1), toy(256, seed=1)
    inputs = keras.Input(SHAPE, dtype=dtype)
    hidden = keras.layers.Conv2D(4, 3, activation="relu", dtype=dtype, name="conv")(inputs)
    hidden = keras.layers.BatchNormalization(dtype=dtype, name="norm")(hidden)
    hidden = keras.layers.Flatten(dtype=dtype)(keras.layers.Dropout(0.3, dtype=dtype, seed=0)(hidden))
    model = keras.Model(inputs, keras.layers.Dense(CLASSES, dtype=dtype, name="head")(hidden), name="toy")
    model.get_layer("conv").set_weights([random.normal(0, 0.7, (3, 3, 1, 4)), random.normal(0, 0.1, 4)])
    model.get_layer("norm").set_weights([np.ones(4), np.zeros(4), random.normal(0.5, 0.3, 4), np.full(4, 0.3)])
    features = keras.Model(inputs, hidden)(data.images, training=False).numpy().astype(np.float64)
    features = np.hstack([features, np.ones((len(features), 1))])
    wanted = gain * np.eye(CLASSES)[data.labels]
    solved = np.linalg.solve(features.T @ features + 0.1 * np.eye(features.shape[1]), features.T @ wanted)
    model.get_layer("head").set_weights([solved[:-1], solved[-1]])
    return model


@pytest.fixture(scope="session")
def build() -> Callable[..., Any]:
    """`build(dtype, gain)`: a fresh copy of the network."""
    return network


@pytest.fixture(scope="session")
def rows_apart() -> None:
    """Skips where a row of TensorFlow's own product of matrices hangs on its place in the batch.

    It does on some processors (seen on an AMD EPYC without AVX-512): there no attack can give the same bytes in
    another order, and sameness can only be examined elsewhere.
    """
    import tensorflow as tf

    random = np.random.default_rng(0)
    rows, weights = random.random((8, 36), np.float32), random.random((36, CLASSES), np.float32)
    product = tf.function(lambda batch: tf.matmul(batch, weights))
    if not np.array_equal(product(rows[::-1].copy()).numpy()[::-1], product(rows).numpy()):
        pytest.skip("on this processor a row of tf.matmul depends on its place in the batch")


@pytest.fixture(scope="module")
def without_diagnostics() -> Iterator[None]:
    """No experiment of the reliability checks is run: for tests of other things, as they take most of a small run."""
    from robust.attacks.diagnostics import Diagnosis, diagnose

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules[diagnose.__module__], "_diagnose", lambda runs: [Diagnosis()] * len(runs))
        yield


@pytest.fixture(scope="session")
def classifier() -> Any:
    """The network as a classifier in batches of 8; shared, so that each graph is traced once."""
    from robust.models.classifier import Classifier

    return Classifier(network(), CLASSES, batch_size=8)


def linear(weights: np.ndarray, bias: Any = 0.0, dtype: str = "float32", name: str = "linear") -> Any:
    """Logits = weights.T @ pixels + bias, with weights [H * W * C, classes], on images as large as needed."""
    import keras

    pixels, classes = weights.shape
    inputs = keras.Input((1, pixels, 1), dtype=dtype)
    head = keras.layers.Dense(classes, dtype=dtype)
    model = keras.Model(inputs, head(keras.layers.Flatten(dtype=dtype)(inputs)), name=name)
    head.set_weights([weights, np.broadcast_to(bias, classes)])
    return model


@pytest.fixture(scope="session")
def affine() -> Callable[..., Any]:
    """`affine(weights, bias)`: a linear model on images [1, pixels, 1]."""
    return linear


def run(*command: Any, code: int = 0, **options: Any) -> str:
    """What a command prints; it must end with this exit code."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **options)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def command() -> Callable[..., str]:
    """`command("robust", "list", cwd=folder, env=variables)`: what it prints."""
    return run


@pytest.fixture
def robust_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`robust_command("list", cwd=folder)`: how the command ends and what it prints, without a process of its own."""

    def run(*arguments: Any, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        from robust.api import cli

        capsys.readouterr()
        with monkeypatch.context() as patch, pytest.raises(SystemExit) as ended:
            patch.setattr(sys, "argv", ["robust", *map(str, arguments)])
            patch.setattr(cli.signal, "signal", lambda *_: None)
            patch.chdir(cwd or Path.cwd())
            cli.main()
        return subprocess.CompletedProcess(arguments, ended.value.code or 0, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as it would be published."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT)
    return next(out.glob("*.whl"))


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A virtual environment with the libraries that the package needs, from here, but without this checkout."""
    run(sys.executable, "-m", "venv", tmp_path / "env")
    own = next((tmp_path / "env").glob("lib/python*/site-packages"))
    (own / "libraries.pth").write_text(sysconfig.get_path("purelib"))  # the .pth files there are not read
    return tmp_path / "env"


@pytest.fixture
def frugal():
    """`with frugal(megabytes):` what is done within takes so much memory of Python at most."""

    @contextmanager
    def frugal(megabytes=150):
        tracemalloc.start()
        try:
            yield
            assert tracemalloc.get_traced_memory()[1] < megabytes * 2**20
        finally:
            tracemalloc.stop()

    return frugal


@pytest.fixture
def zeros():
    """`zeros(path, name, size, head, other=content)`: a zip file with a member of so many zeros, packed."""

    def zeros(path, name, size, head=b"", **more):
        """A zip file with a member of so many zeros, packed."""
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for other, content in more.items():
                archive.writestr(other.replace("__", "."), content)
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(head)
                for _ in range(size // 2**24):
                    member.write(bytes(2**24))
        return path

    return zeros


def _row(**given):
    """A row of results.csv."""
    plain = {
        "suite": "quick", "data": "fashion_mini", "split": "test", "model": "lenet5", "seed": 0, "case": "clean",
        "perturbation": "", "norm": "", "eps": None, "severity": None, "metric": "top1", "subset": "", "value": 0.5,
        "unit": "", "n": 1000, "choice": "all", "ci_low": 0.4, "ci_high": 0.6, "ci_method": "Wilson 95 %", "bound": "",
        "passed": None, "reliability": "", "n_forward": 1.0, "n_backward": 0.0, "seconds": 1.0,
            "occupancy": 0.9, "weights_sha": "abc",
    }  # fmt: skip
    assert plain.keys() == RESULTS.keys()
    return {**plain, **given}


@pytest.fixture
def results():
    """A table as results.csv has it: two models, clean, under two eps and in fog."""
    return table(
        [
            _row(value=0.9),
            _row(metric="nll", value=0.3),
            _row(metric="recall", subset="Shirt", value=0.7),
            _row(metric="recall", subset="Coat", value=0.8),
            _row(case="pgd", perturbation="pgd", norm="linf", eps=2 / 255, value=0.6),
            _row(case="pgd", perturbation="pgd", norm="linf", eps=8 / 255, value=0.2),
            _row(case="fog", perturbation="fog", severity=3, value=0.4),
            _row(case="clean", model="resnet20", seed=0, value=0.95),
            _row(case="clean", model="resnet20", seed=1, value=0.96),
        ],
        RESULTS,
    )
