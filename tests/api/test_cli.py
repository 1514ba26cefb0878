import errno
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from robust.api import cli
from robust.core import errors, registry

BLOCKER = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "keras"):
            raise ImportError(f"{name} is not to be imported here")
sys.meta_path.insert(0, Refuse())
sys.argv = ["robust", *sys.argv[1:]]
from robust.api.cli import main
main()
"""
SUITE = """
data = { name = "fashion_mini" }
[model.net]
architecture = { name = "lenet5", width = 0.2 }
[case.clean]
max_images = 20
expect = { top1 = "%s" }
"""


def without_tensorflow(*arguments, **options):
    command = [sys.executable, "-W", "error", "-c", BLOCKER, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def robust(*arguments, **options):
    command = [sys.executable, "-m", "robust", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


@pytest.fixture
def suite(tmp_path, monkeypatch):
    monkeypatch.setenv("ROBUST_STORE", str(tmp_path / "store"))

    def write(bound):
        path = tmp_path / "s.toml"
        path.write_text(SUITE % bound)
        return path

    return write


def test_a_run_says_the_verdict_and_the_page_and_report_draws_it_again_without_tensorflow(suite, tmp_path):
    done = robust("run", suite(">= 0"), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "1 of 1 bounds passed; the page: reports/s/index.html\n")
    assert done.stderr.startswith("clean[net]: top1 0.") and len(done.stderr.splitlines()) == 1  # no word of TensorFlow
    page = tmp_path / "reports/s/index.html"
    drawn = page.read_bytes()
    page.unlink()
    again = without_tensorflow("report", tmp_path / "reports/s")
    assert (again.returncode, again.stderr) == (0, "")
    assert page.read_bytes() == drawn


@pytest.mark.slow
def test_a_missed_bound_is_exit_code_1_and_says_the_number(suite, tmp_path, robust_command):
    done = robust_command("run", suite("> 0.99"), "--out", tmp_path / "out")
    assert done.returncode == 1
    missed, verdict = done.stdout.splitlines()
    assert missed.startswith("missed: clean[net] top1 0.") and missed.endswith("] is not > 0.99")
    assert verdict == f"0 of 1 bounds passed; the page: {tmp_path / 'out/index.html'}"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "suites/quik.toml"], "suites/quik.toml: ... did you mean 'suites/quick.toml'?"),
        (["run", "suites/quick.toml", "-k", "pgd and ("], "-k 'pgd and (': write words with and, or, not"),
        (["run", "suites/quick.toml", "-k", "fog"], "nothing matches -k 'fog'"),
        (["run", "suites/quick.toml", "--oot", "x"], "Did you mean --out"),
        (["run"], "requires an argument"),
        (["list", "atacks"], "there is no catalogue 'atacks'; did you mean 'attacks'?"),
        (["report", "suites"], "environment.json is missing"),
        (["rum"], 'Did you mean "run"'),
        (["describe", "vgg16", "--option", "nrom=batch"], "nrom: vgg16 takes no 'nrom'; did you mean 'norm'?"),
        (["describe"], "name a network, as in `robust describe vgg16`, or pass --all"),
        (["describe", "--all", "--classes", "7"], "describe --all: the family is counted as published"),
    ],
)
def test_bad_usage_is_exit_code_2_and_a_line_that_says_what_to_do(arguments, told, robust_command):
    done = robust_command(*arguments, cwd=Path(__file__).parents[2])
    assert done.returncode == 2
    said = " ".join((done.stdout + done.stderr).replace("│", " ").split())
    assert all(part in said for part in told.split(" ... "))
    assert "Traceback" not in done.stderr


def test_help_and_list_and_a_mistake_in_a_suite_need_no_tensorflow(suite):
    assert "run" in without_tensorflow("--help").stdout
    listed = without_tensorflow("list")
    assert listed.returncode == 0
    assert all(f"  {name} " in listed.stdout for kind in registry.KINDS for name in registry.names(kind))
    only = without_tensorflow("list", "attacks").stdout
    assert "pgd" in only and "resnet20" not in only
    wrong = without_tensorflow("run", suite(">== 0"))
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "s.toml:7: expect.top1: bound '>== 0'" in wrong.stderr


@pytest.mark.slow
def test_describe_prints_the_layers_and_the_sums_and_nothing_of_tensorflow(tmp_path):
    shape = ["--input-shape", "32", "32", "1", "--classes", "7", "--option", "width=0.5"]
    done = robust("describe", "lenet5", *shape, "--out", tmp_path / "layers.csv")
    assert (done.returncode, done.stderr) == (0, "")
    assert "c3             Conv2D            10x10x8" in done.stdout
    assert "depth       5 layers" in done.stdout
    assert (tmp_path / "layers.csv").read_text().startswith("layer,kind,shape,parameters,")


@pytest.mark.slow
def test_describe_all_prints_the_family_and_draws_its_page(tmp_path):
    done = robust("describe", "--all", cwd=tmp_path)
    assert done.returncode == 0
    assert "265 ≠ 264" in done.stdout and "138,357,544 =" in done.stdout
    for name in ("index.html", "architectures.csv", "vgg16.csv"):
        assert (tmp_path / "reports/architectures" / name).is_file()


@pytest.mark.slow
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_stopped_keeps_what_it_found_and_says_how_to_go_on(suite, tmp_path, sent, code):
    path = suite(">= 0")
    path.write_text(path.read_text() + '[case.long]\nattack = { name = "pgd", eps = "1/255", steps = 100000 }\n')
    with subprocess.Popen(
        [sys.executable, "-m", "robust", "run", str(path), "--out", str(tmp_path / "out")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as running:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("store/blocks/*/key.json")) and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(1)
        running.send_signal(sent)
        told = running.communicate(timeout=60)[1]
    assert running.returncode == code
    assert told.endswith("robust: stopped; run it again to resume\n"), told
    assert (tmp_path / "out/index.html").is_file()


def test_a_foreign_function_needs_trust(tmp_path, robust_command):
    path = tmp_path / "s.toml"
    path.write_text('data = { name = "fashion_mini" }\n[model.m]\npython = "antigravity:net"\n[case.c]\n')
    done = robust_command("run", path)
    assert done.returncode == 2 and "--allow-code" in done.stderr


@pytest.mark.slow
def test_a_reader_that_leaves_early_is_no_error():
    command = f"{sys.executable} -m robust list | head -n 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "architectures\n", "")


def test_the_version_is_that_of_the_package(capsys):
    from importlib.metadata import version

    with pytest.raises(SystemExit):
        cli.app(["--version"])
    assert version("robust") in capsys.readouterr().out


def fails(monkeypatch, capsys, error):
    def app(*arguments, **options):
        raise error

    monkeypatch.setattr(cli, "app", app)
    monkeypatch.setattr(cli.signal, "signal", lambda number, handler: None)
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and told.startswith("robust: ") and len(told) < 1000
    return stopped.value.code, told.removeprefix("robust: ").rstrip("\n")


def test_an_error_of_ours_is_exit_code_4_and_a_line_that_names_a_file_with_the_traceback(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code, told = fails(monkeypatch, capsys, KeyError("first line\n" + "x" * 5000 + "\udcff"))
    assert code == 4
    assert told.startswith("this is an error of robust ") and "KeyError" in told
    file = Path(told.rpartition(": ")[2])
    assert file.parent == tmp_path and "Traceback" in file.read_text("utf-8") and "in app" in file.read_text("utf-8")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENAMETOOLONG, "File name too long", "x" * 5000), "File name too long"),
        (OSError(errno.EFBIG, "File too large"), "File too large"),
        (OSError(errno.ENOSPC, "No space left on device", "a.csv"), "a.csv: No space left on device"),
        (errors.DataError("x" * 5000 + " is not known"), "xxx is not known"),
        (ImportError("a.so: failed to map segment from shared object"), "it needs more memory than there is"),
        (MemoryError(), "it needs more memory than there is"),
    ],
)
def test_what_the_machine_refuses_is_bad_input_and_no_traceback(monkeypatch, capsys, error, said):
    code, told = fails(monkeypatch, capsys, error)
    assert code == 2 and said in told
