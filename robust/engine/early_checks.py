"""An early check of a model that was not made here, before anything is trained or attacked."""

from collections.abc import Callable, Iterable

import numpy as np

from robust.attacks.diagnostics.attack_checks import gradient_based
from robust.core import registry
from robust.core.declared import yields
from robust.core.errors import ModelError
from robust.core.signature import Call
from robust.models.classifier import Classifier, black_box
from robust.models.classifier.memory import halving_batches


def check(classifier: Classifier, images: np.ndarray, calls: Iterable[Call], say: Callable[[str], None]) -> None:
    """Compute the logits of images [N, H, W, C], and refuse what the model does not support.

    `calls`: the attacks, profiles and metrics of a case. Built-in attacks are checked here, others fail when they run.

    Raises ModelError for invalid logits, and where a black box is required to give gradients, features or layers.
    """
    built_in = registry.names("attacks")
    for call in calls if classifier.is_black_box else ():
        gives = f"model {classifier.model.name!r} gives outputs"
        if call.kind == "profile":
            raise ModelError(f"{gives} only, and {call.name} needs its layers; leave out profile")
        if call.kind == "metrics" and "features" in yields("metrics", call.name).needs:
            raise ModelError(f"{gives} only, and {call.name} needs features; leave it out of metrics")
        if call.name in built_in and gradient_based(call):
            what = f"{gives} and no gradients, which {call.name} needs"
            raise ModelError(f"{what}; use a black-box attack: {black_box.ATTACKS}")
    halving_batches(classifier, lambda: classifier.logits(images), say)
