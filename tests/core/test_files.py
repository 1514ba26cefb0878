import os
import subprocess
import sys
import threading

import pytest

from robust.core import files
from robust.core.errors import StoreError


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("fill", "content"),
    [
        ("words: ä\n", "words: ä\n".encode()),
        (b"\x00\xff", b"\x00\xff"),
        (lambda path: path.write_text("made"), b"made"),
    ],
    ids=["text", "bytes", "function"],
)
def test_writes_what_it_is_given_and_nothing_else(tmp_path, fill, content):
    path = tmp_path / "new" / "deep" / "page.html"
    assert files.write(path, fill) == path
    assert path.read_bytes() == content
    assert left_in(path.parent) == ["page.html"]


def test_others_may_read_the_file(tmp_path):
    assert files.write(tmp_path / "page.html", "x").stat().st_mode & 0o777 == 0o644


def test_replaces_what_stood_there(tmp_path):
    files.write(tmp_path / "a.txt", "old")
    files.write(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "new"
    assert left_in(tmp_path) == ["a.txt"]


def test_the_file_is_filled_beside_its_place_and_has_its_suffix(tmp_path):
    seen = []

    def fill(path):
        seen.append(path)
        path.write_text("half")
        assert not (tmp_path / "table.parquet").exists()

    files.write(tmp_path / "table.parquet", fill)
    assert seen[0].parent == tmp_path
    assert seen[0].suffix == ".parquet"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_fill_that_breaks_off_leaves_the_old_file_alone(tmp_path, error):
    def fill(path):
        path.write_text("half")
        raise error

    files.write(tmp_path / "a.txt", "old")
    with pytest.raises(error):
        files.write(tmp_path / "a.txt", fill)
    assert (tmp_path / "a.txt").read_text() == "old"
    assert left_in(tmp_path) == ["a.txt"]


def test_a_reader_never_meets_half_of_it(tmp_path):
    path, done, seen = tmp_path / "a.txt", threading.Event(), set()
    contents = ["a" * 200_000, "b" * 100_000]
    files.write(path, contents[0])

    def read():
        while not done.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for i in range(50):
        files.write(path, contents[i % 2])
    done.set()
    reader.join()
    assert seen <= set(contents)
    assert seen


def test_a_folder_below_a_file_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError) as error:
        files.write(tmp_path / "file" / "a.txt", "x")
    assert str(error.value) == f"{tmp_path}/file/a.txt: cannot be written (File exists)"


def test_a_path_that_is_a_folder_cannot_be_written_and_nothing_is_left(tmp_path):
    (tmp_path / "taken" / "inside").mkdir(parents=True)
    with pytest.raises(StoreError, match="taken: cannot be written"):
        files.write(tmp_path / "taken", "x")
    assert left_in(tmp_path) == ["taken"]


def test_a_full_disk_is_told(tmp_path):
    def fill(path):
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match=r"a.txt: cannot be written \(No space left on device\)"):
        files.write(tmp_path / "a.txt", fill)
    assert left_in(tmp_path) == []


def killed_while_writing(path):
    code = f"""
import os, signal
from pathlib import Path
from robust.core import files
files.write(Path({str(path)!r}), lambda temporary: (temporary.write_text("half"), os.kill(os.getpid(), signal.SIGKILL)))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9


def test_what_a_killed_process_left_is_removed_by_the_next_that_writes_there(tmp_path):
    killed_while_writing(tmp_path / "page.html")
    killed_while_writing(tmp_path / "table.csv")  # and sweeps the first
    assert len(left_in(tmp_path)) == 1
    files.sweep.cache_clear()
    files.write(tmp_path / "other.txt", "x")
    assert left_in(tmp_path) == ["other.txt"]


def test_what_another_process_is_writing_is_left_alone(tmp_path):
    def fill(temporary):
        temporary.write_text("long")
        code = (
            f"from pathlib import Path; from robust.core import files; files.write(Path({str(tmp_path / 'b')!r}), 'b')"
        )
        subprocess.run([sys.executable, "-c", code], check=True)

    files.write(tmp_path / "a", fill)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "long", "b": "b"}


def test_a_name_that_is_too_long_is_told_in_a_short_line(tmp_path):
    with pytest.raises(StoreError, match=r"\(File name too long\)") as error:
        files.write(tmp_path / ("x" * 5000), "x")
    assert len(str(error.value)) < 400


def test_one_byte_of_0_makes_no_utf_16(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"file,label\n0.png,a\n1.png,\x00b\n")
    with pytest.raises(ValueError, match="holds a byte of 0 at 25, which no text contains"):
        files.text(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_bytes("file,label\n".encode("utf-16-be"))
    with pytest.raises(ValueError, match="as UTF-16BE does"):
        files.text(tmp_path / "t.csv")


def test_a_pipe_that_is_called_as_our_temporary_files_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / ".robust-aaaa.html")
    code = f"from pathlib import Path; from robust.core import files; files.write(Path({str(tmp_path)!r}) / 'a', 'x')"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert (tmp_path / "a").read_text() == "x"


@pytest.mark.parametrize("said", ["[" + "[]," * 3_000_000 + "[]]", b'{"a": [' + b"{}," * 3_000_000 + b"{}]}"])
def test_json_of_millions_of_values_is_not_parsed(said, frugal):
    with frugal(60), pytest.raises(ValueError, match="more than 2,000,000 values"):
        files.parsed(said)
