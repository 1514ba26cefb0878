"""A page, a gate and a comparison say what was changed in a report folder since it was written."""

import os

import pytest

from robust.api.cli.report import report
from robust.core.errors import ReportError
from robust.report import page
from robust.report.folder import read
from robust.results import manifest


def edit(folder):
    """A user writes one digit of a number that no other file determines."""
    path = folder / "results.csv"
    path.write_text(path.read_text().replace(",19.0,", ",18.0,", 1))


def written(folder):
    return page.write(folder).read_text()


def test_a_page_of_an_unchanged_folder_says_nothing(folder):
    assert "since it was written" not in written(folder)


def test_numbers_of_a_changed_file_are_shown_and_carry_it_beside_them(folder, capsys):
    edit(folder)
    text = written(folder)
    for section in ("verdict-title", "accuracy-title", "values-title"):
        below = text.split(f'id="{section}"')[1][:400]
        assert "changed since it was written: results.csv" in below, section
    report(folder)
    assert "bounds passed; changed since it was written: results.csv" in capsys.readouterr().out


def test_bounds_that_pass_on_changed_files_are_exit_code_1(folder, capsys):
    with manifest.rewritten(folder):
        for name in ("suite.toml", "results.csv"):
            path = folder / name
            lines = [line for line in path.read_text().splitlines() if "survives" not in line and "0.95" not in line]
            path.write_text("\n".join(lines).replace('models = ["hardened"]', ""))
    assert report(folder) == 0
    edit(folder)
    assert report(folder) == 1
    assert "3 of 3 bounds passed; changed since it was written: results.csv" in capsys.readouterr().out


def test_a_folder_without_a_manifest_says_so(folder, capsys):
    (folder / manifest.NAME).unlink()
    assert "cannot be checked for changes" in written(folder)
    report(folder)
    assert "cannot be checked for changes" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["samples/9999.npz", "outcomes/part.parquet"])
def test_an_added_file_is_named(folder, name):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("")
    assert f"added since it was written: {name}" in written(folder)


@pytest.mark.parametrize("how", ["flip", "cut", "empty", "zero", "delete"])
@pytest.mark.parametrize("name", ["results.csv", "outcomes.parquet", "environment.json", "suite.toml", "samples/*.npz"])
def test_any_damage_is_refused_or_named(folder, name, how):
    path = next(iter(sorted(folder.glob(name))))
    content = path.read_bytes()
    middle = len(content) // 2
    if how == "delete":
        path.unlink()
    else:
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        path.write_bytes({"flip": flipped, "cut": content[:middle], "empty": b"", "zero": bytes(len(content))}[how])
    try:
        found = read(folder).changes
    except ReportError as refused:
        assert str(folder) in str(refused)
    else:
        assert f"since it was written: {path.relative_to(folder)}" in str(found)


def test_changes_are_named_by_the_folder_that_is_read(folder):
    os.truncate(folder / "suite.toml", 20)
    assert read(folder).changes == manifest.changes(folder)
    assert read(folder).changes.changed == ("suite.toml",)
