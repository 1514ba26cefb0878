"""The manifest names what was changed in a report folder since it was written."""

import json
import os

import pytest

from robust.results import manifest
from robust.results.manifest import Changes

FILES = ["environment.json", "results.csv", "outcomes.parquet", "suite.toml", "samples/index.csv", "samples/0000.npz"]


def write(folder, names=FILES):
    with manifest.rewritten(folder):
        for name in names:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(f"the content of {name}" * 9)


@pytest.fixture
def folder(tmp_path):
    write(tmp_path)
    return tmp_path


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def empty(path):
    path.write_bytes(b"")


def zero(path):
    path.write_bytes(bytes(path.stat().st_size))


DAMAGES = [flip, cut, empty, zero]


def test_a_folder_is_as_it_was_written(folder):
    (folder / "notes.txt").write_text("a user's own")  # no number is read from it
    (folder / "index.html").write_text("the page")
    assert manifest.changes(folder) == Changes() and not manifest.changes(folder)
    assert str(manifest.changes(folder)) == ""


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_is_named_whatever_its_time_says(folder, name, damage):
    before = (folder / name).stat()
    damage(folder / name)
    os.utime(folder / name, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert manifest.changes(folder) == Changes(changed=(name,))


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    assert manifest.changes(folder) == Changes(missing=(name,))


@pytest.mark.parametrize("name", ["samples/0001.npz", "per_class.parquet", "outcomes/a=1/part.parquet"])
def test_an_added_file_is_named(folder, name):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("")
    assert manifest.changes(folder) == Changes(added=(name,))


@pytest.mark.parametrize("damage", [*DAMAGES[1:], os.unlink])
def test_a_damaged_manifest_is_no_reason_to_trust_the_folder(folder, damage):
    damage(folder / manifest.NAME)
    assert manifest.NAME in str(manifest.changes(folder))


@pytest.mark.parametrize("content", ["[]", "{}", '{"files": 3}', '{"files": {"a": 1}}', "[" * 100_000, "\0"])
def test_a_strangers_manifest_is_data(folder, content):
    (folder / manifest.NAME).write_text(content)
    assert "damaged" in manifest.changes(folder).unknown


def test_a_strangers_names_are_shortened_and_lead_nowhere(folder, tmp_path_factory):
    outside = tmp_path_factory.mktemp("x") / "secret"
    outside.write_text("")
    names = [str(outside), "../../secret", "a\x1b[2Jb", "l" * 5000, *map(str, range(9))]
    listed = json.loads((folder / manifest.NAME).read_text())
    listed["files"] |= {name: {"bytes": 0, "sha256": ""} for name in names}
    (folder / manifest.NAME).write_text(json.dumps(listed))
    found = manifest.changes(folder)
    assert set(found.missing) == set(names)
    assert "\x1b" not in str(found) and len(str(found)) < 700


def test_a_pipe_does_not_block(folder):
    (folder / "results.csv").unlink()
    os.mkfifo(folder / "results.csv")
    assert manifest.changes(folder) == Changes(changed=("results.csv",))


@pytest.mark.parametrize("at", range(len(FILES)))
def test_a_run_that_is_stopped_while_it_writes_leaves_no_manifest(folder, at):
    with pytest.raises(KeyboardInterrupt), manifest.rewritten(folder):
        for name in FILES[:at]:
            (folder / name).write_text("another run's")
        raise KeyboardInterrupt
    assert "stopped" in str(manifest.changes(folder))
    write(folder, FILES[:3])
    assert not manifest.changes(folder).unknown


def test_a_later_run_with_other_files_has_its_own_manifest(folder):
    (folder / "suite.toml").unlink()
    (folder / "samples/0000.npz").unlink()
    write(folder, ["environment.json", "results.csv", "outcomes.parquet", "samples/index.csv"])
    assert manifest.changes(folder) == Changes()
