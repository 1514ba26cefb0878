"""Recipes: how a network is trained, as plain values. A suite may override any field.

`train = { recipe = "short", epochs = 12 }`
"""

from dataclasses import dataclass
from typing import Literal

from robust.quantities import Count, NonNegative, Positive, Proportion

__all__ = ["short"]


@dataclass(frozen=True)
class Recipe:
    """What `fit` needs to know.

    optimizer: "adamw" (Loshchilov & Hutter, ICLR 2019) or "sgd" with Nesterov momentum .9.
    epochs, batch_size: passes over the training split, images a step.
    learning_rate: the highest, reached after the share `warmup` of all steps, then a half cosine to 0
        (Loshchilov & Hutter, ICLR 2017).
    weight_decay: decoupled; not applied to biases and normalisation.
    label_smoothing: share of the target that is spread over all classes (Szegedy et al., CVPR 2016).
    """

    optimizer: Literal["adamw", "sgd"]
    epochs: Count
    batch_size: Count
    learning_rate: Positive
    warmup: Proportion = 0.0
    weight_decay: NonNegative = 0.0
    label_smoothing: Proportion = 0.0


short = Recipe(optimizer="sgd", epochs=10, batch_size=64, learning_rate=0.1, warmup=0.25, weight_decay=0.005)
"""Ten epochs of momentum SGD under one cycle: for small images and demos, seconds to minutes on two CPU cores.

Chosen on the validation split of fashion_mini. One cycle: Smith & Topin, 2017, arXiv:1708.07120.
"""
