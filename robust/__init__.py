"""pytest for the robustness of image classifiers, on Keras 3 and TensorFlow.

import robust

table = robust.run("suites/quick.toml")
robust.value(table, "top1", model="resnet20", case="pgd", eps="8/255").low

table = robust.evaluate(model, (images, labels), attacks=["fgsm", "pgd"], eps="8/255")
"""

from typing import TYPE_CHECKING

from robust import catalog

if TYPE_CHECKING:
    from robust.callback import RobustAccuracy
    from robust.classifier import Classifier
    from robust.errors import RobustError
    from robust.evaluate import evaluate
    from robust.lookup import value
    from robust.run import run
    from robust.suite import load
    from robust.summaries.comparison import compare

__all__ = ["Classifier", "RobustAccuracy", "RobustError", "compare", "evaluate", "load", "run", "value"]
catalog.contents(__name__)
