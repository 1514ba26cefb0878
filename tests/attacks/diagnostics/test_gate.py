"""A bound on an invalid number is unsupported, wherever a user meets it: command line, pytest, JUnit, page."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from robust import report
from robust.results import tables

pytestmark = pytest.mark.slow

SUITE = """
data = {{ name = "fashion_mini" }}
[model.masked]
keras = "masked.keras"
[case.pgd]
attack = {{ name = "pgd", eps = "16/255", steps = 5 }}
max_images = 100
expect = {{ {bound} }}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Rounded inputs, through which no gradient comes, and a tiny side path whose gradient leads nowhere."""
    from robust.datasets.fashion_mini import fashion_mini

    data = fashion_mini()
    train = data.examples("train", 2000)
    keras.utils.set_random_seed(0)
    image = keras.Input((28, 28, 1))
    flat_scores = keras.layers.Flatten()(keras.ops.round(image * 4) / 4)
    side = keras.layers.Dense(10, use_bias=False, kernel_initializer="random_normal", trainable=False)
    logits = keras.layers.Dense(10)(flat_scores) + 1e-6 * side(keras.layers.Flatten()(image))
    model = keras.Model(image, logits)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(train.images, train.labels, epochs=8, verbose=0)
    out = tmp_path_factory.mktemp("gate")
    model.save(out / "masked.keras")
    assert np.isfinite(model(train.images[:2])).all()
    return out


def run(folder, bound, *command):
    (folder / "gate.toml").write_text(SUITE.format(bound=bound))
    return subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True)


def test_it_is_not_passed_on_the_command_line_and_on_the_page(folder):
    found = run(folder, 'top1 = ">= 0.2"', "robust", "run", "gate.toml", "--out", "out")
    assert found.returncode == 1, found.stdout + found.stderr
    assert "unsupported: pgd[masked]" in found.stdout and "0 of 1 bounds passed" in found.stdout
    page = (folder / "out/index.html").read_text()
    assert "1 unsupported of 1 bounds" in page and '<span class="mark unsupported">⊘ unsupported' in page
    results = tables.read_results(folder / "out/results.csv")
    forged = results.assign(passed=results["passed"].where(results["bound"] == "", True))
    tables.write_results(forged, folder / "out/results.csv")  # the page does not believe this column
    report.write(folder / "out")
    assert "1 unsupported of 1 bounds" in (folder / "out/index.html").read_text()


def test_it_fails_in_pytest_and_in_junit(folder):
    found = run(folder, 'top1 = ">= 0.2"', "pytest", "gate.toml", "--junitxml=j.xml", "-p", "no:cacheprovider")
    assert found.returncode == 1 and "1 failed" in found.stdout, found.stdout + found.stderr
    assert "unsupported" in found.stdout and 'failures="1"' in (folder / "j.xml").read_text()


def test_who_allows_it_may_pass(folder):
    found = run(folder, 'top1 = ">= 0.2", allow_invalid = true', "robust", "run", "gate.toml", "--out", "allowed")
    assert found.returncode == 0 and "1 of 1 bounds passed" in found.stdout, found.stdout + found.stderr
    assert "The one bound passed" in (folder / "allowed/index.html").read_text()
