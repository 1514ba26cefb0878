"""The wheel, installed in an environment of its own and used from another folder."""

import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SUITE = """
data = { name = "fashion_mini" }
[model.net]
architecture = { name = "lenet5", width = 0.2 }
[case.clean]
max_images = 20
"""


@pytest.mark.slow
def test_the_wheel_holds_the_data_the_page_and_the_licences_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    held = {name.removeprefix("robust/") for name in names}
    data = "datasets/data/fashion_mini"
    assert {f"{data}/1.0.0/fashion_mini-{s}.tfrecord-00000-of-00001" for s in ("train", "validation", "test")} <= held
    assert {f"{data}/LICENSE", "datasets/data/superclasses.json", f"{data}/1.0.0/features.json"} <= held
    templates = [path for path in (ROOT / "robust/report/templates").rglob("*") if path.is_file()]
    assert {path.relative_to(ROOT / "robust").as_posix() for path in templates} <= held
    assert {p.relative_to(ROOT / "robust").as_posix() for p in (ROOT / "robust").rglob("*.py")} <= held
    assert {name.split("/")[0] for name in names} == {"robust", "robust-0.1.0.dist-info"}
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert wheel.stat().st_size < 5.5e6  # fashion_mini 3.0 MB, photos 1.1, frost .4


@pytest.mark.slow
def test_it_works_installed_by_itself_from_another_folder(wheel, environment, command, tmp_path):
    command(environment / "bin/pip", "install", "--no-deps", "--no-index", wheel)
    (tmp_path / "s.toml").write_text(SUITE)
    settings = {"cwd": tmp_path, "env": {"ROBUST_STORE": str(tmp_path / "store"), "PATH": "/usr/bin:/bin"}}
    where = command(environment / "bin/python", "-c", "import robust; print(robust.__file__)", **settings)
    assert Path(where.strip()).is_relative_to(environment)
    told = command(environment / "bin/robust", "run", "s.toml", **settings)
    assert told == "no bounds to judge; the page: reports/s/index.html\n"
    assert (tmp_path / "reports/s/index.html").stat().st_size > 1e5
    collected = command(environment / "bin/python", "-m", "pytest", "s.toml", "--collect-only", "-q", **settings)
    assert "clean[net]" in collected
