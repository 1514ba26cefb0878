"""Corruptions: what weather, cameras and files do to images, in five severities.

The contract: `corruption(images, *, seeds, severity, ...) -> images`, NumPy float [N, H, W, C] in [0, 1],
grey (C = 1) or RGB; `seeds` is int64 [N], and all randomness about an image comes from its own.

They are the 15 of ImageNet-C and its 4 extra ones: speckle noise, Gaussian blur, spatter and saturate. Their constants
are the published ones: CIFAR-10-C's for images whose longer side is under 64 pixels, ImageNet-C's for all others.
Lengths in pixels do not grow with the image, but for the elastic transform, whose authors tie them to it.
"""

from typing import TYPE_CHECKING

from robust.core import registry

if TYPE_CHECKING:
    from robust.corruptions.blur import defocus_blur, gaussian_blur, glass_blur, motion_blur, zoom_blur
    from robust.corruptions.colour import brightness, contrast, saturate
    from robust.corruptions.digital import elastic_transform, jpeg_compression, pixelate
    from robust.corruptions.noise import gaussian_noise, impulse_noise, shot_noise, speckle_noise
    from robust.corruptions.weather import fog, frost, snow, spatter

__all__ = [  # noqa: RUF022 (the order of the paper)
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "defocus_blur",
    "glass_blur",
    "motion_blur",
    "zoom_blur",
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
    "speckle_noise",
    "gaussian_blur",
    "spatter",
    "saturate",
]
registry.contents(__name__)
