"""examples/why_resnet.py runs, and shows what it says."""

import re
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "examples/why_resnet.py"


@pytest.fixture
def printed(command, tmp_path):
    """`printed("--epochs", 1)`: what the script prints; its picture is held to be one file that needs no network."""

    def run(*options):
        out = tmp_path / "page.html"
        told = command(sys.executable, SCRIPT, "--out", out, *options)
        page = out.read_text()
        assert "vegaEmbed" in page
        assert not re.search(r"<script[^>]+src=", page)
        return told

    return run


def ratio(told, model):
    """Of the table at initialisation: the gradient at the first layer over that at the last."""
    return float(re.search(rf"^{model} +([\d.]+)", told, re.MULTILINE)[1])


def losses(told):
    return {model: float(loss) for model, loss in re.findall(r"^(\w+): trained, loss ([\d.]+)$", told, re.MULTILINE)}


@pytest.mark.slow
def test_a_first_look_at_two_small_networks(printed):
    told = printed("--depths", 20, "--width", 0.1, "--max-images", 64, "--epochs", 1)
    assert list(losses(told)) == ["plain20", "resnet20"]
    assert ratio(told, "plain20") > ratio(told, "resnet20") > 0


@pytest.mark.slow
def test_depth_hurts_the_plain_network_and_not_the_residual_one(printed):
    told = printed("--max-images", 2000, "--epochs", 3)
    assert ratio(told, "plain56") > 1e3 > 100 > ratio(told, "resnet56")
    loss = losses(told)
    assert loss["plain56"] > loss["plain20"] + 0.1
    assert loss["resnet56"] < loss["plain56"] - 0.1
