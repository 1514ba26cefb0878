"""A member is one file and one line: in a copy of the package, and in a file of a user's beside a suite."""

import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

import robust
from robust.core.store import Store

FILES = {
    "attacks/sign_step": '''"""A single step along the signs of the gradient."""

from dataclasses import replace

import robust
from robust.attacks import losses
from robust.attacks.iterative import IterativeAttack, Task, ascend
from robust.attacks.contract import as_attack
from robust.attacks.slots import attack
from robust.core.types import Eps, Norm


@robust.attack(access="gradient", one_step=True, eps_per_image=True, trace=True)
@as_attack
def sign_step(task: Task, *, eps: Eps, norm: Norm = "linf"):
    """One step of full size along the signs of the gradient."""
    loss = losses.leave if task.targets is None else losses.reach
    climb = IterativeAttack("sign_step", norm, 1, {"eps": eps, "size": eps}, loss, ascend, n_clean_starts=1)
    return attack(replace(task, start=None), climb)
''',
    "metrics/top2": '''"""Two guesses."""

import robust
from robust.results.evaluation import proportion


@robust.metric(names=("top2",), shares=("top2",), perfect={"top2": 1.0})
def top2(result):
    """Share of the images whose label is one of the two likeliest classes."""
    likeliest = result.logits.argsort(axis=1)[:, -2:]
    yield proportion("top2", (likeliest == result.labels[:, None]).any(axis=1))
''',
    "corruptions/dimmed": '''"""Too little light."""

import numpy as np

import robust
from robust.core.types import Severity


@robust.corruption()
def dimmed(images: np.ndarray, *, seeds: np.ndarray, severity: Severity = 3) -> np.ndarray:
    """A tenth of the light less at each severity."""
    return images * np.float32(1 - severity / 10)
''',
    "metrics/profile/layer_count": '''"""How many layers there are."""

import robust
from robust.results.evaluation import Value


@robust.profile(names=("layer_count",))
def layer_count(classifier, data):
    """The number of layers of the network as Keras counts them."""
    yield Value("layer_count", float(len(classifier.model.layers)), 1, "", "layers")
''',
    "report/slowest": '''"""Where the time went."""

import robust


@robust.section(title="Slowest cells", after="sizes")
def slowest(folder):
    """The cells of the table that took longest."""
    cells = folder.results[["model", "case", "seconds"]].dropna().drop_duplicates()
    return ["The longest first.", cells.sort_values("seconds", ascending=False)] if len(cells) else []
''',
}
PAGES = {"report/slowest": "report/sections.py"}
NAMES = [place.rpartition("/")[2] for place in FILES]


def page(place):
    return PAGES.get(place, f"{place.rpartition('/')[0]}/__init__.py")


@pytest.fixture
def copy(tmp_path, pytestconfig):
    """The package and its shared exams, with a member more of each kind."""
    root = pytestconfig.rootpath
    for folder in ("robust", "tests/contracts"):
        shutil.copytree(root / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("tests/conftest.py", "pyproject.toml"):
        shutil.copy(root / file, tmp_path / file)
    for place, text in FILES.items():
        (tmp_path / "robust" / f"{place}.py").write_text(text)
        module, name = f"robust.{place.replace('/', '.')}", place.rpartition("/")[2]
        listed = tmp_path / "robust" / page(place)
        line = f"if TYPE_CHECKING:\n    from {module} import {name} as {name}"
        listed.write_text(listed.read_text().replace("if TYPE_CHECKING:", line, 1))
    return tmp_path


@pytest.mark.slow
def test_a_member_of_each_kind_passes_the_exams_unchanged(copy):
    told = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "-n", "0", "tests/contracts", "-k"]
    done = subprocess.run(
        [*told, f"({' or '.join(NAMES)} or twice or listed) and not extension"],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    passed = {name: len(re.findall(rf"\[[^\]]*{name}[^\]]*\] PASSED", done.stdout)) for name in NAMES}
    exams = {"sign_step": 30, "top2": 15, "dimmed": 15, "layer_count": 8, "slowest": 5}
    assert all(passed[name] >= least for name, least in exams.items()), passed


def test_each_is_shorter_than_twenty_lines_and_wants_one_line_of_the_page(copy, pytestconfig):
    for place, text in FILES.items():
        assert text.count("\n") < 20
        before, after = (root / "robust" / page(place) for root in (pytestconfig.rootpath, copy))
        assert len(after.read_text().splitlines()) == len(before.read_text().splitlines()) + 1


SUITE = """
data = { arrays = "toy.npz" }
sections = ["mine:slowest"]

[model.net]
keras = "net.keras"

[case.dim]
corruption = { name = "mine:dimmed", severity = [1, 5] }
metrics = ["accuracy", "mine:top2"]
profile = ["mine:layer_count"]
expect = { top2 = ">= 0.5" }

[case.step]
attack = { name = "mine:sign_step", eps = 0.1 }
"""


@pytest.fixture
def suite(tmp_path, build, problem):
    """A suite with a member of the user's of each kind, in a file beside it."""
    data = problem(40)
    np.savez(tmp_path / "toy.npz", images=data.images, labels=data.labels)
    build().save(tmp_path / "net.keras")
    (tmp_path / "mine.py").write_text("\n\n".join(text.partition("\n")[2] for text in FILES.values()))
    (tmp_path / "toy.toml").write_text(SUITE)
    return tmp_path / "toy.toml"


def test_members_of_a_user_are_run_judged_and_drawn(suite, tmp_path):
    table = robust.run(suite, tmp_path / "out", allow_code=True, store=Store(tmp_path / "store"))
    top2 = robust.value(table, "top2", case="dim", severity=5)
    assert top2.value >= robust.value(table, "top1", case="dim", severity=5).value
    assert robust.value(table, "layer_count", case="dim", severity=1).value == 6
    assert robust.value(table, "top1", case="step", allow_invalid=True).value < 1
    assert table.loc[table.bound != "", "passed"].all()
    drawn = (tmp_path / "out/index.html").read_text()
    assert '<h2 id="mine-slowest-title">Slowest cells</h2>' in drawn and "The longest first." in drawn
    assert '<a href="#mine-slowest">Slowest cells</a>' in drawn
    assert "mine" not in sys.modules


@pytest.mark.slow
def test_a_page_drawn_again_says_which_section_it_lacks_and_the_command_brings_it_back(suite, tmp_path):
    command = [sys.executable, "-m", "robust", "report", "out"]
    robust.run(suite, tmp_path / "out", k="dim", allow_code=True, store=Store(tmp_path / "store"))
    index = tmp_path / "out/index.html"
    whole = index.read_text()
    subprocess.run(command, cwd=tmp_path, check=True)
    assert "<code>--section mine:slowest</code>" in index.read_text() and "Slowest cells" not in index.read_text()
    refused = subprocess.run([*command, "--section", "mine:slowest"], cwd=tmp_path, capture_output=True, text=True)
    assert refused.returncode == 2 and "--allow-code" in refused.stderr
    subprocess.run([*command, "--section", "mine:slowest", "--allow-code"], cwd=tmp_path, check=True)
    assert index.read_text() == whole


@pytest.mark.slow
def test_a_section_that_fails_says_so_in_its_place(suite, tmp_path):
    text = 'import robust\n\n@robust.section(title="Broken")\ndef slowest(folder):\n    raise KeyError("<b>gone</b>")\n'
    (tmp_path / "mine.py").write_text((tmp_path / "mine.py").read_text().partition("@robust.section")[0] + text)
    robust.run(suite, tmp_path / "out", k="dim", allow_code=True, store=Store(tmp_path / "store"))
    drawn = (tmp_path / "out/index.html").read_text()
    assert "mine:slowest could not be drawn: KeyError: " in drawn and "<b>gone</b>" not in drawn


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"mine:slowest"', '"slowest"', "'slowest' must be \"their.module:function\"; others are always included"),
        ('"mine:slowest"', '"mine:top2"', "mine:top2 is not declared: decorate it, as in @robust.section(title="),
        ('"mine:dimmed"', '"mine:top2"', "mine:top2 must accept seeds"),
        ('"mine:sign_step"', '"mine:dimmed"', "mine:dimmed must accept start, targets"),
    ],
)
def test_a_member_of_another_kind_is_refused(suite, old, new, says):
    suite.write_text(SUITE.replace(old, new))
    with pytest.raises(robust.RobustError, match=re.escape(says)):
        robust.load(suite, allow_code=True)


def test_their_code_is_refused_where_it_is_not_allowed(suite):
    suite.write_text(SUITE.replace("mine:dimmed", "fog").replace("mine:sign_step", "fgsm").replace(', "mine:top2"', ""))
    suite.write_text(suite.read_text().replace('profile = ["mine:layer_count"]', "").replace("top2", "top1"))
    with pytest.raises(robust.RobustError, match=r"toy.toml:3: sections = 'mine:slowest' runs third-party code"):
        robust.load(suite)
