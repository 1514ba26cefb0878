"""The campaign: `robust` is killed, stopped, out of space, damaged, crowded and lied to; no number may change.

    pytest -m slow tests/faults -s

Each test prints what was tried and what was found; docs/reliability.md has the counts.
"""

import os
import random
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import Ended, Fault, command, start
from damage import KINDS

from robust.results import manifest, tables

pytestmark = pytest.mark.slow

KILLS = 30
ROUNDS = 10  # of each kind of damage
SUITE = """
data = { arrays = "data.npz" }

[model.net]
architecture = { name = "mlp", width = 0.05 }
train = { recipe = "short", epochs = 2 }

[case.clean]
metrics = ["accuracy", "confusion"]
expect = { top1 = ">= 0.1" }

[case.fgsm]
attack = { name = "fgsm", eps = ["8/255", "16/255"] }
expect = { top1 = ">= 0.99" }

[case.fog]
corruption = { name = "gaussian_noise", severity = [1, 3] }
"""


def fill(place: Path) -> Path:
    """A folder with data and a suite."""
    place.mkdir(parents=True)
    draws = np.random.default_rng(0)
    labels = draws.integers(0, 3, 120)
    images = np.clip(draws.random((120, 8, 8, 1)) * 0.5 + labels[:, None, None, None] * 0.2, 0, 1).astype(np.float32)
    split = {"x_train": images[:80], "y_train": labels[:80], "x_test": images[80:], "y_test": labels[80:]}
    np.savez(place / "data.npz", **split)
    (place / "s.toml").write_text(SUITE)
    return place


def run(place: Path, fault: Fault | None = None, store: Path | None = None) -> Ended:
    return command("run", "s.toml", "--out", "out", place=place, store=store or place / "store", fault=fault)


def found(out: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables, without what is measured with a clock."""
    results = tables.read_results(out / "results.csv").drop(columns="seconds")
    return results, tables.read_outcomes(out / "outcomes.parquet")


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """An undisturbed run: the folder, and how many changes of files it makes."""
    place = fill(tmp_path_factory.mktemp("reference") / "place")
    ended = run(place, Fault("", 0, place))
    assert ended.code == 1, ended.err  # one bound is missed on purpose
    return place, ended


class Count:
    """What was found, over all trials of a test."""

    def __init__(self, reference):
        self.place, self.whole = reference
        self.trials = self.wrong = self.tracebacks = self.left = self.codes = 0

    def ended(self, ended: Ended, *codes: int) -> None:
        """Of one command: its exit code is one of these, and it printed no traceback."""
        self.trials += 1
        self.tracebacks += "Traceback" in ended.err or ended.code == 4
        self.codes += ended.code not in codes
        if "Traceback" in ended.err or ended.code not in codes:
            print(f"exit code {ended.code}: {ended.err[-1500:]}")

    def tables(self, place: Path) -> None:
        """Are the tables those of the undisturbed run, and does nothing else lie about?"""
        for one, other in zip(found(self.place / "out"), found(place / "out"), strict=True):
            self.wrong += not one.equals(other)
        if words := str(manifest.changes(place / "out")):
            print(words)
            self.wrong += 1
        left = [path for path in place.rglob("*") if is_left_over(path)]
        self.left += len(left)
        if left:
            print("left over:", *left)

    def check(self, what: str) -> None:
        """Print the counts; all must be 0."""
        counts = f"{self.wrong} wrong numbers, {self.tracebacks} tracebacks, {self.left} left-overs"
        print(f"\n{what} ({self.trials} commands): {counts}, {self.codes} other exit codes")
        assert (self.wrong, self.tracebacks, self.left, self.codes) == (0, 0, 0, 0)


def is_left_over(path: Path) -> bool:
    """Is it a temporary file or folder, or an intermediate result, that nothing will use any more?"""
    return path.name.startswith((".robust-", ".log-")) or bool(re.match(r"\.[0-9a-f]{24}\.", path.name)) or (
        path.parent.name == "unfinished"
    )  # fmt: skip


@pytest.fixture
def count(reference):
    return Count(reference)


def test_kills_at_any_change_of_a_file_lose_nothing(count, tmp_path):
    """Over training, units, merge and report: a place is killed on its way until a run reaches its end."""
    total, kills, chain = count.whole.changes, 0, 0
    while kills < KILLS:
        place, at = fill(tmp_path / str(chain)), 1 + chain % 8 * total // 8
        while kills < KILLS and (ended := run(place, Fault("kill", at, place))).code == -9:
            count.ended(ended, -9)
            kills, at = kills + 1, 7 + total // 6
        count.ended(run(place), 1)
        count.tables(place)
        chain += 1
    count.check(f"{kills} SIGKILLs spread over {total} changes of files, in {chain} folders")


def test_sigterm_is_exit_code_143_and_the_next_run_goes_on(count, tmp_path):
    total = count.whole.changes
    for k in range(5):
        place = fill(tmp_path / str(k))
        count.ended(run(place, Fault("term", 1 + total * k // 5, place)), 143)
        count.ended(run(place), 1)
        count.tables(place)
    count.check("5 SIGTERMs")


def test_no_space_at_any_kind_of_write_is_one_line(count, tmp_path):
    place, total = fill(tmp_path / "place"), count.whole.changes
    for k in range(12):
        shutil.rmtree(place / "store", ignore_errors=True)
        shutil.rmtree(place / "out", ignore_errors=True)
        ended = run(place, Fault("full", 1 + total * k // 12, place))
        count.ended(ended, 2, 3)
        assert "No space left" in ended.err + ended.out, ended.err
    count.ended(run(place), 1)
    count.tables(place)
    count.check("12 full disks")


@contextmanager
def disk(folder: Path, megabytes: float):
    """A file system of its own, of this size."""
    folder.mkdir()
    size = f"size={int(megabytes * 1024)}k"
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_small_disk_is_one_line(count, tmp_path):
    place = fill(tmp_path / "place")
    whole = sum(path.stat().st_size for path in (count.place / "store").rglob("*") if path.is_file()) / 2**20
    for k in range(4):
        with disk(tmp_path / f"disk{k}", whole * (k + 0.5) / 5) as small:
            count.ended(run(place, store=small / "store"), 2, 3)
    count.ended(run(place), 1)
    count.tables(place)
    count.check("4 small disks")


def files_of(place: Path) -> dict[str, list[Path]]:
    """The files of the store and of the report by kind: the kind of entry and the name."""
    kinds: dict[str, list[Path]] = {}
    for path in sorted(p for folder in ("store", "out") for p in (place / folder).rglob("*") if p.is_file()):
        parts = path.relative_to(place).parts
        if path.suffix in (".lock", ".claim") or any(part.endswith(".damaged") for part in parts):
            continue
        kinds.setdefault(f"{parts[1]}/{path.name}" if parts[0] == "store" else f"out/{path.suffix}", []).append(path)
    return kinds


@pytest.mark.parametrize("how", KINDS)
def test_damage_of_every_kind_of_file_is_found_and_mended(count, tmp_path, how):
    draw, kinds = random.Random(how), set()
    for k in range(ROUNDS):
        place = tmp_path / str(k)
        shutil.copytree(count.place, place)
        for kind, paths in files_of(place).items():
            kinds.add(kind)
            if k % 2 == 0 or draw.random() < 0.2:  # everything at once, and a few things
                path = draw.choice(paths)
                KINDS[how](path) if path.stat().st_size or how != "flip" else None
        count.ended(run(place), 1)
        count.tables(place)
        shutil.rmtree(place)
    count.check(f"{ROUNDS} times {how} of {len(kinds)} kinds of files")


def test_four_runs_at_once_on_one_store(count, tmp_path):
    store = tmp_path / "store"
    places = [fill(tmp_path / str(k)) for k in range(4)]
    running = [start("run", "s.toml", "--out", "out", place=place, store=store) for place in places]
    for place, one in zip(places, running, strict=True):
        count.ended(one.end(), 1)
        count.tables(place)
    made = len(list((store / "models").glob("*/model.keras")))
    assert made == 1
    count.check("4 runs at once on one store")


def test_four_runs_at_once_into_one_folder(count, tmp_path):
    place = fill(tmp_path / "place")
    running = [start("run", "s.toml", "--out", "out", place=place, store=place / "store") for _ in range(4)]
    for one in running:
        count.ended(one.end(), 1)
    count.tables(place)
    count.check("4 runs at once into one folder")


def read_only(folder: Path):
    """A file system that cannot be written."""
    done = subprocess.run(["mount", "--bind", "-o", "ro", folder, folder], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")


def test_read_only_places_are_one_line(count, tmp_path):
    for name in ("store", "out"):
        place = fill(tmp_path / name)
        (place / name).mkdir()
        read_only(place / name)
        try:
            ended = run(place)
            count.ended(ended, 2)
            assert ended.err.count("cannot be written") == 1
        finally:
            subprocess.run(["umount", "-l", place / name], check=True)
        count.ended(run(place), 1)
        count.tables(place)
    count.check("2 read-only places")


def test_a_clock_set_back_changes_nothing(count, tmp_path):
    library = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)
    if library is None:
        pytest.skip("libfaketime (of the Debian package of this name) is not there")
    place = tmp_path / "place"
    shutil.copytree(count.place, place)
    shutil.rmtree(place / "store/blocks")
    env = {**os.environ, "LD_PRELOAD": str(library), "FAKETIME": "-3650d", "ROBUST_STORE": str(place / "store")}
    env["FAKETIME_DONT_FAKE_MONOTONIC"] = "1"
    done = subprocess.run(
        [sys.executable, "-m", "robust", "run", "s.toml", "--out", "out"],
        cwd=place, env=env, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    count.ended(Ended(done.returncode, done.stdout, done.stderr), 1)
    assert '"made": "2016' in (place / "out/environment.json").read_text()
    count.tables(place)
    count.check("1 clock set back by ten years")


def instead(path: Path, make) -> None:
    """Remove a file or folder, and make something else of its name."""
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    make(path)


HOSTILE = {
    "a pipe": lambda out: instead(out / "results.csv", os.mkfifo),
    "a link to a device": lambda out: instead(out / "results.csv", lambda path: path.symlink_to("/dev/zero")),
    "samples elsewhere": lambda out: instead(out / "samples", lambda path: path.symlink_to("/etc")),
    "deep JSON": lambda out: (out / "environment.json").write_text("[" * 500_000),
    "a deep manifest": lambda out: (out / "manifest.json").write_text('{"files":' * 200_000),
    "names that lead out": lambda out: (out / "manifest.json").write_text('{"files": {"../../x": {}}}'),
    "a page that is a folder": lambda out: instead(out / "index.html", Path.mkdir),
    "no number": lambda out: (out / "results.csv").write_bytes(b"\0\xff" * 999),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_folder_is_one_line_for_report_and_compare(count, tmp_path, what):
    place = tmp_path / "place"
    shutil.copytree(count.place, place)
    shutil.copytree(place / "out", place / "other")
    HOSTILE[what](place / "out")
    for arguments in (("report", "out"), ("compare", "other", "out")):
        ended = command(*arguments, place=place, store=place / "store")
        count.ended(ended, 0, 1, 2)
        assert len(ended.err.splitlines()) <= 2
    count.check(f"a hostile folder, {what}")
