"""The result of a perturbation."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class AttackResult:
    """Adversarial images and how they were found; all arrays have one entry per image.

    images: [N, H, W, C] in [0, 1]: where the attack succeeded, the image that fooled the model.
    by: str [N]: the attack that succeeded; "" where none did, or where none was run (a corruption).
    n_forward, n_backward: int32 [N]: passes spent on the image.
    trace: float32 [N, T]: the loss over the search, thinned; NaN after it stopped.
    passes: forward passes of the search over all images: those that an image needed, and all, with idle slots.
    """

    images: np.ndarray
    by: np.ndarray
    n_forward: np.ndarray
    n_backward: np.ndarray
    trace: np.ndarray
    passes: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, images: np.ndarray, trace_length: int = 0) -> "AttackResult":
        """The start of an attack: the unchanged images (a copy), no passes, a trace of `trace_length` places."""
        n = len(images)
        by, trace = np.full(n, "", dtype=object), np.full((n, trace_length), np.nan, np.float32)
        return cls(images.copy(), by, np.zeros(n, np.int32), np.zeros(n, np.int32), trace)


def fooled(predicted: np.ndarray, labels: np.ndarray, targets: np.ndarray | None) -> np.ndarray:
    """Where a model is fooled, bool [N]: it predicts the target, or without targets another class than the label.

    >>> fooled(np.array([0, 1]), np.array([0, 0]), None).tolist()
    [False, True]
    """
    return predicted != labels if targets is None else predicted == targets


def is_within(sizes: Any, eps: Any) -> Any:
    """Which sizes of changes are at most eps, up to rounding: of arrays, or of tensors in a graph.

    >>> is_within(np.array([0.1, 0.2]), 0.1).tolist()
    [True, False]
    """
    return sizes <= eps * (1 + 1e-5) + 1e-6
