import csv
import json
import re

import keras
import numpy as np
import pytest
from PIL import Image

import robust
from robust.api import cli
from robust.core.errors import DataError
from robust.datasets.folder import folder
from robust.datasets.from_python import read
from robust.suite import read_data

random = np.random.default_rng(0)
COLOUR = random.integers(0, 256, (5, 7, 3)).astype(np.uint8)
GREY = COLOUR[..., 0]


def save(path, pixels=COLOUR, mode=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


@pytest.fixture
def photos(tmp_path):
    root = tmp_path / "photos"
    save(root / "cat/b.png")
    save(root / "cat/a.bmp", 255 - COLOUR)
    save(root / "dog/deep/c.webp", COLOUR[::-1], lossless=True)
    (root / "dog/.DS_Store").write_bytes(b"x")
    (root / "LICENSE").write_text("beside the classes, anything may stand")
    return root


def complaint(**options) -> str:
    with pytest.raises(DataError) as caught:
        folder(**options)
    return str(caught.value)


def test_a_folder_for_each_class(photos):
    data = folder(path=str(photos))
    assert (data.name, data.classes, data.image_shape, dict(data.sizes)) == (
        "photos", ("cat", "dog"), (5, 7, 3), {"test": 3},
    )  # fmt: skip
    examples = data.examples("test")
    assert examples.ids.tolist() == ["cat/a.bmp", "cat/b.png", "dog/deep/c.webp"]
    assert examples.labels.tolist() == [0, 0, 1]
    expected = np.stack([255 - COLOUR, COLOUR, COLOUR[::-1]])
    assert np.array_equal(np.round(examples.images * 255), expected)


def test_imagenet_s_ids_are_shown_as_names_in_the_order_of_the_ids(tmp_path):
    for wnid in ("n02510455", "n01440764", "n02483362"):
        save(tmp_path / "val" / wnid / "a.png")
    data = folder(path=str(tmp_path / "val"))
    assert data.classes == ("tench", "gibbon", "giant panda") and data.superclasses["fish"] == ("tench",)
    assert dict(zip(data.examples("test").ids, data.examples("test").labels.tolist(), strict=True)) == {
        "n01440764/a.png": 0, "n02483362/a.png": 1, "n02510455/a.png": 2,
    }  # fmt: skip


def test_train_validation_and_test_folders(tmp_path):
    for i, split in enumerate(("train", "train", "val", "test")):
        save(tmp_path / split / ("x" if split != "test" else "y") / f"{i}.png", GREY)
    data = folder(path=str(tmp_path))
    assert dict(data.sizes) == {"train": 2, "validation": 1, "test": 1}
    assert (data.classes, data.image_shape) == (("x", "y"), (5, 7, 1))
    assert data.examples("validation").ids.tolist() == ["val/x/2.png"]
    assert data.examples("test").labels.tolist() == [1]


def test_a_class_may_be_called_test_beside_others(tmp_path):
    save(tmp_path / "test/1.png")
    save(tmp_path / "other/1.png")
    assert folder(path=str(tmp_path)).classes == ("other", "test")


@pytest.mark.parametrize(
    ("name", "mode", "options"),
    [
        ("a.png", "RGB", {}), ("a.PNG", "P", {}), ("a.png", "RGBA", {}), ("a.gif", "P", {}), ("a.bmp", "RGB", {}),
        ("a.bmp", "P", {}), ("a.webp", "RGB", {"lossless": True}), ("a.png", "L", {}), ("a.png", "1", {}),
        ("a.bmp", "1", {}), ("a.gif", "L", {}), ("a.png", "LA", {}), ("a.jpeg", "RGB", {"quality": 95}),
        ("a.JPG", "L", {}), ("a.jpg", "CMYK", {}),
    ],
)  # fmt: skip
def test_every_format_is_what_pillow_shows(tmp_path, name, mode, options):
    path = save(tmp_path / "x" / name, mode=mode, **options)
    data = folder(path=str(tmp_path))
    with Image.open(path) as image:
        grey = image.mode in ("1", "L", "LA")
        shown = np.asarray(image.convert("L" if grey else "RGB")).reshape(5, 7, -1)
    assert data.image_shape == (5, 7, 1 if grey else 3)
    assert np.array_equal(np.round(data.examples("test").images[0] * 255), shown)


def test_grey_among_colour_becomes_colour(tmp_path):
    save(tmp_path / "x/1.png", GREY)
    save(tmp_path / "x/2.png")
    images = folder(path=str(tmp_path)).examples("test").images
    assert np.array_equal(np.round(images[0] * 255), np.repeat(GREY[..., None], 3, axis=-1))


def test_a_table_of_files_and_labels(photos):
    with (photos / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("file", "label", "split", "author"), ("dog/deep/c.webp", "10", "", "me"), ("cat/b.png", "9", "train", "")]
        )
    data = folder(path=str(photos), labels="labels.csv")
    assert (data.classes, dict(data.sizes)) == (("9", "10"), {"train": 1, "test": 1})
    assert data.examples("test").ids.tolist() == ["dog/deep/c.webp"]
    assert data.examples("test").labels.tolist() == [1]


def test_whole_numbers_with_a_point_are_in_the_order_of_numbers(photos):
    """As pandas writes a column of integers that once had a gap."""
    for label, classes in (("9.0", ("9", "10")), ("9.5", ("10.0", "9.5"))):
        (photos / "labels.csv").write_text(f"file,label\ndog/deep/c.webp,10.0\ncat/b.png,{label}\n")
        data = folder(path=str(photos), labels="labels.csv")
        assert data.classes == classes
        assert bool(data.remarks) == (label == "9.0")


def test_the_fingerprint_follows_the_files(photos):
    base = folder(path=str(photos)).fingerprint
    assert folder(path=str(photos)).fingerprint == base
    others = [folder(path=str(photos), transform={"size": 4})]
    save(photos / "cat/b.png", COLOUR[:, ::-1])
    others.append(folder(path=str(photos)))
    (photos / "cat/b.png").rename(photos / "cat/z.png")
    others.append(folder(path=str(photos)))
    assert len({base, *(each.fingerprint for each in others)}) == 4


def test_images_of_different_sizes_need_a_transform(photos):
    save(photos / "dog/wide.png", np.repeat(COLOUR, 2, axis=1))
    said = complaint(path=str(photos))
    assert f"{photos}/dog/wide.png is 5 x 14" in said and f"{photos}/cat/a.bmp 5 x 7" in said
    assert "transform='imagenet' or transform=224" in said
    data = folder(path=str(photos), transform={"size": 4, "crop": 0.8})
    assert data.examples("test").images.shape == (4, 4, 4, 3)
    assert folder(path=str(photos), transform="imagenet").image_shape == (224, 224, 3)


def test_a_file_that_is_cut_off_is_named_when_it_is_read(photos):
    whole = save(photos / "cat/b.png", np.tile(COLOUR, (1, 1, 1))).read_bytes()
    (photos / "cat/b.png").write_bytes(whole[: len(whole) * 2 // 3])
    data = folder(path=str(photos))
    with pytest.raises(DataError) as caught:
        data.examples("test")
    assert f"data set 'photos': split 'test': {photos}/cat/b.png: cannot be decoded (" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cast", [np.rint, np.floor])
def test_floats_that_were_cast_to_bytes_are_refused_and_the_remedy_works(tmp_path, cast):
    images = np.random.default_rng(0).random((4, 6, 6))
    for place, image in enumerate(images):
        save(tmp_path / f"{place % 2}" / f"{place}.png", cast(image).astype("uint8"))
    with pytest.raises(DataError, match=r"no pixel above 1 of 255.*save them with white as 255") as refused:
        read(read_data(str(tmp_path)))
    meant = eval(str(refused.value).rpartition("white as 255: ")[2], {"images": images})
    for place, image in enumerate(meant):
        save(tmp_path / f"{place % 2}" / f"{place}.png", image)
    assert read(read_data(str(tmp_path))).examples("test").images.max() > 0.9


def test_what_is_refused(photos):
    assert complaint(path=str(photos / "bird")) == f"folder '{photos}/bird': there is no such folder"
    (photos / "empty").mkdir()
    assert complaint(path=str(photos / "empty")) == (
        f"folder '{photos}/empty': no images; allowed: a folder for each class, or labels = \"labels.csv\""
    )
    (photos / "cat/notes.txt").write_text("x")
    (photos / "cat/notes.txt").rename(photos / "cat/notes.png")
    assert complaint(path=str(photos)).startswith(f"{photos}/cat/notes.png: cannot be read as an image (")
    Image.fromarray(GREY.astype(np.uint16) * 257).save(photos / "cat/notes.png")
    said = complaint(path=str(photos))
    parts = (f"{photos}/cat/notes.png: its pixels are 'I;16'", "allowed: 8 bits a channel", "of 16 bits")
    assert all(part in said for part in parts)


TABLE = "file;label;Split\r\ncat/b.png; Löwe ;Valid\r\ndog/deep/c.webp;Hund;\r\n\r\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("between", [";", ",", "\t"])
def test_tables_as_spreadsheets_write_them(photos, encoding, between):
    (photos / "labels.csv").write_bytes(TABLE.replace(";", between).encode(encoding))
    data = folder(path=str(photos), labels="labels.csv")
    assert (data.classes, dict(data.sizes)) == (("Hund", "Löwe"), {"validation": 1, "test": 1})
    assert data.examples("validation").ids.tolist() == ["cat/b.png"]


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("cp1252", "labels.csv: ... line 2 is not UTF-8 ... a byte 0xf6 ... save it as UTF-8"),
        ("utf-16-le", "labels.csv: ... holds bytes of 0 ... UTF-16LE ... save it as UTF-8"),
        ("utf-16-be", "labels.csv: ... holds bytes of 0 ... UTF-16BE ... save it as UTF-8"),
    ],
)
def test_a_table_in_another_encoding_is_refused_and_the_remedy_works(photos, encoding, expected):
    (photos / "labels.csv").write_bytes(TABLE.encode(encoding))
    said = complaint(path=str(photos), labels="labels.csv")
    assert all(part in said for part in expected.split(" ... "))
    source = re.search(r"iconv -f (\S+) -t UTF-8 OLD > NEW", said)[1]
    assert source.replace("-", "").lower() == encoding.replace("-", "")
    (photos / "labels.csv").write_bytes((photos / "labels.csv").read_bytes().decode(source).encode("utf-8"))
    assert folder(path=str(photos), labels="labels.csv").classes == ("Hund", "Löwe")


def test_what_is_passed_by_is_a_warning_a_line_a_record_and_on_the_page(photos, tmp_path, capsys):
    for place in ("cat/Thumbs.db", "cat/notes.txt"):
        (photos / place).write_bytes(b"x")
    model = keras.Sequential([keras.Input((5, 7, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    model.save(tmp_path / "m.keras")
    said = "data photos: skipped, as no images: 2 ('LICENSE', 'cat/notes.txt')"
    with pytest.warns(UserWarning) as caught:
        robust.evaluate(model, f"{photos}/", out=tmp_path / "out")
    told = [str(each.message) for each in caught]
    assert said in told and "'cat/Thumbs.db', 'dog/.DS_Store'" in " ".join(told)
    notes = json.loads((tmp_path / "out/environment.json").read_text())["data"]["notes"]
    assert said in notes and sum(note.startswith("data photos: ") for note in notes) == 3
    assert "skipped, as no images: 2" in (tmp_path / "out/index.html").read_text()
    with pytest.warns(UserWarning) as caught:
        robust.RobustAccuracy(folder(path=str(photos)), "fgsm", max_images=2)
    assert said in [str(each.message) for each in caught]
    arguments = ["evaluate", str(tmp_path / "m.keras"), "--data", f"{photos}/"]
    assert cli.app(arguments, exit_on_error=False, result_action="return_value") == 0
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("file\ncat/b.png\n", "labels.csv:2: has no 'label' ... columns are file; allowed: file, label"),
        ("file,label\ncat/b.png,x\ncat/q.png,x\n", "labels.csv:3: there is no file 'cat/q.png' in "),
        ("file,label,split\ncat/b.png,x,tset\n", "labels.csv:2: a split 'tset'; did you mean 'test'?"),
        ("file,label\n", "labels.csv: names no image"),
        ("file,label\ncat/b.png,x\ncat/b.png,y\n", "labels.csv:3: names the file 'cat/b.png' again, as line 2 does"),
        (
            "file,label,\ncat/b.png,x,\ncat/e.png,clothes, upper\n",
            "labels.csv:3: has 3 cells ... 2 columns, file, label ... 'upper' is in none ... quote",
        ),
        (
            "file;label\ncat/b.png;a;;b\n",
            "labels.csv:2: has 4 cells ... 2 columns, file, label ... 'b' is in none",
        ),
        ("label,file\nclothes, upper,cat/b.png\n", "labels.csv:2: has 3 cells ... 2 columns, label, file"),
        ("file,label, Label\ncat/b.png,x,y\n", "labels.csv:1: names the column 'label' twice; rename or remove one"),
    ],
)
def test_tables_that_are_refused(photos, content, expected):
    (photos / "labels.csv").write_text(content)
    said = complaint(path=str(photos), labels="labels.csv")
    assert all(part in said for part in expected.split(" ... "))
    assert "labels = 'lab.csv': there is no such file in" in complaint(path=str(photos), labels="lab.csv")


def test_what_refuses_a_table_is_typed_as_it_says(photos):
    (photos / "labels.csv").write_text('file,label,\ncat/b.png,"clothes, upper",\ncat/a.bmp,shoes\n')
    assert folder(path=str(photos), labels="labels.csv").classes == ("clothes, upper", "shoes")
    (photos / "labels.csv").write_text(",file,label,,\n0,cat/b.png,x,,\n1,cat/a.bmp,y,,\n")  # as pandas writes an index
    assert folder(path=str(photos), labels="labels.csv").classes == ("x", "y")


def with_orientation(place):
    exif = Image.Exif()
    exif[0x0112] = place
    return exif.tobytes()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_images_that_a_camera_held_otherwise_are_read_as_stored_and_counted(tmp_path, suffix):
    for name, place in {"a": 1, "b": 6, "c": 3, "d": 0}.items():
        save(tmp_path / f"cat/{name}{suffix}", exif=with_orientation(place))
    save(tmp_path / f"dog/e{suffix}")
    save(tmp_path / f"dog/f{suffix}", exif=b"Exif\0\0nothing that can be read")
    data = folder(path=str(tmp_path))
    assert data.image_shape == (5, 7, 3)
    assert np.array_equal(data.examples("test").images[1], data.examples("test").images[0])
    [said] = data.remarks
    words, remedy = said.split("; to turn them: ")
    assert all(part in words for part in ("2 of 6 images", "EXIF orientation", "read as stored"))
    for name in "bc":
        exec(remedy, {"file": tmp_path / f"cat/{name}{suffix}"})
    with Image.open(tmp_path / f"cat/b{suffix}") as turned:
        assert turned.size == (5, 7)
    (tmp_path / f"cat/b{suffix}").unlink()
    assert folder(path=str(tmp_path)).remarks == ()


def test_the_head_alone_is_looked_at_for_an_orientation(tmp_path, monkeypatch):
    monkeypatch.setattr(Image.Image, "convert", None)
    path = save(tmp_path / "cat/a.png", exif=with_orientation(6))
    (tmp_path / "cat/b.png").write_bytes(path.read_bytes()[:-40])  # its pixels end early
    save(tmp_path / "cat/c.png")
    assert folder(path=str(tmp_path)).remarks[0].startswith("2 of 3 images with an EXIF orientation")
