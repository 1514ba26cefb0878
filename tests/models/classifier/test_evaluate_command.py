"""`robust evaluate`, and the fixture `robustness`."""

import re
import subprocess
import sys

import numpy as np
import pytest
from keras import layers
from PIL import Image

from robust.api.cli import app

pytestmark = pytest.mark.usefixtures("without_diagnostics")

pytest_plugins = ["pytester"]


@pytest.fixture
def photos(tmp_path, dozen):
    """A folder of grey images, a folder for each class; their values are rounded to 8 bits."""
    images, _, labels = dozen
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        place = tmp_path / "photos" / f"class{label}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.rint(image[..., 0] * 255).astype(np.uint8)).save(place / f"{i}.png")
    return tmp_path / "photos"


def evaluate(*arguments, **options):
    command = [sys.executable, "-W", "error", "-m", "robust", "evaluate", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


@pytest.mark.slow
def test_a_model_is_measured_and_the_table_printed(photos, linear, tmp_path):
    linear(layers.Rescaling(1 / 255, name="first"), activation="softmax").save(tmp_path / "mine.keras")
    attacks = ["--attack", "pgd", "--attack", "noise", "--eps", "4/255", "40/255", "--max-images", "6"]
    done = evaluate("mine.keras", "--data", "photos/", *attacks, "--out", "report", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[:2] == [
        "classes in this order: 0 class0, 1 class1, 2 class2",
        "mine: softmax of 'head' taken off; pixels [0, 255], from its layer 'first'",
    ]
    found = re.findall(r"^(\w+) +(\S*) +top-1 accuracy +([\d.]+) %.* 6( |$)", done.stdout, re.MULTILINE)
    rows = {(case, eps): float(value) for case, eps, value, _ in found}
    assert rows.keys() == {("clean", "")} | {(a, e) for a in ("pgd", "noise") for e in ("4/255", "40/255")}
    assert rows["clean", ""] == 100 > rows["pgd", "40/255"] <= rows["noise", "40/255"]
    assert done.stdout.endswith("the page: report/index.html\n")
    page = (tmp_path / "report/index.html").read_text()
    assert "softmax of &#39;head&#39; taken off; pixels [0, 255], from its layer &#39;first&#39;" in page


def test_what_the_model_wants_can_be_said(photos, linear, tmp_path, monkeypatch, capsys):
    linear(layers.Lambda(lambda x: x / 255)).save(tmp_path / "mine.keras")
    monkeypatch.chdir(tmp_path)
    told = {}
    for name, options in (("none", []), ("range", ["--preprocessing", "0", "255"]), ("box", ["--black-box"])):
        assert (
            app(["evaluate", "mine.keras", "--data", "photos/", "--allow-code", *options], result_action="return_value")
            == 0
        )
        told[name] = capsys.readouterr().err.splitlines()[1]
    assert told["none"].startswith("mine: pixels [0, 255], from its layer 'lambda")
    assert told["range"] == "mine: pixels [0, 255], as declared"
    assert told["box"].startswith("mine: a black box without gradients")
    assert "pixels [0, 255], from its layer 'lambda" in told["box"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["z.keras", "--data", "photos/"], "robust: keras = 'z.keras': there is no such file in /"),
        (["why.keras", "--data", "photos/"], "robust: keras = 'why.keras': there is no such file in /"),
        (
            ["x.onnx", "--data", "photos/"],
            "robust: keras = 'x.onnx': must be a .keras file, as model.save(\"x.keras\") writes",
        ),
        (["y.keras", "--data", "photos/", "--eps", "4/255"], "robust: --eps needs an attack, as in --attack pgd"),
        (["y.keras", "--data", "photos"], "robust: model y: y.keras: is not a .keras archive (0 bytes)"),
        (
            ["x.h5", "--data", "photos/"],
            "robust: model x: x.h5: is not a .keras archive (0 bytes); was it cut off?",
        ),
        (["x.h5", "--data", "photos/", "--attack", "pdg"], "robust: no attacks named 'pdg'; did you mean 'pgd'?"),
        (["x.h5", "--data", "photos/", "--attack", "pgd"], "robust: pgd needs eps"),
        (
            ["x.h5", "--data", "photos/", "--preprocessing", "a", "b"],
            "robust: --preprocessing a b: must be two numbers, or caffe, tf or",
        ),
        (
            ["y.keras", "--data", "photos/", "--preprocessing", "cafe"],
            "robust: preprocessing = 'cafe': not known; did you mean 'caffe'?",
        ),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments, told, photos, tmp_path, robust_command):
    (tmp_path / "x.h5").touch()
    (tmp_path / "x.onnx").touch()
    (tmp_path / "y.keras").touch()
    done = robust_command("evaluate", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert lines[-1].startswith(told) and sum(line.startswith("robust: ") for line in lines) == 1


@pytest.mark.slow
def test_the_fixture_measures_in_a_test_of_ones_own(pytester, data, linear, tmp_path):
    linear(activation="softmax").save(tmp_path / "mine.keras")
    linear(layers.Lambda(lambda x: x)).save(tmp_path / "shady.keras")
    pytester.makepyfile(
        f"""
        import robust

        def test_mine(robustness):
            table = robustness({str(tmp_path / "mine.keras")!r}, {str(data)!r}, attacks=["pgd"], eps="1e-4")
            assert robust.value(table, "top1", case="clean").ci_low > 0.7
            assert robust.value(table, "top1", case="pgd").value > 0.99, "it is not that good"

        def test_hard(robustness):
            table = robustness({str(tmp_path / "mine.keras")!r}, {str(data)!r}, attacks=["pgd"], eps="1/2")
            assert robust.value(table, "top1", case="pgd").ci_low > 0.9

        def test_shady(robustness):
            robustness({str(tmp_path / "shady.keras")!r}, {str(data)!r})
        """
    )
    result = pytester.runpytest_subprocess("-W", "error", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["*ModelError: *shady.keras holds a Lambda, which runs third-party code*"])
    pytester.makeini("[pytest]\nrobust_allow_code = true\n")
    pytester.runpytest_subprocess("-k", "shady").assert_outcomes(passed=1)


def test_the_fixture_is_listed_with_its_purpose(pytester):
    result = pytester.runpytest("--fixtures")
    result.stdout.fnmatch_lines(
        ["robustness -- *pytest_plugin.py:*", "*`robust.evaluate`, for a test of your own model;*"]
    )
