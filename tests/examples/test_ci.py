"""examples/ci, as GitHub would run it: the commands are read from its workflow, in an environment of the wheel."""

import re
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

CI = Path(__file__).parents[2] / "examples/ci"


class Step(NamedTuple):
    """A step of the workflow: its command, and the event that it is for, "" for all."""

    command: str
    event: str


def steps(workflow):
    """The steps that run a command, each on one line."""
    for text in re.split(r"^ {6}- ", workflow, flags=re.MULTILINE)[1:]:
        if command := re.search(r"^\s*run: (.+)", text, re.MULTILINE):
            condition = re.search(r"^\s*if: .*event_name == '(\w+)'", text, re.MULTILINE)
            yield Step(command[1], condition[1] if condition else "")


STEPS = list(steps((CI / ".github/workflows/robustness.yml").read_text()))


@pytest.fixture
def project(tmp_path):
    return Path(shutil.copytree(CI, tmp_path / "project"))


@pytest.fixture
def workflow(project, wheel, environment, command):
    """`workflow("push")`: what its commands print, the last one ending with `code`."""
    paths = {"PATH": f"{environment}/bin:/usr/bin:/bin", "ROBUST_STORE": ".robust"}
    offline = {"PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1"}  # its libraries are there

    def run(event, code=0, skip=()):
        for step in (s for s in STEPS if s.event in ("", event) and not s.command.startswith(skip)):
            shell = step.command.replace("${{ vars.ROBUST }}", str(wheel))
            judges = code and step.command.startswith("robust run")
            told = command("bash", "-ec", shell, cwd=project, env=paths | offline, code=code if judges else 0)
            yield told

    return lambda *args, **options: "\n".join(run(*args, **options))


def test_the_workflow_installs_trains_and_judges_before_a_merge():
    programs = [step.command.split()[:2] for step in STEPS]
    installs, trains = ["pip", "install"], ["python", "train.py"]
    assert programs == [installs, trains, ["robust", "run"], ["robust", "run"], ["robust", "compare"]]
    assert [step.event for step in STEPS] == ["", "", "push", "pull_request", "pull_request"]


@pytest.mark.slow
def test_main_writes_a_report_and_a_change_is_judged_beside_it(workflow, project):
    told = workflow("push")
    assert "1 of 1 bounds passed; the page: reports/main/index.html" in told
    same = workflow("pull_request", skip=("pip", "python"))
    assert "3 of 3 bounds passed; the page: reports/change/index.html" in same
    script = (project / "train.py").read_text()
    assert "epochs=5" in script
    (project / "train.py").write_text(script.replace("epochs=5", "epochs=1"))
    worse = workflow("pull_request", code=1, skip=("pip",))
    assert re.search(r"missed: no_worse\[ours\] .* misses no worse than reports/main by 0.03", worse)
    assert (project / "reports/differences.csv").read_text().count("\n") == 4  # a line a case, and the header
