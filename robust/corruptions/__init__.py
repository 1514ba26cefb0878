"""Corruptions: what weather, cameras and files do to images, in five severities.

The contract: `corruption(images, *, seeds, severity, ...) -> images`, NumPy float [N, H, W, C] in [0, 1];
`seeds` is int64 [N], and all randomness about an image comes from its own.
"""

from typing import TYPE_CHECKING

from robust import catalog

if TYPE_CHECKING:
    from robust.corruptions.noise import gaussian_noise

__all__ = ["gaussian_noise"]
catalog.contents(__name__)
