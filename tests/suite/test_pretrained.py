"""What a suite's `pretrained` may be, and what it is told where it is wrong."""

import subprocess
import sys

import pytest

from robust.core.errors import SuiteError
from robust.suite import Published, Weights, load

SUITE = 'data = {{ name = "fashion_mini" }}\n[model.m]\npretrained = {}\n[case.c]\n'
FILE = '{{ file = "w.pth", architecture = "resnet34", layout = "torchvision"{} }}'


@pytest.fixture
def read(tmp_path):
    """`read(value)`: the source of a model with this `pretrained`, beside whose suite stands w.pth."""
    (tmp_path / "w.pth").write_bytes(b"weights")

    def source(value):
        (tmp_path / "s.toml").write_text(SUITE.format(value))
        (model,) = load(tmp_path / "s.toml").models
        assert isinstance(model.source, Weights | Published)
        return model.source

    return source


@pytest.mark.parametrize("name", ["keras:resnet50", "keras:efficientnet_b7", "efficientnet_lite0"])
def test_a_name_that_is_known(name, read):
    assert read(f'"{name}"') == Published(name)


def test_a_file_with_its_architecture_and_layout(read, tmp_path):
    weights = read(FILE.format(""))
    assert isinstance(weights, Weights) and weights.file == tmp_path / "w.pth"
    assert weights.architecture.name == "resnet34" and weights.layout == "torchvision"
    assert weights.mean is weights.std is None
    assert weights.name == "resnet34 of w.pth"


def test_the_architecture_may_be_a_table_and_the_pixels_may_be_told(read):
    weights = read(
        '{ file = "w.pth", architecture = { name = "resnet50", form = "v1.5" }, layout = "timm", '
        "mean = [0.5, 0.5, 0.5], std = [0.5, 0.5, 0.5] }"
    )
    assert weights.architecture.arguments["form"] == "v1.5"
    assert weights.mean == weights.std == (0.5, 0.5, 0.5)


def test_the_file_may_stand_where_we_are(read, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "here/other.pth").write_bytes(b"weights")
    monkeypatch.chdir(tmp_path / "here")
    assert read(FILE.format("").replace("w.pth", "other.pth")).file.name == "other.pth"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ('"resnet50"', "pretrained = 'resnet50': not known; did you mean 'keras:resnet50'?"),
        ('"keras:resnet18"', "pretrained = 'keras:resnet18': not known; did you mean 'keras:resnet101'?"),
        ('"efficientnet_lite3"', "pretrained = 'efficientnet_lite3': not known; did you mean 'efficientnet_lite0'?"),
        ("3", "pretrained = 3: must be a table"),
        ("{}", "pretrained needs file, architecture, layout: write pretrained = { file = "),
        ('{ file = "w.pth", layout = "timm" }', "pretrained needs architecture: write"),
        (FILE.format(", layot = 3"), "pretrained has no 'layot'; did you mean 'layout'?"),
        (FILE.format("").replace("torchvision", "torch"),
         "pretrained.layout = 'torch': not known; did you mean 'torchvision'?"),
        (FILE.format("").replace('"torchvision"', "[3]"), "pretrained.layout = [3]: not known"),
        (FILE.format("").replace("resnet34", "resnet35"),
         "no architectures named 'resnet35'; did you mean 'resnet34'?"),
        (FILE.format("").replace('"resnet34"', '{ name = "resnet34", form = "v1.5" }'),
         "form: resnet34 takes no 'form'"),
        (FILE.format("").replace("w.pth", "x.pth"), "pretrained.file = 'x.pth': there is no such file in "),
        (FILE.format("").replace('"w.pth"', "3"), "pretrained.file = 3: must be a string"),
        (FILE.format(", mean = [123.0, 117.0, 104.0]"),
         "pretrained.mean = [123.0, 117.0, 104.0]: must be for pixels in [0, 1], so at most 1; did you mean "
         "mean = [0.4824, 0.4588, 0.4078]?"),
        (FILE.format(", std = [58.4, 57.1, 57.4]"), "did you mean std = [0.229, 0.2239, 0.2251]?"),
        (FILE.format(", mean = 3"), "pretrained.mean = 3: must be a list"),
        (FILE.format(', std = ["0/255"]'), "pretrained.std[0] = '0/255': must be a number > 0"),
        (FILE.format("").replace("resnet34", "their:net"), "runs third-party code; if you trust this suite"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_file_and_line(value, message, read):
    with pytest.raises(SuiteError) as error:
        read(value.replace("{{", "{").replace("}}", "}"))
    assert "s.toml:3: " in str(error.value) and message in str(error.value)


def test_where_it_is_only_read_seeds_change_nothing(read, tmp_path):
    with pytest.raises(SuiteError, match="seeds: this model is pretrained without train, so all would be the same"):
        read('"keras:resnet50"\nseeds = [1, 2]')


def test_somebody_elses_network_is_refused_though_the_suite_is_trusted(tmp_path):
    (tmp_path / "w.pth").write_bytes(b"weights")
    (tmp_path / "their.py").write_text("def net(*, input_shape, classes): ...\n")
    (tmp_path / "s.toml").write_text(SUITE.format(FILE.format("").replace("resnet34", "their:net")))
    with pytest.raises(SuiteError, match="architecture must be a built-in one"):
        load(tmp_path / "s.toml", allow_code=True)


def test_reading_one_imports_no_tensorflow(tmp_path):
    (tmp_path / "s.toml").write_text(SUITE.format('"keras:resnet50"'))
    code = "import sys, robust.suite; robust.suite.load(sys.argv[1]); assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code, tmp_path / "s.toml"], check=True)
