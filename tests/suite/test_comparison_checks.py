import pytest

from robust.core.errors import SuiteError
from robust.suite import load, read_case

SUITE = """
data = { name = "fashion_mini" }
[model.lenet5]
architecture = "lenet5"
[model.resnet20]
architecture = "resnet20"
[case.pgd]
attack = { name = "pgd", eps = "8/255" }
metrics = ["accuracy", "calibration", "confusion"]
models = ["lenet5", "resnet20"]
expect = { top1 = "no worse than lenet5 by 0.01" }
"""


def read(tmp_path, *changes):
    text = SUITE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "s.toml"
    path.write_text(text)
    return load(path)


@pytest.mark.parametrize(
    "bound",
    [
        'top1 = "no worse than lenet5 by 0.01"',
        'top1 = "no worse than reports/none by 0.01"',  # whether it is there is asked when the suite runs
        '"recall[Shirt]" = "no worse than lenet5 by 0.1"',
        'nll = "no worse than ./base by 1/10"',
        'ece = "high <= 0.05"',
        'top1 = "low in [0.2, 0.9]"',
    ],
)
def test_bounds_against_others_and_on_intervals_are_read(tmp_path, bound):
    (case,) = read(tmp_path, ('top1 = "no worse than lenet5 by 0.01"', bound)).cases
    assert [limit.text for limit in case.expect.values()] == [bound.split('"')[-2]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            [("than lenet5", "than lenet6")],
            "there is no model 'lenet6'; did you mean 'lenet5'? (a report has a slash: ./lenet6)",
        ),
        ([("than lenet5", "than base")], "there is no model 'base'; allowed: lenet5, resnet20 (a report has a slash"),
        (
            [('"lenet5", "resnet20"', '"resnet20"')],
            "'no worse than lenet5 by 0.01': ... not run on lenet5; add it to models",
        ),
        ([('"lenet5", "resnet20"', '"lenet5"')], "this case runs on no other model"),
        (
            [("top1 =", "ece =")],
            "ece is not a mean over images ... top1, top5, top1_error, ... , recall, superclass_accuracy",
        ),
        ([("top1 =", "worst_class =")], "worst_class is not a mean over images"),
        ([("by 0.01", "by -1")], "bound 'no worse than lenet5 by -1': by -1: ... at least 0"),
    ],
)
def test_what_cannot_be_compared_is_told_with_file_and_line(tmp_path, changes, message):
    with pytest.raises(SuiteError) as error:
        read(tmp_path, *changes)
    assert all(part in str(error.value) for part in message.split(" ... "))
    assert str(error.value).startswith(f"{tmp_path / 's.toml'}:11: expect.")


def test_from_python_the_models_are_not_known_but_the_metrics_are():
    assert read_case("clean", {"expect": {"top1": "no worse than other by 0"}}).expect["top1"].than == "other"
    with pytest.raises(SuiteError, match="ece is not a mean over images"):
        read_case("clean", {"metrics": ["calibration"], "expect": {"ece": "no worse than other by 0"}})
