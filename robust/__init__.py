"""pytest for the robustness of image classifiers, on Keras 3 and TensorFlow.

import robust

table = robust.run("suites/quick.toml")
robust.value(table, "top1", model="resnet20", case="pgd", eps="8/255").low

table = robust.evaluate(model, (images, labels), attacks=["fgsm", "pgd"], eps="8/255")
"""

from typing import TYPE_CHECKING

from robust.core import registry

if TYPE_CHECKING:
    from robust.api.evaluate import evaluate
    from robust.api.keras_callback import RobustAccuracy
    from robust.api.lookup import value
    from robust.core.declared import attack, corruption, metric, profile, section
    from robust.core.errors import RobustError
    from robust.engine.session import run
    from robust.models.classifier import Classifier
    from robust.results.summaries.comparison import compare
    from robust.suite import load

__all__ = [
    "Classifier",
    "RobustAccuracy",
    "RobustError",
    "attack",
    "compare",
    "corruption",
    "evaluate",
    "load",
    "metric",
    "profile",
    "run",
    "section",
    "value",
]
registry.contents(__name__)
