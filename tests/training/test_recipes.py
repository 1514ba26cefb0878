"""The recipes against a table typed from the papers, in their own units: epochs, iterations."""

import math

import pytest

from robust.core import registry
from robust.core.signature import bind
from robust.training import recipes
from robust.training.recipes import Recipe
from robust.training.schedule import learning_rate

CONSTANTS = {  # epochs, batch, optimizer, momentum, weight decay, what decays, label smoothing, EMA
    "lenet1998": (20, 1, "sgd", 0.0, 0.0, "kernels", 0.0, 0.0),
    "alexnet2012": (90, 128, "sgd", 0.9, 5e-4, "kernels", 0.0, 0.0),
    "vgg2014": (74, 256, "sgd", 0.9, 5e-4, "kernels", 0.0, 0.0),
    "googlenet2014": (60, 32, "sgd", 0.9, 2e-4, "kernels", 0.0, 0.9999),
    "resnet2015": (120, 256, "sgd", 0.9, 1e-4, "all", 0.0, 0.0),
    "resnet_cifar": (182, 128, "sgd", 0.9, 1e-4, "all", 0.0, 0.0),
    "densenet2016": (300, 64, "nesterov", 0.9, 1e-4, "all", 0.0, 0.0),
    "mobilenet2017": (300, 96, "rmsprop", 0.9, 4e-5, "kernels_but_depthwise", 0.0, 0.0),
    "efficientnet2019": (350, 4096, "rmsprop", 0.9, 1e-5, "all_but_batch_norm", 0.1, 0.9999),
}
RATES = {  # (epoch, rate) just before and after each change
    "lenet1998": [
        (0, 5e-4), (1.9, 5e-4), (2, 2e-4), (4.9, 2e-4), (5, 1e-4), (7.9, 1e-4), (8, 5e-5), (11.9, 5e-5), (12, 1e-5),
        (19.9, 1e-5),
    ],
    "alexnet2012": [(0, 1e-2), (22.4, 1e-2), (22.5, 1e-3), (44.9, 1e-3), (45, 1e-4), (67.5, 1e-5), (89.9, 1e-5)],
    "vgg2014": [(0, 1e-2), (18.4, 1e-2), (18.5, 1e-3), (37, 1e-4), (55.5, 1e-5), (73.9, 1e-5)],
    "googlenet2014": [(0, 0.01), (7.9, 0.01), (8, 0.0096), (15.9, 0.0096), (16, 0.009216), (59.9, 0.01 * 0.96**7)],
    "resnet2015": [(0, 0.1), (29.9, 0.1), (30, 0.01), (60, 0.001), (90, 0.0001), (119.9, 0.0001)],
    "resnet_cifar": [(0, 0.1), (90.9, 0.1), (91, 0.01), (136.4, 0.01), (136.5, 0.001), (181.9, 0.001)],
    "densenet2016": [(0, 0.1), (149.9, 0.1), (150, 0.01), (224.9, 0.01), (225, 0.001), (299.9, 0.001)],
    "mobilenet2017": [(0, 0.045), (0.9, 0.045), (1, 0.045 * 0.98), (45, 0.045 * 0.98**45)],
    "efficientnet2019": [
        (0, 0.00256), (2.5, 0.12928), (5, 0.256 * 0.97**2), (7.1, 0.256 * 0.97**2), (7.2, 0.256 * 0.97**3),
        (240, 0.256 * 0.97**100),
    ],
    "short": [(0, 0.001), (1.25, 0.0505), (2.5, 0.1), (6.25, 0.05), (10, 0.0)],
    "modern": [(0, 0.001), (3, 0.1), (16.5, 0.05), (30, 0.0)],
}  # fmt: skip


def test_every_recipe_stands_in_the_table():
    assert set(RATES) == set(registry.names("recipes"))
    assert set(RATES) - set(CONSTANTS) == {"short", "modern"}


@pytest.mark.parametrize("name", CONSTANTS)
def test_the_constants_are_the_papers(name):
    r = getattr(recipes, name)
    found = (r.epochs, r.batch_size, r.optimizer, r.momentum, r.weight_decay, r.decayed, r.label_smoothing, r.ema)
    assert found == CONSTANTS[name]
    assert r.decays == "l2"  # before 2017 there was no other


@pytest.mark.parametrize("name", RATES)
def test_the_rate_falls_when_the_paper_says(name):
    for epoch, rate in RATES[name]:
        assert learning_rate(getattr(recipes, name), round(epoch * 100), 100) == pytest.approx(rate), epoch


def test_the_iterations_of_he_et_al_are_the_epochs_of_the_recipes():
    assert round(64_000 * 128 / 45_000) == recipes.resnet_cifar.epochs
    assert [m * 64_000 for m in recipes.resnet_cifar.milestones] == [32_000, 48_000]
    assert round(600_000 * 256 / 1_281_167) == recipes.resnet2015.epochs


def test_a_shorter_training_keeps_the_shape_of_its_schedule():
    brief = Recipe(**bind("recipes", {"name": "resnet_cifar", "epochs": 4}).arguments)
    assert [learning_rate(brief, epoch, 1) for epoch in range(4)] == pytest.approx([0.1, 0.1, 0.01, 0.001])


def test_the_other_schedules():
    constant = Recipe(epochs=2, batch_size=1, learning_rate=0.5, schedule="constant")
    assert {learning_rate(constant, step, 10) for step in range(20)} == {0.5}
    caffe = Recipe(epochs=2, batch_size=1, learning_rate=0.01, schedule="polynomial", power=0.5)
    assert [learning_rate(caffe, step, 10) for step in (0, 15, 20)] == pytest.approx([0.01, 0.005, 0])


def of_keras(recipe, steps):
    """Keras' schedule for a recipe without a warm-up, or with that of the cosine."""
    from keras.optimizers import schedules

    total = recipe.epochs * steps
    match recipe.schedule:
        case "cosine":
            warm, first = round(recipe.warmup * total), recipe.learning_rate * recipe.warmup_start
            return schedules.CosineDecay(first, total - warm, warmup_target=recipe.learning_rate, warmup_steps=warm)
        case "steps":
            factors = recipe.factor if isinstance(recipe.factor, list) else [recipe.factor] * len(recipe.milestones)
            values = [recipe.learning_rate * math.prod(factors[:i]) for i in range(len(factors) + 1)]
            return schedules.PiecewiseConstantDecay([math.ceil(m * total) - 1 for m in recipe.milestones], values)
        case "exponential":
            return schedules.ExponentialDecay(recipe.learning_rate, recipe.every * steps, recipe.factor, staircase=True)
    return schedules.PolynomialDecay(recipe.learning_rate, total, 0.0, recipe.power)


CAFFE = Recipe(epochs=10, batch_size=1, learning_rate=0.01, schedule="polynomial", power=0.5)


@pytest.mark.parametrize(
    "recipe",
    [recipes.short, recipes.modern, recipes.lenet1998, recipes.resnet_cifar, recipes.googlenet2014, CAFFE],
    ids=["short", "modern", "lenet1998", "resnet_cifar", "googlenet2014", "polynomial"],
)
def test_the_rates_are_those_of_keras_but_for_its_rounding(recipe):
    theirs = of_keras(recipe, 100)
    for step in range(0, recipe.epochs * 100, max(1, recipe.epochs * 100 // 40)):
        assert learning_rate(recipe, step, 100) == pytest.approx(float(theirs(step)), rel=1e-4, abs=1e-8)


@pytest.mark.parametrize("name", registry.names("recipes"))
def test_its_augmentations_are_in_the_catalogue(name):
    for each in getattr(recipes, name).augment or []:
        assert bind("augmentations", each)


def test_a_rate_is_never_negative_and_never_above_the_highest():
    for name in registry.names("recipes"):
        recipe = getattr(recipes, name)
        rates = [learning_rate(recipe, step, 7) for step in range(recipe.epochs * 7)]
        assert all(0 <= rate <= recipe.learning_rate * (1 + 1e-12) and math.isfinite(rate) for rate in rates)


@pytest.mark.slow
@pytest.mark.parametrize("name", registry.names("recipes"))
def test_it_trains_a_network_on_images_in_colour(stripes, model, name):
    import dataclasses

    import tensorflow as tf

    from robust.core.progress import Silent
    from robust.suite import Training
    from robust.training.fit import fit

    def read(split):
        return stripes.read(split).map(lambda image, label, id: (tf.repeat(image, 3, 2), label, id))

    colour = dataclasses.replace(stripes, image_shape=(8, 8, 3), read=read)
    recipe = bind("recipes", {"name": name, "epochs": 2, "batch_size": 64, "learning_rate": 0.01})
    _, history = fit(dataclasses.replace(model(), train=Training(recipe)), colour, 0, Silent())
    assert history["loss"][1] < history["loss"][0]


def test_adamw_decays_as_its_name_says_and_the_others_as_the_papers():
    base = {"epochs": 1, "batch_size": 1, "learning_rate": 0.1}
    found = {name: Recipe(**base, optimizer=name).decays for name in ("sgd", "nesterov", "rmsprop", "adamw")}
    assert found == {"sgd": "l2", "nesterov": "l2", "rmsprop": "l2", "adamw": "decoupled"}
    assert Recipe(**base, optimizer="adamw", decay="l2").decays == "l2"


def test_a_flat_warm_up_is_that_of_he_et_al_for_resnet_110():
    """A rate of .01 for 400 of 64,000 steps, then .1."""
    asked = {"name": "resnet_cifar", "warmup": "400/64000", "warmup_start": 0.1, "warmup_shape": "flat"}
    warm = Recipe(**bind("recipes", {**asked, "epochs": 160}).arguments)
    assert [learning_rate(warm, step, 400) for step in (0, 200, 399)] == pytest.approx([0.01] * 3)
    assert [learning_rate(warm, step, 400) for step in (400, 31_999)] == pytest.approx([0.1] * 2)
