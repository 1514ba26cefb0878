"""What recording sums up: mean corruption errors over AlexNet's are of ImageNet's validation images alone."""

from types import SimpleNamespace

import pytest

from robust import record, recording
from robust.suite import Suite
from robust.summaries.corruption_error import COMMON


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
    results, outcomes = record.table(rows, record.RESULTS), record.table([], record.OUTCOMES).assign(data="")
    found = recording._summed_up(Suite("s", (), (), data), data, results, outcomes)
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
    recording._write_samples(folder, [])
    kept = {path.name for path in tmp_path.rglob("*") if path.is_file()} - {"index.csv"}
    assert kept >= {"own.txt", "0008.npz"} and (folder / "own.txt").exists()
    assert (folder / "0007.npz").exists() is not index.startswith(b"file\n../own.txt")
    assert (folder / "index.csv").read_text().startswith("file,model,seed")


def test_the_least_of_many_corruptions_is_told_without_the_interval_of_one_that_was_not_picked(monkeypatch):
    same = {"metric": "top1", "group": "", "norm": "", "eps": None, "low": 0.4, "high": 0.6}
    told = [
        {**same, "perturbation": name, "severity": 1, "value": value} for name, value in (("fog", 0.5), ("snow", 0.7))
    ]
    monkeypatch.setattr(recording, "rows", lambda *_: told)
    assert recording.brief(None, None, None) == "top1 0.600, mean of 2; least 0.500 under fog at severity 1"
