import ast
from math import comb
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import robust.attacks.diagnostics
from robust.attacks.diagnostics.diagnosis import CHANCE, Diagnosis, Reason, significantly_above
from robust.core.remedies import formatted
from robust.results.flags import FLAGS, LEVELS, level


def tail(count, n, share):
    """P(X >= count) of a binomial, term by term."""
    return sum(comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(count, n + 1))


@given(st.integers(1, 300), st.data())
def test_clearly_is_the_exact_binomial_test(n, data):
    count, share = data.draw(st.integers(0, n)), data.draw(st.sampled_from([0.002, 0.02]))
    if abs(tail(count, n, share) - CHANCE) > 1e-9:
        assert significantly_above(count, n, share) == (tail(count, n, share) < CHANCE)


def test_so_a_healthy_model_is_accused_by_a_check_in_fewer_than_one_of_a_thousand_runs():
    for n in (5, 20, 100):
        accused = [count for count in range(n + 1) if significantly_above(count, n)]
        assert tail(min(accused), n, 0.02) < 0.001 <= tail(min(accused) - 1, n, 0.02)


def _is_table(node):
    return isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict) and isinstance(node.targets[0], ast.Name)


def test_every_reason_is_explained_and_every_ill_can_be_found():
    rooms = [
        Path(robust.attacks.diagnostics.__file__).parent,
        Path(robust.attacks.diagnostics.__file__).parents[2] / "models/classifier",
    ]
    nodes = [node for room in rooms for path in room.glob("*.py") for node in ast.walk(ast.parse(path.read_text()))]
    made = [node.args[0] for node in nodes if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Reason"]
    tables = {node.targets[0].id: node.value.values for node in nodes if _is_table(node)}
    inside = [node for name in made for node in ast.walk(name)]
    called = {node.func.id for node in inside if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    chosen = [*inside, *(v for node in inside if isinstance(node, ast.Name) for v in tables.get(node.id, ()))]
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef) and node.name in called]
    given = [node.value for function in functions for node in ast.walk(function) if isinstance(node, ast.Return)]
    chosen += [node for each in given for node in ast.walk(each)]
    named = {argument.value for argument in chosen if isinstance(argument, ast.Constant)}
    assert named == set(FLAGS)
    assert all(ill.message and ill.remedy and ill.level in ("suspect", "invalid") for ill in FLAGS.values())


def test_the_worst_reason_makes_the_verdict():
    assert [level(names) for names in ([], ["incomplete"], ["incomplete", "stateful"])] == list(LEVELS)


@pytest.mark.parametrize("name", FLAGS)
def test_a_reason_reads_as_a_sentence_with_its_remedy(name):
    said = str(Diagnosis((Reason(name, 0.125, 80),)))
    assert said.startswith(FLAGS[name].level + "\n  ") and said.endswith(formatted(FLAGS[name].remedy))
    assert ("12.5 %" in said) == ("{value}" in FLAGS[name].message)
