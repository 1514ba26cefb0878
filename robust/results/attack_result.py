"""What a perturbation gives back."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class AttackResult:
    """Adversarial images and how they were found; all arrays have one entry an image.

    images: [N, H, W, C] in [0, 1]: for an image that fell, the one that fooled the model.
    by: str [N]: what felled the image; "" where it still stands, or where nothing tried (a corruption).
    n_forward, n_backward: int32 [N]: passes spent on the image.
    trace: float32 [N, T]: the loss over the search, thinned; NaN after it stopped.
    """

    images: np.ndarray
    by: np.ndarray
    n_forward: np.ndarray
    n_backward: np.ndarray
    trace: np.ndarray

    @classmethod
    def of(cls, images: np.ndarray, trace_length: int = 0) -> "AttackResult":
        """Nothing tried yet: the images as they are (a copy), no passes, a trace of `trace_length` places."""
        n = len(images)
        by, trace = np.full(n, "", dtype=object), np.full((n, trace_length), np.nan, np.float32)
        return cls(images.copy(), by, np.zeros(n, np.int32), np.zeros(n, np.int32), trace)


def fooled(predicted: np.ndarray, labels: np.ndarray, targets: np.ndarray | None) -> np.ndarray:
    """Where a model is fooled, bool [N]: it answers with the target, or without targets not with the label.

    >>> fooled(np.array([0, 1]), np.array([0, 0]), None).tolist()
    [False, True]
    """
    return predicted != labels if targets is None else predicted == targets


def within(sizes: Any, eps: Any) -> Any:
    """Which sizes of changes are at most eps, but for rounding: of arrays, or of tensors in a graph.

    >>> within(np.array([0.1, 0.2]), 0.1).tolist()
    [True, False]
    """
    return sizes <= eps * (1 + 1e-5) + 1e-6
