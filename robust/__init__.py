"""pytest for the robustness of image classifiers, on Keras 3 and TensorFlow.

import robust

table = robust.run("suites/quick.toml")
robust.value(table, "top1", model="resnet20", case="pgd", eps="8/255").ci_low

table = robust.evaluate(model, (images, labels), attacks=["fgsm", "pgd"], eps="8/255")
"""

from typing import TYPE_CHECKING

from robust.core import registry

if TYPE_CHECKING:
    from robust.api.evaluate import evaluate as evaluate
    from robust.api.keras_callback import RobustAccuracy as RobustAccuracy
    from robust.api.lookup import value as value
    from robust.core.declared import attack as attack
    from robust.core.declared import corruption as corruption
    from robust.core.declared import metric as metric
    from robust.core.declared import profile as profile
    from robust.core.declared import section as section
    from robust.core.errors import RobustError as RobustError
    from robust.engine.session import run as run
    from robust.models.classifier import Classifier as Classifier
    from robust.results.summaries.comparison import compare as compare
    from robust.suite import load as load

registry.contents(__name__)
