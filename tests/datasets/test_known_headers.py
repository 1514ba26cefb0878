import os
import time

import numpy as np
import pytest
from PIL import Image

from robust.core.errors import DataError
from robust.datasets import known_headers


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """Three files that were written an hour ago, and the list of those that are read."""
    monkeypatch.setenv("ROBUST_STORE", str(tmp_path / "store"))
    paths = [tmp_path / "root" / f"{i}.bmp" for i in range(3)]
    paths[0].parent.mkdir()
    for i, path in enumerate(paths):
        Image.fromarray(np.full((4, 5, 3), i, np.uint8)).save(path)
    read, plain = [], known_headers.read_header
    monkeypatch.setattr(known_headers, "read_header", lambda path: read.append(path.name) or plain(path))
    monkeypatch.setattr(time, "time_ns", lambda ahead=3600 * 10**9, now=time.time_ns: now() + ahead)
    return paths, read


def test_a_file_is_read_once(pictures):
    paths, read = pictures
    first = known_headers.headers(paths[0].parent, paths)
    assert known_headers.headers(paths[0].parent, paths) == first and read == ["0.bmp", "1.bmp", "2.bmp"]
    assert [(each.height, each.width) for each in first] == [(4, 5)] * 3 and len({each.digest for each in first}) == 3


def test_another_content_of_equal_size_and_time_is_read(pictures):
    paths, read = pictures
    known_headers.headers(paths[0].parent, paths)
    before, other = paths[1].stat(), paths[2].read_bytes()
    assert len(other) == before.st_size
    paths[1].write_bytes(other)
    os.utime(paths[1], ns=(before.st_atime_ns, before.st_mtime_ns))
    found = known_headers.headers(paths[0].parent, paths)
    assert read[3:] == ["1.bmp"] and found[1].digest == found[2].digest


def test_what_has_just_been_written_is_read_again(pictures, monkeypatch):
    paths, read = pictures
    monkeypatch.setattr(time, "time_ns", lambda: paths[2].stat().st_ctime_ns)
    for _ in range(2):
        known_headers.headers(paths[0].parent, paths)
    assert len(read) == 6


@pytest.mark.parametrize("content", ["", "[", "[]", "{}", '{"a": 1}', '{"a": [[1], {}]}', "null"])
def test_a_damaged_table_is_ignored_and_replaced(pictures, tmp_path, content):
    paths, read = pictures
    first = known_headers.headers(paths[0].parent, paths)
    (table,) = (tmp_path / "store" / known_headers.KIND).iterdir()
    table.write_text(content)
    assert known_headers.headers(paths[0].parent, paths) == first and len(read) == 6
    known_headers.headers(paths[0].parent, paths)
    assert len(read) == 6


def test_files_that_are_gone_are_forgotten_and_a_store_that_cannot_be_written_costs_nothing(pictures, tmp_path):
    paths, _ = pictures
    known_headers.headers(paths[0].parent, paths)
    known_headers.headers(paths[0].parent, paths[:1])
    (table,) = (tmp_path / "store" / known_headers.KIND).iterdir()
    assert "1.bmp" not in table.read_text()
    table.unlink()
    table.mkdir()
    assert len(known_headers.headers(paths[0].parent, paths)) == 3
    paths[0].write_bytes(b"no image")
    with pytest.raises(DataError):
        known_headers.headers(paths[0].parent, paths)
