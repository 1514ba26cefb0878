"""A suite: models, cases and bounds, as a TOML file tells them on one screen."""

from robust.suite.nouns import Case, Cell, Model, Suite, Training
from robust.suite.read import load, read_case

__all__ = ["Case", "Cell", "Model", "Suite", "Training", "load", "read_case"]
