"""What others send is looked at before memory is taken for it: each is an error of ours, in little memory."""

import os
import signal
import struct
import tomllib
import zipfile

import numpy as np
import pytest
from PIL import Image

from robust.api import cli
from robust.core import archives, csv_files, files, key_values, signature, toml, types
from robust.core.errors import DataError, ReportError, RobustError, SuiteError
from robust.datasets import checks, pictures
from robust.datasets.arrays import arrays
from robust.datasets.dataset import from_arrays
from robust.datasets.folder import folder as read_folder
from robust.datasets.prepare import prepared
from robust.datasets.taxonomy import trees, wordnet
from robust.report import gallery
from robust.results import tables
from robust.suite import load as load_suite
from robust.suite.classes import names as class_names

GIGA = 2**30


def header(shape, kind="|u1"):
    said = repr({"descr": kind, "fortran_order": False, "shape": shape}).encode()
    said += b" " * (-(len(said) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(said)) + said


def npz(path, **members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def test_an_npz_that_unpacks_to_gigabytes_or_says_so_is_refused(tmp_path, frugal, zeros):
    bomb = zeros(tmp_path / "bomb.npz", "x.npy", GIGA, header((GIGA,)))
    terabytes = npz(tmp_path / "t.npz", x=header((10**12, 8, 8)), y=header((3,), "<i8") + bytes(24))
    nothing = npz(tmp_path / "n.npz", x=header((10**12,), "<U0"), y=header((3,), "<i8") + bytes(24))
    for path, why in ((bomb, "unpack to 1,073,7"), (terabytes, "and holds 0"), (nothing, "of an empty type")):
        with frugal(), pytest.raises(DataError, match=why):
            arrays(path=str(path))
        with frugal(), pytest.raises(ReportError, match=why):
            gallery.read(path)


@pytest.mark.slow
def test_the_remedy_for_what_packs_too_well_works(tmp_path, zeros):
    images, labels = np.zeros((7000, 200, 200), np.uint8), np.arange(7000) % 3
    np.savez_compressed(tmp_path / "packed.npz", x=images, y=labels)
    with pytest.raises(DataError, match="write it without compression"):
        arrays(path=str(tmp_path / "packed.npz"))
    np.savez(tmp_path / "plain.npz", x=images, y=labels)
    with archives.arrays(tmp_path / "plain.npz") as read:
        assert read["x"].shape == images.shape


def test_more_than_there_is_memory_is_refused(monkeypatch):
    monkeypatch.setattr(archives, "memory", lambda: 1000)
    archives.sizes(1000, 1000)
    with pytest.raises(ValueError, match="it unpacks to 1,001 bytes, and this process may have 1,000"):
        archives.sizes(1001, 1001)


@pytest.mark.slow_after_first
@pytest.mark.parametrize(
    "text",
    [
        "a." * 100_000 + "a = 1",
        "[" + "a." * 100_000 + "a]\nb = 1",
        "'a'." * 100_000 + "a = 1",
        '"a" . ' * 100_000 + "a = 1",
        "x = { " + "a." * 100_000 + "a = 1 }",
        "[" * 100_000,
        "a = " + "[" * 100_000,
        "a = " + "{a = " * 100_000,
        "a = " + "1" * 100_000,
        "a" * 1_000_000,
        "\n".join(f"key{i} = 1" for i in range(100_000)),
    ],
    ids=range(11),
)
def test_toml_that_takes_gigabytes_or_the_stack_is_refused(tmp_path, text, frugal):
    with frugal(), pytest.raises(ValueError):
        toml.loads(text)
    (tmp_path / "s.toml").write_text(text)
    with frugal(), pytest.raises(SuiteError, match=r"s\.toml:\d+: not TOML"):
        load_suite(tmp_path / "s.toml")
    if "." in text and "[" not in text and "{" not in text:
        with frugal(), pytest.raises(RobustError):
            key_values.bind("attacks", "pgd", [f"eps={{{text}}}"], "--set")


@pytest.mark.parametrize(
    "text",
    ['a = "' + "x." * 200 + '"', "a = [" + "0.5, " * 200 + "]", "#" + "x." * 200, "a = '''\n" + "x." * 200 + "'''"],
)
def test_what_has_many_dots_and_no_long_key_is_read(text):
    assert toml.loads(text) == tomllib.loads(text)


def test_a_label_of_a_milliard_makes_no_names(frugal, zeros):
    for classes in (None, 10**9):
        with frugal(), pytest.raises(DataError, match=r"labels\[1\] is 999999999; allowed|classes: 1,000,000,000"):
            from_arrays(np.zeros((2, 4, 4, 1), np.uint8), [0, 999_999_999], classes)
    assert checks.check_labels([0, checks.CLASSES - 1], 2, None)[1] == checks.CLASSES - 1


def test_a_text_without_an_end_is_not_read_and_a_byte_order_mark_is_none_of_it(tmp_path, frugal):
    with frugal(300), pytest.raises(SuiteError, match="cannot be read"):
        load_suite("/dev/zero")
    (tmp_path / "a.toml").write_bytes(b"\xef\xbb\xbfa = 1\r\nb = 2\r\n")
    assert files.text(tmp_path / "a.toml") == "a = 1\nb = 2\n"
    (tmp_path / "s.toml").write_bytes(
        b"\xef\xbb\xbf" + b'data = { name = "fashion_mini" }\n[model.m]\narchitecture = "lenet5"\n[case.c]\n'
    )
    assert load_suite(tmp_path / "s.toml").name == "s"


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**400])
def test_whole_numbers_of_more_than_64_bits_are_no_toml(tmp_path, number):
    for text in (f"a = {number}", f"a = [{{ b = [1, {number}] }}]"):
        with pytest.raises(ValueError, match="has more than 64 bits"):
            toml.loads(text)
    assert toml.loads(f"a = {2**63 - 1}\nb = {-(2**63)}") == {"a": 2**63 - 1, "b": -(2**63)}
    for annotation in (types.Severity, types.Seed):
        with pytest.raises(SuiteError, match="x = "):
            signature.convert(number, annotation, "x")


def test_a_message_is_one_line_without_orders_to_the_terminal(capsys):
    cli._print_error("photos/a\nb\x1b[31m\x9b.png: " + "x " * 100_000 + "y" * 100_000)
    said = capsys.readouterr().err
    assert said.startswith(r"robust: photos/a\nb\x1b[31m\x9b.png: x x") and said.endswith("yyyy\n")
    assert said.count("\n") == 1 and len(said) < 4000


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31m", "a\tb", "a\x9b1m", "a\x7f"])
def test_names_with_control_characters_are_refused(tmp_path, name):
    (tmp_path / "f" / name).mkdir(parents=True)
    (tmp_path / "g/a").mkdir(parents=True)
    (tmp_path / "g/a" / f"{name}.png").touch()
    for folder in ("f", "g"):
        with pytest.raises(DataError, match=r"a name with the control character .*; rename it"):
            read_folder(path=str(tmp_path / folder))
    (tmp_path / "t").mkdir()
    Image.new("L", (4, 4)).save(tmp_path / "t/0.png")
    (tmp_path / "t/l.csv").write_text(f'file,label\n0.png,"{name}"\n')
    with pytest.raises(DataError, match=r"l\.csv:.* a name with the control character"):
        read_folder(path=str(tmp_path / "t"), labels="l.csv")


def test_a_table_whose_first_line_has_no_end_is_not_parsed(tmp_path, frugal):
    (path := tmp_path / "results.csv").write_bytes(b"suite" + b",a" * 1_000_000)
    with frugal(10), pytest.raises(ReportError, match=r"results\.csv: cannot be read \(its first line has more than"):
        tables.read_results(path)


@pytest.fixture
def at_once():
    """What waits for the other end of a pipe is ended."""
    signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it waits"))
    signal.alarm(60)
    yield
    signal.alarm(0)


READERS = {
    "a suite": (load_suite, "s.toml"),
    "classes": (lambda path: class_names(str(path)), "names.txt"),
    "classes as JSON": (lambda path: class_names(str(path)), "names.json"),
    "arrays": (lambda path: arrays(path=str(path)), "a.npz"),
    "a picture": (pictures.opened, "a.png"),
    "a hierarchy": (trees.read, "tree.csv"),
    "nouns": (lambda path: wordnet.paths(["n01440764"], path), "data.noun"),
    "results": (csv_files.read, "results.csv"),
    "a hash": (lambda path: files.sha256(path, 0), "model.keras"),
    "a stand-in": (files.placeholder, "weights.pth"),
    "a prepared set": (lambda path: prepared("mine", str(path.parents[2])), "mine/1.0.0/dataset_info.json"),
}


@pytest.mark.parametrize("kind", ["pipe", "device"])
@pytest.mark.parametrize("reader", READERS)
def test_a_pipe_or_a_device_is_not_waited_for(tmp_path, at_once, reader, kind, frugal):
    read, name = READERS[reader]
    (path := tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with frugal(), pytest.raises((RobustError, OSError), match="is not a file, but a pipe or a device"):
        read(path)


def test_a_hierarchy_of_a_thousand_levels_is_refused(tmp_path):
    (path := tmp_path / "tree.csv").write_text("cat," + ",".join(f"g{i}" for i in range(5000)))
    with pytest.raises(DataError, match=r"tree\.csv:1: 'cat' has 5,000 groups above it; at most 50"):
        trees.read(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "00000001 03 n 01 cat 0 001 @ 00000002 n 0000 | a\n00000002 03 n 01 dog 0 001 @ 00000002 n 0000 | b",
            "damaged",
        ),
        ("00000001 03 n 01 cat 0 001 @ 00000009 n 0000 | a", "damaged"),
        ("00000001 03 n zz cat", "cannot be read as WordNet"),
        ("00000001", "cannot be read as WordNet"),
    ],
    ids=["a ring", "a gap", "no number", "cut off"],
)
def test_nouns_that_are_none_are_an_error_of_ours(tmp_path, at_once, text, words):
    (path := tmp_path / "data.noun").write_text(text + "\n")
    with pytest.raises(DataError, match=words):
        wordnet.paths(["n00000001"], path)


@pytest.mark.parametrize(
    ("model", "case", "words"),
    [
        (
            "",
            'attack = { name = "pgd", eps = 0.1, steps = 1000000000000000000 }',
            "steps = 1000000000000000000: probably a mis",
        ),
        (
            "",
            "max_images = 1000000000000000000",
            "max_images = 1000000000000000000: probably a mistake; at most 10,000,000",
        ),
        (f"seeds = {list(range(10_001))}", "", "seeds: 10,001 of them, probably a mistake; at most 10,000"),
        ("", f'attack = {{ name = "pgd", eps = {[i / 20_000 for i in range(10_001)]} }}', "eps: 10,001 of them"),
    ],
)
def test_what_is_counted_in_a_suite_ends_somewhere(tmp_path, model, case, words):
    text = f'data = {{ name = "fashion_mini" }}\n[model.m]\narchitecture = "lenet5"\n{model}\n[case.c]\n{case}\n'
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(SuiteError, match=words):
        load_suite(tmp_path / "s.toml")
    assert signature.convert(types.MOST, types.Count, "n") == types.MOST


@pytest.mark.slow
def test_an_archive_of_more_members_than_any_has_is_not_looked_through(tmp_path):
    with zipfile.ZipFile(tmp_path / "many.npz", "w") as archive:
        for each in range(20_001):
            archive.writestr(f"a{each}.npy", b"")
    with pytest.raises(DataError, match="it has 20,001 members; at most 20,000"):
        arrays(path=str(tmp_path / "many.npz"))
