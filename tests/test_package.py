"""The wheel, installed in an environment of its own and used from another folder."""

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SUITE = """
data = { name = "fashion_mini" }
[model.net]
architecture = { name = "lenet5", width = 0.2 }
[case.clean]
images = 20
"""


def run(*command, **options):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT)
    return next(out.glob("*.whl"))


def test_the_wheel_holds_the_data_the_page_and_the_licences_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    held = {name.removeprefix("robust/") for name in names}
    data = "datasets/data/fashion_mini"
    assert {f"{data}/1.0.0/fashion_mini-{s}.tfrecord-00000-of-00001" for s in ("train", "validation", "test")} <= held
    assert {f"{data}/LICENSE", "datasets/data/superclasses.json", f"{data}/1.0.0/features.json"} <= held
    assert {p.relative_to(ROOT / "robust").as_posix() for p in (ROOT / "robust/report/templates").iterdir()} <= held
    assert {p.relative_to(ROOT / "robust").as_posix() for p in (ROOT / "robust").rglob("*.py")} <= held
    assert {name.split("/")[0] for name in names} == {"robust", "robust-0.1.0.dist-info"}
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert wheel.stat().st_size < 4e6


def test_it_works_installed_by_itself_from_another_folder(wheel, tmp_path):
    run(sys.executable, "-m", "venv", tmp_path / "env")
    own = next((tmp_path / "env").glob("lib/python*/site-packages"))
    run(tmp_path / "env/bin/pip", "install", "--no-deps", "--no-index", wheel)
    # the libraries it needs, from here, but not this checkout: the .pth files there are not read
    (own / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    (tmp_path / "s.toml").write_text(SUITE)
    environment = {"ROBUST_STORE": str(tmp_path / "store"), "PATH": "/usr/bin:/bin"}
    where = run(
        tmp_path / "env/bin/python", "-c", "import robust; print(robust.__file__)", cwd=tmp_path, env=environment
    )
    assert Path(where.strip()).is_relative_to(own)
    told = run(tmp_path / "env/bin/robust", "run", "s.toml", cwd=tmp_path, env=environment)
    assert told == "no bounds to judge; the page: reports/s/index.html\n"
    assert (tmp_path / "reports/s/index.html").stat().st_size > 1e5
    collected = run(
        tmp_path / "env/bin/python", "-m", "pytest", "s.toml", "--collect-only", "-q", cwd=tmp_path, env=environment
    )
    assert "clean[net]" in collected
