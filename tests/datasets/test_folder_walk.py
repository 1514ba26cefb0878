"""What a folder of images passes by, follows and refuses."""

import os

import numpy as np
import pytest
from PIL import Image

from robust.core.errors import DataError
from robust.datasets.folder import folder


def save(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((2, 3, 3), np.uint8)).save(path, "PNG")


def complaint(root):
    with pytest.raises(DataError) as caught:
        folder(path=str(root))
    return str(caught.value)


@pytest.fixture
def photos(tmp_path):
    for name in ("cat/1.png", "cat/2.png", "dog/1.png"):
        save(tmp_path / "photos" / name)
    return tmp_path / "photos"


def test_nothing_is_said_of_a_plain_folder(photos):
    assert folder(path=str(photos)).remarks == ()


def test_hidden_ones_and_those_of_systems_are_passed_by_at_every_level_and_counted(photos):
    there = [".git/x.png", "__MACOSX/cat/1.png", "cat/.ipynb_checkpoints/1-checkpoint.png", "cat/.hidden.png"]
    for name in (*there, "dog/@eaDir/1.png", "dog/deep/.cache/3.png", "dog/deep/3.png"):
        save(photos / name)
    for name in ("cat/Thumbs.db", "dog/deep/desktop.ini", ".DS_Store"):
        (photos / name).write_bytes(b"x")
    data = folder(path=str(photos))
    assert data.classes == ("cat", "dog")
    assert data.examples("test").ids.tolist() == ["cat/1.png", "cat/2.png", "dog/1.png", "dog/deep/3.png"]
    note = data.remarks[-1]
    assert note.startswith("skipped, as hidden, or left by an operating system: 9 ('.DS_Store', '.git', '__MACOSX', ")


def test_what_is_no_picture_is_passed_by_and_counted(photos):
    for name in ("README.txt", "cat/labels.xml", "dog/deep/notes", "dog/numbers.npy"):
        (photos / name).parent.mkdir(exist_ok=True)
        (photos / name).write_text("x")
    save(photos / "beside.png")
    _, beside, others = folder(path=str(photos)).remarks
    assert beside == "skipped, as images in the folder of no class: 1 ('beside.png')"
    names = "('README.txt', 'cat/labels.xml', 'dog/deep/notes', 'dog/numbers.npy')"
    assert all(part in others for part in ("skipped, as no images: 4", names))
    assert folder(path=str(photos)).size("test") == 3


@pytest.mark.parametrize("name", ["3", "3.jfif", "3.dat", "3.png.bak"])
def test_a_picture_under_another_name_is_refused(photos, name):
    save(photos / "cat/deep" / name)
    assert f"{photos}/cat/deep/{name}: an image, but not with a supported suffix; allowed: .png" in complaint(photos)


@pytest.mark.parametrize("name", ["3.tif", "3.HEIC", "3.ppm"])
def test_a_picture_of_another_format_is_refused(photos, name):
    (photos / "cat" / name).write_bytes(b"x")
    assert f"{photos}/cat/{name}: an image, but not with" in complaint(photos)


def test_a_pipe_is_not_waited_for(photos):
    os.mkfifo(photos / "cat/3")
    assert folder(path=str(photos)).remarks == ("skipped, as no images: 1 ('cat/3')",)
    os.mkfifo(photos / "cat/3.png")
    assert complaint(photos) == f"{photos}/cat/3.png: not a regular file, but a pipe or a device"


def test_links_are_followed(photos, tmp_path):
    for name in ("batch/3.png", "batch/deep/4.png", "bird/5.png", "6.png"):
        save(tmp_path / "more" / name)
    (photos / "dog/batch").symlink_to(tmp_path / "more/batch")
    (photos / "bird").symlink_to("../more/bird")
    (photos / "cat/6.png").symlink_to(tmp_path / "more/6.png")
    (tmp_path / "all").symlink_to(photos)
    data = folder(path=str(tmp_path / "all"))
    assert data.classes == ("bird", "cat", "dog")
    assert data.examples("test").ids.tolist() == [
        "bird/5.png", "cat/1.png", "cat/2.png", "cat/6.png", "dog/1.png", "dog/batch/3.png", "dog/batch/deep/4.png",
    ]  # fmt: skip
    assert data.remarks == ("classes that hold folders, whose images are included: 'dog'",)


@pytest.mark.parametrize("place", ["cat/3.png", "cat/3", "cat/deep/more", "bird"])
def test_a_link_that_leads_nowhere_is_refused(photos, place):
    (photos / place).parent.mkdir(exist_ok=True)
    (photos / place).symlink_to("/nowhere/annex/3.png")
    said = complaint(photos)
    assert f"{photos}/{place}: a link that leads nowhere, to /nowhere/annex/3.png; fetch its target" in said


def test_a_hidden_link_that_leads_nowhere_is_passed_by(photos):
    (photos / "cat/.#lock").symlink_to("nobody@nowhere")  # as Emacs makes them
    assert folder(path=str(photos)).size("test") == 3


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("cat/up", ".."),
        ("cat/self", "."),
        ("loop", "."),
        ("cat/deep/up", "../../cat"),
        ("dog/a", "../cat"),
        ("fox", "/"),
    ],
)
def test_a_link_in_a_circle_is_refused(photos, link, target):
    (photos / link).parent.mkdir(exist_ok=True)
    (photos / link).symlink_to(target)
    if link == "dog/a":
        (photos / "cat/b").symlink_to("../dog")
    said = complaint(photos)
    assert ": a link to " in said and "through which it was reached; remove it" in said


def test_a_link_to_itself_leads_nowhere(photos):
    (photos / "cat/3.png").symlink_to("3.png")
    assert "cat/3.png: a link that leads nowhere" in complaint(photos)


@pytest.mark.parametrize("name", [b"cat/caf\xe9.png", b"caf\xe9/1.png", b"cat/caf\xe9.txt"])
def test_names_that_are_not_utf8_are_refused(photos, name):
    path = photos / os.fsdecode(name)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes((photos / "cat/1.png").read_bytes())
    said = complaint(photos)
    assert "caf\\xe9" in said and "its name is not UTF-8; rename it" in said
    said.encode()


def test_a_folder_whose_own_name_is_not_utf8_is_refused(photos):
    other = os.fsdecode(os.fsencode(photos.parent) + b"/caf\xe9")
    photos.rename(other)
    said = complaint(other)
    assert all(part in said for part in (f"{photos.parent}/caf\\xe9: its name is not UTF-8", "rename it", "convmv"))


def test_a_hidden_name_that_is_not_utf8_is_told_as_it_can_be(photos):
    (photos / os.fsdecode(b".caf\xe9")).write_bytes(b"")
    (note,) = folder(path=str(photos)).remarks
    assert "'.caf\\\\xe9'" in note
