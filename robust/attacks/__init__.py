"""Attacks: perturbations that look for a mistake inside a ball around the image.

The contract: `attack(classifier, images, labels, *, seeds, start=None, targets=None, eps, ...) -> AttackResult`.
`run` supplies everything before `eps`; what comes after is what a suite may set.

    images    float [N, H, W, C] in [0, 1]; labels int64 [N]
    seeds     int64 [N]: all randomness about an image comes from its own seed
    start     [N, H, W, C] or None: where to begin, as left by a smaller eps
    targets   int64 [N] or None: reach this class instead of leaving the label

Ours write `attack(task, *, eps, ...)` beside `@as_attack` (`robust.attacks.contract`), which makes one `Task` of
what `run` supplies.
"""

from typing import TYPE_CHECKING

from robust.core import registry

if TYPE_CHECKING:
    from robust.attacks.apgd import apgd as apgd
    from robust.attacks.apgd import apgd_t as apgd_t
    from robust.attacks.autoattack import autoattack as autoattack
    from robust.attacks.carlini_wagner import carlini_wagner as carlini_wagner
    from robust.attacks.deepfool import deepfool as deepfool
    from robust.attacks.fab import fab as fab
    from robust.attacks.fgsm import fgsm as fgsm
    from robust.attacks.mifgsm import mifgsm as mifgsm
    from robust.attacks.noise import noise as noise
    from robust.attacks.pgd import pgd as pgd
    from robust.attacks.square import square as square
    from robust.attacks.transfer import transfer as transfer

registry.contents(__name__)
