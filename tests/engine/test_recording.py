"""What recording sums up: mean corruption errors over AlexNet's are of ImageNet's validation images alone."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

import robust
from robust.core.catalogue import common_corruptions
from robust.core.store import Store
from robust.engine import recording
from robust.report import folder as folders
from robust.results import tables
from robust.results.summaries.corruption_error import RELATIVE_METRICS
from robust.suite import Suite

COMMON = [*common_corruptions()]


@pytest.mark.parametrize(
    ("suite_data", "case_data", "told"),
    [
        ("imagenet2012:5.1.0", "imagenet2012:5.1.0", True),
        ("imagenet2012", "imagenet2012", True),
        ("imagenet_v2", "imagenet_v2", False),
        ("my-imagenet", "my-imagenet", False),
        ("imagenet2012_subset/10pct", "imagenet2012_subset/10pct", False),
        ("imagenet2012", "imagenet_v2", False),
    ],
)
def test_errors_over_those_of_alexnet_need_the_images_these_were_measured_on(suite_data, case_data, told):
    data = SimpleNamespace(name=suite_data, classes=range(1000), image_shape=(224, 224, 3))
    same = {"model": "m", "case": "c", "data": case_data, "metric": "top1_error", "value": 0.5, "seed": 0, "n": 9}
    rows = [{**same, "perturbation": name, "severity": s} for name in COMMON for s in range(1, 6)]
    results, outcomes = tables.table(rows, tables.RESULTS), tables.table([], tables.OUTCOMES).assign(data="")
    found = recording.summaries(Suite("s", (), (), data), data, results, outcomes)
    assert ("mce" in {row["metric"] for row in found}) is told


@pytest.mark.parametrize(
    "index",
    [
        b"file\n../own.txt\nown.txt\n..\n\n0007.npz\n/0008.npz\n",
        b"names\n0007.npz\n",
        b"",
        b"\xff\xfe\0",
        b'file\n"0007.npz',
        b"file," + b"a," * 100_000,
    ],
)
def test_samples_are_written_beside_whatever_a_strangers_index_names(tmp_path, index):
    (folder := tmp_path / "samples").mkdir()
    for path in (tmp_path / "own.txt", folder / "own.txt", folder / "0007.npz", tmp_path / "0008.npz"):
        path.write_text("mine")
    (folder / "index.csv").write_bytes(index)
    recording.write_samples(folder, [])
    kept = {path.name for path in tmp_path.rglob("*") if path.is_file()} - {"index.csv"}
    assert kept >= {"own.txt", "0008.npz"} and (folder / "own.txt").exists()
    assert (folder / "0007.npz").exists() is not index.startswith(b"file\n../own.txt")
    assert (folder / "index.csv").read_text().startswith("file,model,seed")


def test_the_least_of_many_corruptions_is_told_without_the_interval_of_one_that_was_not_picked(monkeypatch):
    same = {"metric": "top1", "subset": "", "norm": "", "eps": None, "ci_low": 0.4, "ci_high": 0.6}
    told = [
        {**same, "perturbation": name, "severity": 1, "value": value} for name, value in (("fog", 0.5), ("snow", 0.7))
    ]
    monkeypatch.setattr(recording, "rows", lambda *_: told)
    assert recording.brief(None, None, None) == "top1 0.600, mean of 2; least 0.500 under fog at severity 1"


def brightest(name, bias):
    """The channel that is brightest; with a bias, so only of pixels in [0, 255]."""
    image = keras.Input((6, 6, 3))
    mean = keras.layers.GlobalAveragePooling2D()(image)
    head = keras.layers.Dense(3, name="logits")
    model = keras.Model(image, head(mean), name=name)
    head.set_weights([np.eye(3, dtype="float32"), np.array([bias, 0, 0], "float32")])
    return model


RATIOS = """
data = { arrays = "d.npz" }
[model.sound]
keras = "sound.keras"
[model.doubtful]
keras = "doubtful.keras"
[case.clean]
[case.noise]
corruption = { name = "gaussian_noise", severity = [1] }
baseline = "doubtful"
"""


@pytest.mark.slow
def test_a_ratio_is_as_doubtful_as_the_model_whose_errors_are_its_unit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    labels = np.arange(60) % 3
    images = np.random.default_rng(0).integers(0, 120, (60, 6, 6, 3), "uint8")
    images[np.arange(60), :, :, labels] += 60
    np.savez("d.npz", x=images, y=labels)
    for name, bias in (("sound", 0), ("doubtful", 20)):
        brightest(name, bias).save(f"{name}.keras")
    (tmp_path / "s.toml").write_text(RATIOS)
    with pytest.warns(UserWarning, match=r"doubtful: .* with pixels \[0, 1\]"):
        table = robust.run("s.toml", store=Store(tmp_path / "store"))
    of = table[table["model"] == "sound"]
    ratios = of["metric"].isin(RELATIVE_METRICS)
    assert ratios.sum() == 4 and (of.loc[ratios, "reliability"] == "invalid").all()
    assert (of.loc[~ratios, "reliability"] == "").all()
    results = tables.read_results(tmp_path / "reports/s/results.csv")
    hidden = results["reliability"].where(~results["metric"].isin(RELATIVE_METRICS), "")
    tables.write_results(results.assign(reliability=hidden), tmp_path / "reports/s/results.csv")
    again = folders.read(tmp_path / "reports/s").results
    relative = (again["model"] == "sound") & again["metric"].isin(RELATIVE_METRICS)
    assert (again.loc[relative, "reliability"] == "invalid").all()
