"""The short form of the campaign: the layer through which everything is written, killed and filled at every change."""

import os
import re
import subprocess
import sys
from pathlib import Path

import crash
import pytest
from damage import KINDS

from robust.core.store import Store
from robust.results import manifest

HERE = Path(__file__).parent
FORK = """
import os, sys
sys.path[:0] = {paths!r}
import crash
from commands import Fault, Faults
from pathlib import Path
kind, place, number = sys.argv[1], Path(sys.argv[2]), 0
while True:  # a process for each change, until one makes all of them
    number += 1
    if not (process := os.fork()):
        Faults(Fault(kind, number, place), Path(f"{{place}}.count")).install()
        try:
            crash.write(place / str(number))
        except Exception as error:
            os._exit(3 if type(error).__name__ == "StoreError" else 4)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    print(status)
    if not status:
        break
"""


def at_every_change(kind, place):
    """The exit codes of processes with a fault at their first, second, ... change."""
    program = FORK.format(paths=[str(HERE), str(HERE.parent.parent)])
    done = subprocess.run([sys.executable, "-c", program, kind, place], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [int(line) for line in done.stdout.split()]


@pytest.mark.parametrize(("kind", "code"), [("kill", -9), ("full", 3)])
def test_a_fault_at_any_change_leaves_nothing_half_written(tmp_path, kind, code):
    *faults, last = at_every_change(kind, tmp_path)
    assert last == 0 and set(faults) == {code} and len(faults) > 20
    crash.write(tmp_path / "whole")
    for place in (tmp_path / str(1 + k) for k in range(len(faults))):
        if (place / "out/manifest.json").exists():
            assert not manifest.changes(place / "out")
        crash.write(place)
        assert tree(place) == tree(tmp_path / "whole"), place.name


def tree(place):
    """All files with their content; locks, which stay, are none."""
    paths = [path for path in place.rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert not [path for path in place.rglob("*") if re.match(r"\.robust-|\.[0-9a-f]{24}\.", path.name)]
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.parametrize("how", KINDS)
def test_damage_of_any_file_is_found_and_mended(tmp_path, how):
    crash.write(tmp_path / "whole")
    whole = tree(tmp_path / "whole")
    for number, name in enumerate(sorted(whole)):
        place = tmp_path / str(number)
        crash.write(place)
        KINDS[how](place / name)
        if name.startswith("out/"):
            assert str(manifest.changes(place / "out")), name
        crash.write(place)
        there = {name: content for name, content in tree(place).items() if ".damaged/" not in name}
        assert there == whole, name


def test_what_is_finished_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """Files, then the folder of their names, are synchronised before the rename, and the folder above it after it."""
    synced, plain = [], os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda handle: synced.append(Path(f"/proc/self/fd/{handle}").readlink()) or plain(handle)
    )
    entry = Store(tmp_path).get_or_make("unit", {}, lambda out: (out / "logits.npy").write_bytes(b"1"))
    *inside, above = [Path(path) for path in synced]
    assert above == entry.parent and inside[-1].name.startswith(f".{entry.name}")
    assert {path.name for path in inside[:-1]} == {"logits.npy", "sums.json", "key.json"}
