import io
import time

import pytest

from robust.core import progress


class Clock:
    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_silent_is_silent(capfd):
    silent = progress.Silent()
    silent.stage("train", 2)
    silent.advance("loss 0.3")
    silent.say("done")
    assert capfd.readouterr() == ("", "")


def test_lines_come_at_most_every_so_often(monkeypatch):
    clock, stream = Clock(monkeypatch), io.StringIO()
    lines = progress.Lines(stream, every=10)
    lines.stage("train", 40)
    for _ in range(40):
        clock.now += 1
        lines.advance("loss 0.3")
    assert stream.getvalue().splitlines() == [f"train: {done}/40 loss 0.3" for done in (10, 20, 30, 40)]


def test_a_step_that_takes_long_is_told_once(monkeypatch):
    clock, stream = Clock(monkeypatch), io.StringIO()
    lines = progress.Lines(stream, every=10)
    lines.stage("pgd", 3)
    clock.now += 60
    lines.advance()
    lines.advance()
    assert stream.getvalue() == "pgd: 1/3\n"


def test_each_piece_of_work_has_its_own_time_and_count(monkeypatch):
    clock, stream = Clock(monkeypatch), io.StringIO()
    lines = progress.Lines(stream, every=10)
    lines.stage("first", 2)
    clock.now += 9
    lines.advance()
    lines.stage("second", 2)
    clock.now += 9
    lines.advance()
    assert stream.getvalue() == ""
    clock.now += 1
    lines.advance()
    assert stream.getvalue() == "second: 2/2\n"


def test_every_step_is_told_where_that_is_wanted():
    stream = io.StringIO()
    lines = progress.Lines(stream, every=0)
    lines.stage("pgd[resnet20]", 2)
    lines.advance("standing: 80 %")
    lines.advance()
    assert stream.getvalue() == "pgd[resnet20]: 1/2 standing: 80 %\npgd[resnet20]: 2/2\n"


def test_what_is_said_stands_at_once_on_stderr(capsys):
    progress.Lines().say("kept")
    assert capsys.readouterr() == ("", "kept\n")


def test_elsewhere_than_on_a_terminal_there_are_lines():
    with progress.on(io.StringIO()) as shown:
        assert isinstance(shown, progress.Lines)


@pytest.mark.parametrize("name", ["pgd[resnet20]", "odd [/] name"])
def test_a_terminal_shows_the_words_as_they_are(monkeypatch, name):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    stream = Terminal()
    with progress.on(stream) as shown:
        shown.stage("before", 1)
        shown.advance()
        shown.stage(name, 2)
        shown.say("kept [b]as it is[/b]")
        shown.advance("batch [1]")
    last = [line for line in stream.getvalue().splitlines() if "━" in line][-1]
    assert name in last
    assert "1/2 batch [1]" in last
    assert "before" not in last
    assert "kept [b]as it is[/b]\n" in stream.getvalue()
