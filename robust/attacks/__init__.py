"""Attacks: perturbations within a ball around an image that make the model misclassify it.

The contract: `attack(classifier, images, labels, *, seeds, start=None, targets=None, eps, ...) -> AttackResult`.
`run` supplies everything before `eps`; the parameters from `eps` on are those that a suite may set.

    images    float [N, H, W, C] in [0, 1]; labels int64 [N]
    seeds     int64 [N]: all randomness about an image comes from its own seed
    start     [N, H, W, C] or None: starting points, as found at a smaller eps
    targets   int64 [N] or None: reach this class instead of leaving the label

The attacks in this package are functions `attack(task, *, eps, ...)`. The decorator `@as_attack`
(`robust.attacks.contract`) turns what `run` supplies into one `Task`; `@declared.attack(...)` declares the fields of
`robust.core.declared.Attack`, such as the access to the model; see docs/decorators.md.

A new attack by steps builds an `IterativeAttack` from its `Task` (both in `robust.attacks.iterative`) and gives both
to `robust.attacks.slots.attack`. Copy `mifgsm.py` for an attack by gradients, `square.py` for one by scores.

    step(slots, output, hyperparameters, norm) -> dict: one iteration for a whole batch, in pure TensorFlow.
        It may read: slots["point"], ["centre"] (the image), ["label"], ["target"], ["seed"], ["left"] (iterations
        left, this one included) and what `memory` made; output.losses, .logits and .gradients (0 if eot_iter is 0);
        the hyperparameters as tensors.
        It must return the next "point", in [0, 1] and, unless `leaves_ball` is set, in the ball; and each entry of its
        memory that changes, of the same shape and dtype. Other entries are ignored.
    Random numbers depend on an image's seed and a stream number only, never on the rest of the batch:
        `ball.random_point` for starting points, `core.randomness` for all others. The starting points of restart r use
        stream r, so a step uses streams that no restart uses: `square` and `noise` count theirs from 1.

Some argument names have a meaning in other modules, too:

    eps, norm      the ball: columns of the results; the checks run other attacks in the same ball. The search for the
                   smallest change varies eps, to one radius per image if `eps_per_image` is declared
    steps          1 is a one-step attack; the checks repeat the attack with twice as many
    n_queries      the checks repeat an attack without `steps` with twice as many; in an unbounded ball with at most 200
    eot_iter       above 1: the gradient is averaged over the randomness of the model
    step_size      a length, None by default: scaled, or limited, with eps where the checks or the search change eps
    version        "rand": as eot_iter above 1
    random_start, restarts, classes
                   as in `pgd`, `apgd` and `fab`. An attack that is random without an argument `random_start` declares
                   `random`. The search for the smallest change reads `restarts` and `classes` of an attack that
                   declares `minimal_by_class`, as `fab`
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
