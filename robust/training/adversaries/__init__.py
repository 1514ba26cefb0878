"""Adversaries: what a robust model is trained against.

The contract: `adversary(gradient, images, labels, *, seeds, step, ...) -> images`, graph-pure TensorFlow.
`gradient(images, labels)` is that of the model's loss by the images [B, H, W, C]; `seeds` is int64 [B] and
`step` the optimiser's count: together they determine all that is random.
"""

from typing import TYPE_CHECKING

from robust.core import registry

if TYPE_CHECKING:
    from robust.training.adversaries.fgsm import fgsm as fgsm
    from robust.training.adversaries.pgd import pgd as pgd

registry.contents(__name__)
