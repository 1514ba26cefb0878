import os
import time

import pytest

from robust.core import store_entries
from robust.core.store import Store


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("ROBUST_STORE", str(tmp_path / "store"))
    made = Store(tmp_path / "store", lambda line: None)
    for kind, n in (("blocks", 1), ("blocks", 2), ("models", 3)):
        path = made.get_or_make(kind, {"n": n}, lambda out, n=n: (out / "a.txt").write_text("x" * 1000 * n))
        past = time.time() - n * store_entries.DAY
        for file in path.iterdir():
            os.utime(file, (past, past))
    return made


def test_entries_are_listed_with_their_size_and_the_oldest_first(store):
    found = [*store_entries.entries(store)]
    assert [(one.kind, one.finished) for one in found] == [("blocks", True)] * 2 + [("models", True)]
    assert found[0].written < found[1].written and found[2].size > 3000


def test_a_damaged_entry_is_found_moved_aside_and_counted(store):
    path = store.find("blocks", {"n": 2})
    (path / "a.txt").write_text("y")
    lines = []
    assert store_entries.verify(store, lines.append) == (2, 1)
    assert len(lines) == 1 and not path.exists()
    assert store_entries.verify(store, lines.append) == (2, 0)


def test_a_damaged_key_is_found_too(store):
    path = store.find("blocks", {"n": 2})
    (path / "key.json").write_text("{")
    assert store_entries.verify(store, print) == (2, 1) and not path.exists()


def test_pruning_by_age_by_size_and_of_what_is_unfinished(store):
    (store.root / "blocks/abc.damaged").mkdir()
    assert [one.path.name for one in store_entries.prune(store, unfinished=True)] == ["abc.damaged"]
    assert [one.kind for one in store_entries.prune(store, older=2.5)] == ["models"]
    assert store.find("models", {"n": 3}) is None
    (gone,) = store_entries.prune(store, size=2000)
    assert store.find("blocks", {"n": 1}) is not None and not gone.path.exists()
    assert store_entries.prune(store, size=2000) == []


def test_the_commands(store, robust_command):
    assert "3 entries" in robust_command("cache", "list").stdout
    assert robust_command("cache", "verify").stdout == "3 entries are intact, 0 damaged\n"
    (store.find("blocks", {"n": 1}) / "a.txt").write_text("")
    assert robust_command("cache", "verify").returncode == 3
    done = robust_command("cache", "prune")
    assert done.returncode == 2 and "--older-than DAYS, --size GIGABYTES or --unfinished" in done.stderr
    assert robust_command("cache", "prune", "--unfinished").stdout.startswith("removed 1 entries")
    assert robust_command("cache", "prune", "--older-than", "-1").returncode == 2
    assert "removed 2 entries" in robust_command("cache", "prune", "--size", "0").stdout


def test_the_size_of_an_entry_is_that_of_its_own_files(store, tmp_path):
    (tmp_path / "large").write_bytes(bytes(100_000))
    path = store.get_or_make("links", {}, lambda out: (out / "inner").mkdir() or (out / "inner/a").write_text("12345"))
    own = sum((path / name).stat().st_size for name in ("inner/a", "key.json", "sums.json"))
    (path / "link").symlink_to(tmp_path / "large")
    (found,) = (one for one in store_entries.entries(store) if one.kind == "links")
    assert found.size == own


@pytest.mark.parametrize(("hours", "removed"), [(23.9, 0), (24.1, 1)])
def test_a_day_has_24_hours(tmp_path, hours, removed):
    store = Store(tmp_path)
    for file in store.get_or_make("models", {}, lambda out: None).iterdir():
        os.utime(file, (time.time() - 3600 * hours,) * 2)
    assert len(store_entries.prune(store, older=1)) == removed


def test_what_is_removed_by_its_age_does_not_count_in_the_size(store):
    gone = store_entries.prune(store, older=1.5, size=2000)
    assert sorted(one.kind for one in gone) == ["blocks", "models"]
    assert store.find("blocks", {"n": 1}) is not None
