"""The learning rate of each step, as a pure function of the recipe."""

import math

from robust.training.recipes import Recipe


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """The rate of update number `step`, counted from 0, where an epoch has `steps` of them.

    A warm-up rises linearly. The cosine begins where it ends; the others count from the first step, as
    in the papers that warm up.

    Not Keras' schedules: they compute in single precision, which moves the last cosine rates by 5e-4 of themselves;
    only their cosine warms up; and called anew for each step, as here, one takes milliseconds.

    >>> from robust.training.recipes import resnet_cifar
    >>> [learning_rate(resnet_cifar, epoch, 1) for epoch in (0, 90, 91, 137)]
    [0.1, 0.1, 0.010000000000000002, 0.0010000000000000002]
    """
    total = recipe.epochs * steps
    warmup = round(recipe.warmup * total)
    if step < warmup:
        done = 0.0 if recipe.warmup_shape == "flat" else step / warmup
        return recipe.learning_rate * (recipe.warmup_start + (1 - recipe.warmup_start) * done)
    return recipe.learning_rate * share(recipe, step, steps, total, warmup)


def share(recipe: Recipe, step: int, steps: int, total: int, warmup: int) -> float:
    """What is left of the highest rate."""
    match recipe.schedule:
        case "cosine":
            return (1 + math.cos(math.pi * (step - warmup) / max(total - warmup, 1))) / 2
        case "steps":
            passed = [milestone * total <= step for milestone in recipe.milestones or []]
            factors = recipe.factor if isinstance(recipe.factor, list) else [recipe.factor] * len(passed)
            return math.prod(factor for factor, is_passed in zip(factors, passed, strict=True) if is_passed)
        case "exponential":
            factor = recipe.factor[0] if isinstance(recipe.factor, list) else recipe.factor
            return factor ** math.floor(step / (recipe.every * steps))
        case "polynomial":
            return (1 - step / total) ** recipe.power
        case _:
            return 1.0
