import pytest

from robust.core.errors import SuiteError
from robust.suite import load, read_case, transfer

HEAD = """data = "fashion_mini"
[model.lenet5]
architecture = "lenet5"
[model.resnet20]
architecture = "resnet20"
seeds = [1, 2]
[case.c]
"""
INNER = 'attack = { name = "pgd", steps = 20 }'


def read(tmp_path, text):
    path = tmp_path / "suite.toml"
    path.write_text(HEAD + text)
    return load(path)


def refused(tmp_path, text):
    with pytest.raises(SuiteError) as caught:
        read(tmp_path, text)
    return str(caught.value).removeprefix(f"{tmp_path}/")


def attack(more=f'source = "resnet20", {INNER}', eps='"8/255"'):
    return f'attack = {{ name = "transfer", eps = {eps}, {more} }}\n'


def test_a_transfer_is_read_with_its_source_its_attack_and_a_list_of_eps(tmp_path):
    suite = read(tmp_path, attack(eps='["8/255", "2/255"]') + 'models = ["lenet5"]\n')
    (case,) = suite.cases
    assert [call.arguments["eps"] for call in case.perturbations] == [2 / 255, 8 / 255]
    assert case.perturbations[0].arguments["attack"] == {"name": "pgd", "steps": 20}
    assert case.perturbations[0].arguments["norm"] == "linf" and case.source == "resnet20"
    assert transfer.source(case, suite.models) is suite.models[1]


def test_other_cases_have_no_source():
    case = read_case("c", {"attack": {"name": "pgd", "eps": 0.1}})
    assert case.source is None and transfer.source(case, ()) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (attack(f'source = "resnet2", {INNER}') + 'models = ["lenet5"]\n',
         "8: source = 'resnet2': there is no such model; did you mean 'resnet20'?"),
        (attack(), "8: source = 'resnet20': it would be evaluated on its own images; write models = [\"lenet5\"]"),
        (attack() + 'models = ["resnet20"]\n', "8: source = 'resnet20': it would be evaluated on its own images"),
        (attack('source = "resnet20"'), "8: transfer needs attack"),
        (attack(INNER), "8: transfer needs source"),
        (attack('source = "resnet20", attack = "pgb"'), "8: no attacks named 'pgb'; did you mean 'pgd'?"),
        (attack('source = "resnet20", attack = { name = "pgd", stps = 1 }'), "8: stps: pgd takes no 'stps'; did you"),
        (attack('source = "resnet20", attack = { name = "pgd", steps = 0 }'), "8: steps = 0: must be a number >= 1"),
        (attack('source = "resnet20", attack = { name = "pgd", eps = 1 }'),
         "8: attack: write eps next to source, where it applies to the whole transfer"),
        (attack('source = "resnet20", attack = { name = "pgd", norm = "l2" }'), "8: attack: write norm next to source"),
        (attack('source = "resnet20", attack = "transfer"'), "8: attack: the attack of a transfer cannot be"),
        (attack('source = "resnet20", attack = "carlini_wagner"'), "8: norm = 'linf': not known; allowed: l2"),
        (attack('source = "resnet20", attack = "theirs:run"'), "8: attack = 'theirs:run' runs third-party code"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(tmp_path, text, says):
    assert refused(tmp_path, text).startswith(f"suite.toml:{says}")


def test_the_inner_attack_has_the_eps_and_the_norm_of_the_transfer():
    assert transfer.inner({"attack": {"name": "pgd", "steps": 3}, "eps": 0.1, "norm": "l2"}) == {
        "name": "pgd", "steps": 3, "eps": 0.1, "norm": "l2",
    }  # fmt: skip
