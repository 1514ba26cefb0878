"""A suite: models, cases and bounds, defined in a short TOML file."""

from robust.suite.data import presentation, read_data
from robust.suite.read import load, read_case, read_model
from robust.suite.schema import (
    Architecture,
    Case,
    Evaluation,
    InMemory,
    Model,
    ModelFile,
    Pretrained,
    Published,
    Python,
    Suite,
    Training,
    Weights,
)

__all__ = [
    "Architecture",
    "Case",
    "Evaluation",
    "InMemory",
    "Model",
    "ModelFile",
    "Pretrained",
    "Published",
    "Python",
    "Suite",
    "Training",
    "Weights",
    "load",
    "presentation",
    "read_case",
    "read_data",
    "read_model",
]
