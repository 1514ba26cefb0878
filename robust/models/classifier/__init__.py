"""Any model as a function from [0, 1] images to logits: how it is interpreted, called, and simplified for attacks."""

from robust.models.classifier.classifier import Classifier, Loss

__all__ = ["Classifier", "Loss"]
