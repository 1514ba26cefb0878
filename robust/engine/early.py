"""A first look at a model that was not made here, before anything is trained or attacked."""

from collections.abc import Callable, Iterable

import numpy as np

from robust.attacks.diagnostics.attack_checks import gradient_based
from robust.core import registry
from robust.core.declared import yields
from robust.core.errors import ModelError
from robust.core.signature import Call
from robust.models.classifier import Classifier, black_box
from robust.models.classifier.memory import fitting


def look(classifier: Classifier, images: np.ndarray, calls: Iterable[Call], say: Callable[[str], None]) -> None:
    """Ask for the logits of images [N, H, W, C], and refuse what the model cannot be put to.

    `calls`: the attacks, inspections and measures of a case. Those of ours are told early, others fail when they ask.

    Raises ModelError for what is wrong with the logits, and where a black box is to give gradients or be opened.
    """
    ours = registry.names("attacks")
    for call in calls if classifier.is_black_box else ():
        gives = f"model {classifier.model.name!r} gives answers"
        if call.kind == "profile":
            raise ModelError(f"{gives} only, and {call.name} looks inside; leave out profile")
        if call.kind == "metrics" and "features" in yields("metrics", call.name).needs:
            raise ModelError(f"{gives} only, and {call.name} looks at features; leave it out of metrics")
        if call.name in ours and gradient_based(call):
            what = f"{gives} and no gradients, which {call.name} asks for"
            raise ModelError(f"{what}; use a black-box attack: {black_box.ATTACKS}")
    fitting(classifier, lambda: classifier.logits(images), say)
