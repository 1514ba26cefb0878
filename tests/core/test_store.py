import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robust.core import registry, store
from robust.core.errors import StoreError, SuiteError
from robust.core.store import Store, digest

KEY = {"architecture": "lenet5", "seed": 0, "eps": 8 / 255}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("abc", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=6,
)


def made(text="made"):
    return lambda folder: (folder / "value").write_text(text)


def in_process(root: Path, body: str) -> subprocess.Popen:
    """A process that keeps the entry of KEY in the store at `root`, by the body of `make(folder)`."""
    code = "import os, sys, time\nfrom pathlib import Path\nfrom robust.core.store import Store\n\ndef make(folder):\n"
    code += textwrap.indent(textwrap.dedent(body), "    ")
    code += f"\n\nprint(Store(Path({str(root)!r})).get_or_make('models', {KEY!r}, make))"
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def until(happened):
    for _ in range(2000):
        if happened():
            return
        time.sleep(0.005)
    pytest.fail("it did not happen within ten seconds")


def test_an_entry_is_made_once_and_found_again(tmp_path):
    kept = Store(tmp_path)
    assert kept.find("models", KEY) is None
    path = kept.get_or_make("models", KEY, made())
    assert kept.get_or_make("models", KEY, lambda folder: pytest.fail("made twice")) == path
    assert kept.find("models", KEY) == path == kept.path("models", KEY)
    assert (path / "value").read_text() == "made"
    assert json.loads((path / "key.json").read_text()) == KEY


def test_kinds_and_keys_are_kept_apart(tmp_path):
    kept = Store(tmp_path)
    paths = {kept.get_or_make(kind, {**KEY, "seed": seed}, made()) for kind in ("models", "blocks") for seed in (0, 1)}
    assert len(paths) == 4


def test_a_make_that_fails_leaves_nothing(tmp_path):
    kept = Store(tmp_path)

    def breaks(folder):
        (folder / "half").write_text("")
        raise RuntimeError("no convergence")

    with pytest.raises(RuntimeError, match="no convergence"):
        kept.get_or_make("models", KEY, breaks)
    assert kept.find("models", KEY) is None
    assert [p for p in (tmp_path / "models").iterdir() if p.is_dir()] == []
    assert (kept.get_or_make("models", KEY, made("second")) / "value").read_text() == "second"


def test_nothing_counts_before_it_is_finished(tmp_path):
    kept = Store(tmp_path)
    found = []
    kept.get_or_make("models", KEY, lambda folder: found.append(kept.find("models", KEY)))
    assert found == [None]


def test_two_processes_make_one_entry_once(tmp_path):
    body = f"""
        with open({str(tmp_path / "log")!r}, "a") as log:
            log.write("made\\n")
        time.sleep(0.2)
        (folder / "value").write_text(str(os.getpid()))
    """
    both = [in_process(tmp_path / "store", body) for _ in range(2)]
    said = {process.communicate(timeout=30)[0].strip() for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert (tmp_path / "log").read_text() == "made\n"
    assert said == {str(Store(tmp_path / "store").find("models", KEY))}


def test_what_a_killed_process_leaves_does_not_count_and_is_cleared_away(tmp_path):
    kept = Store(tmp_path)
    process = in_process(tmp_path, '(folder / "half").write_text("x")\ntime.sleep(60)')
    until(lambda: list(tmp_path.glob("models/.*/half")))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert kept.find("models", KEY) is None
    assert len(list(tmp_path.glob("models/.*"))) == 1

    path = kept.get_or_make("models", KEY, made("after"))
    assert (path / "value").read_text() == "after"
    assert [p for p in (tmp_path / "models").iterdir() if p.is_dir()] == [path]


def test_what_others_are_at_is_left_alone(tmp_path):
    kept = Store(tmp_path)
    others = kept.path("models", {"seed": 1})
    unfinished = others.with_name(f".{others.name}.abc")
    unfinished.mkdir(parents=True)
    kept.get_or_make("models", KEY, made())
    assert unfinished.is_dir()


@pytest.mark.parametrize("root", ["file/store", "/proc/robust-store"])
def test_a_store_that_cannot_be_written_is_told_with_a_way_out(tmp_path, root):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError) as error:
        Store(tmp_path / root).get_or_make("models", KEY, made())
    assert str(error.value).startswith(f"{tmp_path / root}: cannot be written (")
    assert str(error.value).endswith("; set ROBUST_STORE to a folder that can")


def test_the_default_is_where_the_user_says(tmp_path, monkeypatch):
    monkeypatch.setenv("ROBUST_STORE", str(tmp_path / "mine"))
    assert store.default().root == tmp_path / "mine"
    monkeypatch.delenv("ROBUST_STORE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert store.default().root == tmp_path / "robust"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert store.default().root == tmp_path / "home/.cache/robust"


@pytest.mark.slow
@settings(deadline=None)
@given(st.dictionaries(st.text("abc", max_size=3), VALUES, max_size=4), st.randoms())
def test_the_order_of_keys_does_not_count(key, random):
    shuffled = list(key.items())
    random.shuffle(shuffled)
    assert digest(dict(shuffled)) == digest(key)


def test_a_hash_is_that_of_the_sorted_json():
    """Else what is kept already would not be found again."""
    whole = hashlib.sha256(b'{"a": "x", "b": [1, null]}').hexdigest()
    assert digest({"b": [1, None], "a": "x"}) == whole[:24]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ({"eps": 1}, {"norm": 1}),
        ({"a": None}, {}),
        ([1, 2], [2, 1]),
        ("1", 1),
        (True, 1),
        ({"a": {"b": 1}}, {"a": 1, "b": 1}),
    ],
)
def test_what_differs_has_another_hash(a, b):
    assert digest(a) != digest(b)


def test_numbers_that_differ_in_their_last_digit_differ():
    assert digest({"eps": 8 / 255}) != digest({"eps": 8 / 255 + 1e-17})


def test_paths_count_by_their_names():
    assert digest({"keras": Path("a.keras")}) == digest({"keras": "a.keras"})


CODE = '''
"""A module."""

WIDTH = 3
"""How wide it is."""


class Block:
    """A block."""

    def call(self, x):
        """Call it."""
        return x * WIDTH
'''


def tree(tmp_path, source):
    (tmp_path / "module.py").write_text(source)
    return registry.code(tmp_path / "module.py")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("WIDTH = 3", "WIDTH = 3  # as published"),
        ("x * WIDTH", "(x *\n            WIDTH)"),
        ('"""A module."""\n', ""),
        ("A block.", "The block."),
        ('"""Call it."""', "'''Call it, please.'''"),
        ("How wide", "Just how wide"),
    ],
)
def test_comments_docstrings_and_layout_are_no_code(tmp_path, old, new):
    assert old in CODE
    assert tree(tmp_path, CODE.replace(old, new)) == tree(tmp_path, CODE)


@pytest.mark.parametrize(
    ("old", "new"), [("WIDTH = 3", "WIDTH = 4"), ("x * W", "W * x"), ("return x", "return -x"), ("x)", "x, y=1)")]
)
def test_what_a_line_does_is_code(tmp_path, old, new):
    assert old in CODE
    assert tree(tmp_path, CODE.replace(old, new)) != tree(tmp_path, CODE)


def test_the_versions_of_what_does_the_numbers_count(monkeypatch):
    code = store.code.__wrapped__
    before = code("robust.core.statistics")
    monkeypatch.setattr(store, "version", lambda name: "0.0")
    assert code("robust.core.statistics") != before


def test_a_module_that_is_not_there_is_a_mistake():
    with pytest.raises(SuiteError, match="no module named"):
        store.code("robust.no_such_module")


def test_an_unwritable_entry_is_not_left_behind(tmp_path):
    kept = Store(tmp_path)

    def full(folder):
        (folder / "half").write_text("")
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match="No space left on device"):
        kept.get_or_make("models", KEY, full)
    assert not any(p.is_dir() for p in (tmp_path / "models").iterdir())


def instead(path, make):
    path.unlink()
    make(path)


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda entry: flip(entry / "value"), "value is damaged"),
        (lambda entry: (entry / "value").write_text(""), "value is damaged"),
        (lambda entry: (entry / "value").unlink(), "value is missing or unexpected"),
        (lambda entry: (entry / "more").write_text(""), "more is missing or unexpected"),
        (lambda entry: (entry / "key.json").write_text("{"), "key.json is damaged, or that of another entry"),
        (lambda entry: (entry / "sums.json").write_text("[1]"), "cannot be read"),
        (lambda entry: (entry / "sums.json").write_text("[" * 10**5), "cannot be read"),
        (lambda entry: (entry / "sums.json").unlink(), "cannot be read"),
        (lambda entry: instead(entry / "sums.json", os.mkfifo), "cannot be read"),
        (lambda entry: instead(entry / "sums.json", lambda path: path.symlink_to("/dev/zero")), "cannot be read"),
    ],
)
def test_a_damaged_entry_is_named_put_aside_and_made_again(tmp_path, damage, told):
    lines = []
    kept = Store(tmp_path, lines.append)
    path = kept.get_or_make("models", KEY, made())
    for _ in range(2):
        damage(path)
        assert kept.get_or_make("models", KEY, made("again")) == path
        assert (path / "value").read_text() == "again" and kept.find("models", KEY) == path
        [line] = lines
        assert line == f"{path}: {told}; it is moved aside as {path.name}.damaged and computed again"
        assert (tmp_path / f"models/{path.name}.damaged").is_dir()
        lines.clear()


def test_a_damaged_entry_that_cannot_be_put_aside_is_no_silent_loss(tmp_path, monkeypatch):
    kept = Store(tmp_path, lambda line: pytest.fail(line))
    path = kept.get_or_make("models", KEY, made())
    flip(path / "value")

    def rename(self, target):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(StoreError) as error:
        kept.find("models", KEY)
    assert str(error.value) == f"{path}: value is damaged, and it cannot be moved aside (Permission denied); remove it"


@pytest.mark.parametrize(("error", "why"), [
    (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
    (OSError(errno.ENOSPC, ""), "[Errno"),
])  # fmt: skip
def test_why_the_store_cannot_be_written_is_said_in_the_systems_words(tmp_path, error, why):
    def full(folder):
        raise error

    with pytest.raises(StoreError) as caught:
        Store(tmp_path).get_or_make("models", KEY, full)
    assert str(caught.value).startswith(f"{tmp_path}: cannot be written ({why}")


def test_who_waits_for_another_process_is_told_after_two_seconds(tmp_path, monkeypatch):
    assert store.PATIENCE == 2
    monkeypatch.setattr(store, "PATIENCE", 0.05)
    lines = []
    kept = Store(tmp_path, lines.append)
    with in_process(
        tmp_path,
        "(folder / 'value').write_text('theirs')\nwhile not Path(sys.argv[0]).is_file(): time.sleep(0.01)".replace(
            "Path(sys.argv[0])", f"Path({str(tmp_path / 'go')!r})"
        ),
    ) as other:
        until(lambda: list(tmp_path.glob("models/.*")))
        kept = Store(tmp_path, lambda line: (lines.append(line), (tmp_path / "go").touch()))
        path = kept.get_or_make("models", KEY, lambda folder: pytest.fail("made twice"))
        other.communicate()
    assert lines == [f"waiting for another process, which computes {path}"]
    assert (path / "value").read_text() == "theirs"


def test_nobody_is_told_who_need_not_wait(tmp_path):
    lines = []
    path = Store(tmp_path, lines.append).get_or_make("models", KEY, made())
    assert lines == [] and path.is_dir()


def test_an_entry_in_the_place_of_another_is_not_believed(tmp_path):
    lines = []
    kept = Store(tmp_path, lines.append)
    one, two = (kept.get_or_make("blocks", {"of": name}, made(name)) for name in ("one", "two"))
    one.rename(tmp_path / "aside")
    two.rename(one)
    (tmp_path / "aside").rename(two)
    for name in ("one", "two"):
        assert kept.find("blocks", {"of": name}) is None
        assert (kept.get_or_make("blocks", {"of": name}, made(name)) / "value").read_text() == name
    assert len(lines) == 2 and all("key.json is damaged, or that of another entry" in line for line in lines)


@pytest.mark.parametrize("stranger", [lambda path: path.write_text("x"), lambda path: path.symlink_to("/nowhere")])
def test_a_file_or_a_link_in_an_entrys_place_gives_way(tmp_path, stranger):
    kept = Store(tmp_path)
    (path := kept.path("blocks", KEY)).parent.mkdir(parents=True)
    stranger(path)
    assert (kept.get_or_make("blocks", KEY, made()) / "value").is_file() and not path.is_symlink()


def test_a_piece_of_work_that_another_is_at_is_not_waited_for(tmp_path):
    found = []
    with Store(tmp_path).claim("models", KEY):
        other = threading.Thread(target=lambda: found.append(Store(tmp_path).claim("models", KEY)), daemon=True)
        other.start()
        other.join(timeout=2)
        assert found == [None]
    with Store(tmp_path).claim("models", KEY):
        pass
