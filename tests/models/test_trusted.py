"""Code from elsewhere that a command line names is neither run nor imported, unless it is trusted."""

import pytest

from robust.api.cli import app
from robust.core.errors import SuiteError


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    """A module `theirs_only_here` that leaves a mark when it is imported."""
    mark = tmp_path / "mark"
    code = f"import pathlib\npathlib.Path({str(mark)!r}).touch()\n\n\ndef f(*a, **k):\n    raise SystemExit('ran')\n"
    (tmp_path / "theirs_only_here.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return mark


@pytest.mark.parametrize(
    "words",
    [
        ["evaluate", "m.keras", "--data", "theirs_only_here:f"],
        ["evaluate", "m.keras", "--data", "fashion_mini", "--attack", "theirs_only_here:f"],
        ["evaluate", "m.keras", "--data", "fashion_mini", "--metric", "theirs_only_here:f"],
        ["train", "lenet5", "--data", "theirs_only_here:f"],
        ["train", "theirs_only_here:f"],
        ["train", "lenet5", "--recipe", "theirs_only_here:f"],
        ["show", "theirs_only_here:f", "--augment", "flip"],
        ["show", "fashion_mini", "--augment", "theirs_only_here:f"],
        ["attack", "panda", "--attack", "theirs_only_here:f"],
    ],
)
def test_it_is_refused_unimported(theirs, words):
    (theirs.parent / "m.keras").write_bytes(b"")
    with pytest.raises(SuiteError, match="'theirs_only_here:f' runs third-party code; if you trust it, set"):
        app(words, exit_on_error=False, result_action="return_value")
    assert not theirs.exists()


def test_what_is_trusted_runs(theirs):
    with pytest.raises(SystemExit, match="ran"):
        app(["show", "theirs_only_here:f", "--augment", "flip", "--allow-code"], result_action="return_value")
    assert theirs.exists()
