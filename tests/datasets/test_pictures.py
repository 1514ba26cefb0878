import ast
import io
import struct
import subprocess
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import robust
from robust.core.errors import DataError
from robust.datasets import files, pictures
from robust.datasets.folder import folder

PIXELS = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"
Image.init()
NAMED = sorted(Image.ID)


def written(format):
    """A file of the format, where Pillow can write it; of EPS one that Ghostscript would run."""
    file = io.BytesIO()
    for mode in ("RGB", "L", "1", "P"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow will forget some of them
                Image.fromarray(PIXELS).convert(mode).save(file, format)
            return file.getvalue()
        except (KeyError, OSError, ValueError):
            file = io.BytesIO()
    return EPS if format == "EPS" else b""


def png(width, height):
    """The head of a PNG, and nothing behind it."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))


@pytest.mark.parametrize("format", NAMED)
def test_of_all_formats_that_pillow_can_name_those_on_the_list_are_read_and_no_program_is_started(
    tmp_path, monkeypatch, format
):
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **options: pytest.fail(f"a program was started: {args}"))
    (path := tmp_path / "0.png").write_bytes(EPS if format == "EPS" else written(format))
    if format in pictures.FORMATS:
        assert files.read_header(path).height == 16
        assert files.load(path, 3).shape == (16, 16, 3)
    elif path.read_bytes() and format not in ("MPO", "DIB"):  # an MPO of one picture is a JPEG
        for read in (files.read_header, lambda path: files.load(path, 3)):
            with pytest.raises(DataError, match=r"0\.png: cannot be read as an image"):
                read(path)


@pytest.mark.slow
def test_most_formats_were_tried():
    assert len([format for format in NAMED if written(format)]) > 20
    assert len(NAMED) > 40 and "EPS" in NAMED


@pytest.mark.parametrize(("width", "height"), [(8193, 8192), (2**31 - 1, 2**31 - 1), (1, 2**27)])
def test_a_picture_is_not_decoded_where_its_head_says_that_it_is_too_large(tmp_path, width, height):
    (path := tmp_path / "big.png").write_bytes(png(width, height))
    for read in (files.read_header, lambda path: files.load(path, 3)):
        with pytest.raises(
            DataError, match=r"big.png: (has [\d,]+ x [\d,]+ pixels, and 67,108,864 are|cannot be read)"
        ):
            read(path)


@pytest.mark.slow_after_first
@pytest.mark.parametrize("format", ["PNG", "WEBP", "GIF"])
def test_a_large_picture_of_next_to_no_bytes_is_not_decoded(tmp_path, format):
    for side, refused in ((4096, False), (4104, True)):
        (path := tmp_path / "flat.png").write_bytes(packed(Image.new("L", (side, side)), format))
        if refused:
            with pytest.raises(DataError, match=r"flat\.png: has 4,104 x 4,104 pixels, and only [\d,]+ bytes; make"):
                files.read_header(path)
        else:
            assert files.read_header(path).height == side


def test_a_large_picture_with_something_in_it_is_read(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (513, 513)).astype(np.uint8)
    Image.fromarray(np.kron(noise, np.ones((8, 8), np.uint8))).save(tmp_path / "a.png")
    assert files.load(tmp_path / "a.png", 1).shape == (4104, 4104, 1)


def packed(image, format):
    file = io.BytesIO()
    image.save(file, format, **({"quality": 1} if format == "WEBP" else {}))
    return file.getvalue()


@pytest.mark.parametrize(("height", "width", "refused"), [(8, 800, False), (8, 801, True), (1, 100_000, True)])
def test_no_side_is_resized_to_millions_of_pixels(tmp_path, height, width, refused):
    (tmp_path / "f/a").mkdir(parents=True)
    Image.fromarray(np.zeros((height, width), np.uint8)).save(tmp_path / "f/a/0.png")
    if refused:
        for way in ("imagenet", {"size": 8, "crop": 0.5}):
            with pytest.raises(
                DataError, match=r"0\.png: has \d+ x [\d,]+ pixels, and a side may be at most 100 times"
            ):
                folder(path=str(tmp_path / "f"), transform=way)
    for way in ({"size": 8},) if refused else ({"size": 8}, "imagenet"):
        assert folder(path=str(tmp_path / "f"), transform=way).sizes == {"test": 1}


@pytest.mark.parametrize("format", pictures.FORMATS)
def test_whatever_bytes_are_damaged_the_error_is_ours(tmp_path, format):
    random, whole = np.random.default_rng(0), written(format)
    for i in range(60):
        damaged = bytearray(whole[: random.integers(1, len(whole))] if i % 3 == 0 else whole)
        for place in random.integers(0, min(len(damaged), 200 if i % 2 else len(damaged)), 4):
            damaged[place] = random.integers(256)
        (path := tmp_path / "a.png").write_bytes(damaged)
        for read in (files.read_header, lambda path: files.load(path, 1)):
            try:
                read(path)
            except DataError as error:
                assert str(path) in str(error) and "\n" not in str(error)


@pytest.mark.slow
def test_nothing_of_ours_lets_pillow_or_tensorflow_choose_the_format():
    told = ("opened", "open", "decode_image", "decode_png", "decode_jpeg", "load_img", "image_dataset_from_directory")
    for path in Path(robust.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in told:
                of = ast.unparse(node.func)
                is_picture = of.startswith("Image.") or "decode_" in of or "load_img" in of or "dataset_from" in of
                assert not is_picture or path.name == "pictures.py", f"{path}:{node.lineno}: {of}"


def test_a_gif_of_comments_is_refused_before_they_are_gathered(tmp_path):
    Image.new("L", (28, 28)).save(tmp_path / "fine.gif")
    head, whole = (tmp_path / "fine.gif").read_bytes(), tmp_path / "wordy.gif"
    start = head.index(b"\x2c" if b"\x21" not in head else b"\x21", 13)
    whole.write_bytes(head[:start] + b"\x21\xfe\x01a\x00" * 1_000_000 + head[start:])
    with pytest.raises(DataError, match=r"a GIF of 28 x 28 pixels and 5,00\S+ bytes: save the image without comments"):
        pictures.opened(whole)
    with whole.open("rb") as file, pytest.raises(DataError, match="wordy: cannot be read as an image"):
        pictures.opened(file, "wordy")
    whole.write_bytes(head[:start] + b"\x21\xfe\x01a\x00" * 1_000 + head[start:])
    with pictures.opened(whole) as image:
        assert image.size == (28, 28)
