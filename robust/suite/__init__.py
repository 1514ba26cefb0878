"""A suite: models, cases and bounds, defined in a short TOML file."""

from robust.suite.data import read_data, seen
from robust.suite.nouns import (
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
from robust.suite.read import load, read_case, read_model

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
    "read_case",
    "read_data",
    "read_model",
    "seen",
]
