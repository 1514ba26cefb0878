"""Any model as a function from [0, 1] images to logits: how it is understood, asked, and asked in a cheaper form."""

from robust.models.classifier.classifier import Classifier, Loss

__all__ = ["Classifier", "Loss"]
