"""Whole numbers at the prompt are whole."""

import inspect
import typing

import pytest
from cyclopts import CycloptsError

from robust.api import cli
from robust.api.cli.numbers import MaybeWhole, Whole

COMMANDS = [cli.run, cli.evaluate, cli.attack, cli.describe, cli.train, cli.show, cli.report, cli.compare]


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_lets_cyclopts_round(command):
    for name, parameter in inspect.signature(command, eval_str=True).parameters.items():
        kind = parameter.annotation
        plain = {kind, *typing.get_args(kind)} if typing.get_origin(kind) is not typing.Annotated else {kind}
        assert int not in plain, name
        if typing.get_origin(kind) is typing.Annotated and int in {kind.__origin__, *typing.get_args(kind.__origin__)}:
            assert kind in (Whole, MaybeWhole), name


@pytest.mark.parametrize(
    "words", [["train", "lenet5", "--epochs", "1.5"], ["show", "x", "--augment", "y", "--seed=1e2"]]
)
def test_what_is_no_whole_number_is_refused(words):
    with pytest.raises(CycloptsError, match="must be a whole number"):
        cli.app(words, exit_on_error=False, print_error=False)
