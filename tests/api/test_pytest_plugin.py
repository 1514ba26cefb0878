import subprocess
import sys
import xml.etree.ElementTree as ET

import keras
import numpy as np
import pytest
import tensorflow as tf

from robust.results import tables

pytest_plugins = ["pytester"]

SUITE = """
data = { name = "fashion_mini" }

[model.one]
architecture = { name = "lenet5", width = 0.2 }
train = { recipe = "short", epochs = 1 }

[model.two]
architecture = { name = "mlp", width = 0.2 }
seeds = [0, 1]

[case.clean]
max_images = 20
expect = { top1 = ">= 0" }

[case.fgsm]
models = ["two"]
attack = { name = "fgsm", eps = "8/255" }
max_images = 20
expect = { top1 = "> 0.99" }
"""
IDS = ["clean[one]", "clean[two-0]", "fgsm[two-0]", "clean[two-1]", "fgsm[two-1]"]


@pytest.fixture
def suite(pytester, monkeypatch, tmp_path_factory):
    """A suite in a project of its own; the store is shared, so that its model is trained once for all tests."""
    monkeypatch.setenv("ROBUST_STORE", str(tmp_path_factory.getbasetemp() / "plugin-store"))
    pytester.mkdir("suites")
    path = pytester.path / "suites/s.toml"
    path.write_text(SUITE)
    return path


def ids(result):
    return [
        line.partition("::")[2] for line in result.outlines if "::" in line and not line.startswith(("FAILED", "ERROR"))
    ]


@pytest.mark.slow
def test_collecting_imports_no_tensorflow_and_names_each_case_on_each_model(pytester, suite):
    pytester.makeconftest(
        "import sys\ndef pytest_sessionfinish():\n    assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
    )
    result = pytester.runpytest_subprocess("suites/s.toml", "--collect-only", "-q")
    assert result.ret == 0
    assert ids(result) == IDS


def test_a_run_passes_and_fails_in_three_lines_and_writes_the_page(pytester, suite):
    result = pytester.runpytest_subprocess("suites/s.toml", "-k", "two-1", "--junitxml=junit.xml", "-W", "error")
    result.assert_outcomes(passed=1, failed=1)
    at = next(i for i, line in enumerate(result.outlines) if line.startswith("top1 0."))
    number, where, page = result.outlines[at : at + 3]
    assert number.endswith("is not > 0.99 (20 images, fgsm at eps 8/255 on two)")
    assert (where, page) == ("suites/s.toml:16", "page: reports/s/index.html")
    assert "Traceback" not in result.stdout.str() and "oneDNN" not in result.stdout.str() + result.stderr.str()
    assert (pytester.path / "reports/s/index.html").is_file()
    result.stdout.fnmatch_lines(["robust: the page is *reports/s/index.html"])
    cases = {case.get("name"): case for case in ET.parse(pytester.path / "junit.xml").iter("testcase")}
    assert cases.keys() == {"clean[two-1]", "fgsm[two-1]"}
    assert cases["fgsm[two-1]"].find("failure") is not None
    assert cases["clean[two-1]"].find("properties/property").get("value").startswith("top1 0.")


@pytest.mark.slow
def test_a_node_id_runs_one_test(pytester, suite):
    result = pytester.runpytest_subprocess("suites/s.toml::clean[two-0]", "-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*::clean?two-0? PASSED*"])


@pytest.mark.slow
def test_x_stops_at_the_first_failure_and_the_page_is_still_written(pytester, suite):
    result = pytester.runpytest_subprocess("suites/s.toml", "-x", "-k", "two")
    result.assert_outcomes(passed=1, failed=1)
    assert (pytester.path / "reports/s/index.html").is_file()


@pytest.mark.slow
def test_two_workers_train_a_model_once_and_the_controller_writes_all(pytester, suite, monkeypatch):
    store = pytester.path / "store"
    monkeypatch.setenv("ROBUST_STORE", str(store))
    result = pytester.runpytest_subprocess("suites/s.toml", "-n", "2")
    result.assert_outcomes(passed=3, failed=2)
    assert len([p for p in (store / "models").iterdir() if p.is_dir()]) == 3  # one for each model and seed
    results = tables.read_results(pytester.path / "reports/s/results.csv")
    assert len(results[["model", "seed", "case"]].drop_duplicates()) == len(IDS)


SLOW = '''
import os, time
from pathlib import Path
import numpy as np
import robust

@robust.corruption()
def dim(images, *, seeds, severity: int = 1):
    """Darker; it notes which worker came here, and takes a while."""
    Path("came", f"{os.environ['PYTEST_XDIST_WORKER']}-{seeds[0]}").touch()
    time.sleep(2)
    return images * (1 - 0.05 * severity)
'''


@pytest.mark.slow
def test_two_workers_make_the_units_of_one_case(pytester, problem, build, monkeypatch):
    monkeypatch.setenv("ROBUST_STORE", str(pytester.path / "store"))
    toy = problem(8 * 1024, seed=3)
    np.savez(pytester.path / "toy.npz", x=toy.images, y=toy.labels)
    build().save(pytester.path / "net.keras")
    pytester.makepyfile(shade=SLOW)
    pytester.makeini("[pytest]\nrobust_allow_code = true\n")
    pytester.mkdir("came")
    pytester.path.joinpath("one.toml").write_text(
        'data = { arrays = "toy.npz" }\n[model.net]\nkeras = "net.keras"\n'
        '[case.dark]\ncorruption = { name = "shade:dim", severity = [1] }\n'
    )
    pytester.runpytest_subprocess("one.toml", "-n", "2").assert_outcomes(passed=1)
    came = [path.name.split("-")[0] for path in (pytester.path / "came").iterdir()]
    assert len(came) == 8 and set(came) == {"gw0", "gw1"}


def test_nothing_is_collected_that_was_not_asked_for(pytester, suite):
    pytester.makepyfile(test_own="def test_own(): pass")
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\n")
    for arguments in ([], ["."], ["suites", "."]):
        assert ids(pytester.runpytest(*arguments, "--collect-only", "-q")) == ["test_own"]


def test_a_glob_of_the_ini_file_collects_suites_with_their_folder(pytester, suite):
    pytester.makeini("[pytest]\nrobust_suites = suites/*.toml\n")
    assert ids(pytester.runpytest("--collect-only", "-q")) == IDS


def test_a_mistake_in_a_suite_is_one_line(pytester, suite):
    suite.write_text(SUITE.replace('"lenet5"', '"lenet6"', 1))
    result = pytester.runpytest("suites/s.toml")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["suites/s.toml:5: no architectures named 'lenet6'; did you mean 'lenet5'?"])
    assert "Traceback" not in result.stdout.str()


def test_foreign_code_needs_the_ini_option(pytester, suite):
    suite.write_text('data = { name = "fashion_mini" }\n[model.m]\npython = "elsewhere:net"\n[case.c]\n')
    pytester.makepyfile(elsewhere="def net(*, input_shape, classes): ...")
    pytester.syspathinsert()
    refused = pytester.runpytest("suites/s.toml", "--collect-only")
    refused.stdout.fnmatch_lines(["*runs third-party code*"])
    pytester.makeini("[pytest]\nrobust_allow_code = true\n")
    assert ids(pytester.runpytest("suites/s.toml", "--collect-only", "-q")) == ["c[m]"]
    assert "elsewhere" not in sys.modules


@pytest.mark.slow
def test_code_beside_each_of_two_suites_is_its_own_also_in_the_workers(pytester, suite):
    """Both have a `nets.py`, which is on no path; one model says the first class to all images, the other the last."""
    for name, at, own in (("first", 0, "T-shirt/top"), ("last", -1, "Ankle boot")):
        pytester.mkdir(name)
        (pytester.path / name / "s.toml").write_text(
            'data = { name = "fashion_mini" }\n[model.m]\npython = "nets:net"\n[case.clean]\nmax_images = 60\n'
            f'balanced = true\nmetrics = ["confusion"]\nexpect = {{ "recall[{own}]" = "low >= 0.3" }}\n'
        )
        (pytester.path / name / "nets.py").write_text(
            "import keras\nimport numpy as np\n"
            "def net(*, input_shape, classes):\n"
            "    image = keras.Input(input_shape)\n"
            "    end = keras.layers.Dense(classes, kernel_initializer='zeros', name='end')\n"
            "    model = keras.Model(image, end(keras.layers.Flatten()(image)))\n"
            f"    end.set_weights([end.get_weights()[0], np.eye(classes)[{at}]])\n"
            "    return model\n"
        )
    pytester.makeini("[pytest]\nrobust_allow_code = true\n")
    pytester.runpytest_subprocess("first/s.toml", "last/s.toml", "-n", "2").assert_outcomes(passed=2)


@pytest.mark.slow
def test_reports_go_where_the_ini_option_says(pytester, suite):
    pytester.makeini("[pytest]\nrobust_reports = build/pages\n")
    pytester.runpytest_subprocess("suites/s.toml::clean[two-0]").assert_outcomes(passed=1)
    assert (pytester.path / "build/pages/s/index.html").is_file()


@pytest.mark.slow
def test_suites_of_one_name_in_two_folders_have_a_report_each(pytester, suite):
    for folder in ("a", "b"):
        pytester.mkdir(folder)
        (pytester.path / folder / "s.toml").write_text(SUITE)
    pytester.runpytest_subprocess("a/s.toml", "b/s.toml", "-k", "clean and two-0").assert_outcomes(passed=2)
    assert all((pytester.path / "reports" / folder / "s/index.html").is_file() for folder in ("a", "b"))


def test_a_run_that_has_nothing_to_do_with_us_imports_next_to_nothing():
    code = (
        "import pytest, sys; before = set(sys.modules); import robust.api.pytest_plugin;"
        " print(*set(sys.modules) - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {name.split(".")[0] for name in done.stdout.split()} <= {"robust", "ast", "_ast", "difflib", "contextlib"}


@pytest.mark.slow
def test_what_a_model_cannot_be_put_to_is_told_in_a_line(pytester, suite):
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    (pytester.path / "net.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    np.savez(pytester.path / "data.npz", x=np.random.default_rng(0).random((4, 4, 4, 1), "float32"), y=[0, 1, 0, 1])
    path = pytester.path / "lite.toml"
    path.write_text('data = { arrays = "data.npz" }\n[model.m]\ntflite = "net.tflite"\n[case.c]\nprofile = ["cost"]\n')
    result = pytester.runpytest_subprocess("lite.toml", "-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*model 'net' gives outputs only, and cost needs its layers; leave out profile"])
    assert "Traceback" not in result.stdout.str() and "AttributeError" not in result.stdout.str()
