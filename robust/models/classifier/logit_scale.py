"""Are outputs that are taken for logits other scores: one sigmoid per class, or probabilities in per cent?"""

import numpy as np

from robust.models.classifier import preprocessing_check
from robust.models.classifier.classifier import Classifier
from robust.results.flags import Reason

FEW = 20  # numbers, of which logits may all be in [0, 1] by chance
_ALIKE = 0.01  # of their mean, between the sums of all rows


def found(classifier: Classifier, images: np.ndarray) -> Reason | None:
    """Why the scale of the logits of a model is a guess; None if it is not.

    None of them is negative, and all are in [0, 1], or those of each image have the same sum. A model whose layers can
    be inspected has had its softmax or sigmoid taken off.

    Args:
        images: [N, H, W, C] in [0, 1].

    >>> from robust.models.classifier.black_box import BlackBox
    >>> model = BlackBox(lambda images: np.tile([0.9, 0.8, 0.1], (len(images), 1)), "sigmoids")
    >>> round(found(Classifier(model, 3), np.zeros((10, 2, 2, 1), "float32")).value, 2)
    1.8
    """
    model = classifier.model
    if getattr(model, "outputs", None):
        return None
    outputs = preprocessing_check.outputs(classifier, images)
    outputs = outputs[np.isfinite(outputs).all(axis=1)]  # `Classifier.logits` reports the others
    sums = outputs.sum(axis=1)
    if getattr(model, "gives_probabilities", False) or outputs.size < FEW or outputs.min() < 0 or not sums.any():
        return None
    if outputs.max() > 1 and np.ptp(sums) > _ALIKE * sums.mean():
        return None
    return Reason("logits_guessed", float(sums.mean()), len(outputs))
