import pytest

from robust.core.errors import SuiteError
from robust.core.key_values import settings


def test_a_word_is_what_its_annotation_makes_of_it_or_else_toml():
    assert settings("architectures", "lenet5", ["form=1998", "width=1/2"], "--option") == {"form": "1998", "width": 0.5}
    assert settings("recipes", "short", ["epochs=3", 'augment=["flip", { name = "mixup", alpha = 1.0 }]'], "--set") == {
        "epochs": 3,
        "augment": ["flip", {"name": "mixup", "alpha": 1.0}],
    }
    assert settings("recipes", "short", ["epohs=three"], "--set") == {"epohs": "three"}  # `bind` will tell


def test_what_is_no_pair_is_an_error():
    with pytest.raises(SuiteError, match="--set 'epochs': must be key=value; write --set epochs=VALUE"):
        settings("recipes", "short", ["epochs"], "--set")
