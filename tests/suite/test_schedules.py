"""A schedule that cannot be followed is an error before any data is read."""

import pytest

from robust.core import registry
from robust.core.errors import SuiteError
from robust.core.signature import bind
from robust.suite import read_model, schedules


def read(**train):
    return read_model("net", {"architecture": "lenet5", "train": {"recipe": "short", **train}})


@pytest.mark.parametrize("name", registry.names("recipes"))
def test_every_recipe_of_ours_can_be_followed(name):
    schedules.check(bind("recipes", name).arguments)


@pytest.mark.parametrize(
    ("train", "told"),
    [
        ({"schedule": "steps"}, 'schedule = "steps" needs milestones'),
        ({"schedule": "steps", "milestones": []}, 'schedule = "steps" needs milestones'),
        (
            {"schedule": "steps", "milestones": [0.6, 0.3]},
            "must increase, below 1; 0.3 follows one that is not smaller",
        ),
        ({"schedule": "steps", "milestones": [0.3, 0.3]}, "0.3 follows one that is not smaller"),
        ({"schedule": "steps", "milestones": [0.5, 1]}, "at 1 all steps are done"),
        ({"schedule": "steps", "milestones": [0.5, 0.7], "factor": [0.1]}, "1 of them for 2 milestones; write one for"),
        ({"schedule": "steps", "milestones": [0.5], "factor": [0.1, 0.1]}, "2 of them for 1 milestones"),
        ({"milestones": [30, 60, 80]}, r'for 90 epochs write \["30/90", "60/90", "80/90"\]'),
        ({"schedule": "exponential", "factor": [0.9, 0.8]}, "an exponential schedule has one factor"),
        ({"clip_norm": 1, "clip_value": 0.5}, r"clip_norm = 1 and clip_value = 0\.5: set one of them"),
        (
            {"epochs": 3, "freeze": "conv1", "unfreeze_after": 3},
            "the training has 3 epochs, so nothing is ever unfrozen",
        ),
        ({"freeze": "conv1", "unfreeze_after": 1.5}, "unfreeze_after = 1.5: must be a whole number of epochs"),
    ],
)
def test_what_cannot_be_followed_is_told(train, told):
    with pytest.raises(SuiteError, match=told) as caught:
        read(**train)
    assert caught.value.key.startswith("train.")


@pytest.mark.parametrize(
    "train",
    [
        {"milestones": ["30/90", "60/90", "80/90"], "schedule": "steps"},
        {"milestones": ["1/2", "3/4"], "schedule": "steps", "factor": [0.1, 0.5]},
        {"schedule": "exponential", "factor": 0.97},
        {"epochs": 4, "freeze": "conv1", "unfreeze_after": 3},
    ],
)
def test_the_remedies_are_followed(train):
    recipe = read(**train).train.recipe.arguments
    assert all(recipe[key] == value for key, value in train.items() if key != "milestones")  # these become numbers
