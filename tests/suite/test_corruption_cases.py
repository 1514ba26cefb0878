import pytest

from robust.core import registry
from robust.core.errors import SuiteError
from robust.suite import load, read_case

SUITE = """data = { name = "fashion_mini" }
[model.lenet5]
architecture = "lenet5"
[model.mlp]
architecture = "mlp"
[case.corrupted]
corruption = { name = ["snow", "fog"], severity = [5, 1] }
baseline = "mlp"
"""


def _load(tmp_path, text):
    (tmp_path / "s.toml").write_text(text)
    return load(tmp_path / "s.toml")


def test_a_list_of_corruptions_is_one_case_that_goes_upward_in_each(tmp_path):
    case = _load(tmp_path, SUITE).cases[0]
    strengths = [(call.name, call.arguments["severity"]) for call in case.perturbations]
    assert strengths == [("snow", 1), ("snow", 5), ("fog", 1), ("fog", 5)]
    assert case.baseline == "mlp"


def test_all_are_all():
    case = read_case("corrupted", {"corruption": {"name": "all", "severity": [1, 2, 3, 4, 5]}})
    assert len(case.perturbations) == 19 * 5
    assert [call.name for call in case.perturbations[::5]] == registry.names("corruptions")
    assert len(read_case("corrupted", {"corruption": "all"}).perturbations) == 19


@pytest.mark.parametrize(
    ("given", "written", "says"),
    [
        ('["snow", "fog"]', '["snow", "foog"]', r"s.toml:7: no corruptions named 'foog'; did you mean 'fog'\?"),
        ('["snow", "fog"]', '["fog", "fog"]', r"s.toml:7: corruption.name = \['fog', 'fog'\]: each corruption once"),
        ('["snow", "fog"]', "[]", r"s.toml:7: corruption.name = \[\]: each corruption once, and at least one"),
        ('["snow", "fog"]', "[1]", r"s.toml:7: corruption.name\[0\] = 1: must be a string"),
        ("[5, 1]", "[6]", r"s.toml:7: corruption.severity\[0\] = 6: must be a number in \[1, 5\]"),
        ('"mlp"\n', '"mpl"\n', r"s.toml:8: baseline: 'mpl' is not a model of this case; did you mean 'mlp'\?"),
        ('"mlp"\n', '"mlp"\nmodels = ["lenet5"]\n', r"s.toml:8: baseline: 'mlp' is not a model of this case"),
        ('corruption = { name = ["snow", "fog"], severity = [5, 1] }\n', "", r"baseline: only a case with corrupt"),
        ('"mlp"\n', '"mlp"\nmetrics = ["calibration"]\n', r's.toml:9: baseline: .* add "accuracy" to metrics'),
        (
            '"mlp"\n',
            '"mlp"\nexpect = { corruption_error_ratio = "< 1" }\n',
            r"s.toml:9: expect: .* no metric 'corruption_error_ratio'; .* use mean_corruption_error",
        ),
    ],
)
def test_a_mistake_is_told(tmp_path, given, written, says):
    start, _, end = SUITE.rpartition(given)
    with pytest.raises(SuiteError, match=says):
        _load(tmp_path, start + written + end)
