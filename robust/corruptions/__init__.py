"""Corruptions of images by weather, cameras and file formats, in five severities.

The contract: `corruption(images, *, seeds, severity, ...) -> images`, NumPy float [N, H, W, C] in [0, 1],
grey (C = 1) or RGB; `seeds` is int64 [N], and all randomness for an image comes from its own seed.

They are the 15 of ImageNet-C and its 4 extra ones: speckle noise, Gaussian blur, spatter and saturate. Their constants
are the published ones: CIFAR-10-C's for images whose longer side is under 64 pixels, ImageNet-C's for all others.
Lengths in pixels do not scale with the image, except in the elastic transform, as in the authors' code.
"""

from typing import TYPE_CHECKING

from robust.core import registry

if TYPE_CHECKING:
    from robust.corruptions.blur import defocus_blur as defocus_blur
    from robust.corruptions.blur import gaussian_blur as gaussian_blur
    from robust.corruptions.blur import glass_blur as glass_blur
    from robust.corruptions.blur import motion_blur as motion_blur
    from robust.corruptions.blur import zoom_blur as zoom_blur
    from robust.corruptions.colour import brightness as brightness
    from robust.corruptions.colour import contrast as contrast
    from robust.corruptions.colour import saturate as saturate
    from robust.corruptions.digital import elastic_transform as elastic_transform
    from robust.corruptions.digital import jpeg_compression as jpeg_compression
    from robust.corruptions.digital import pixelate as pixelate
    from robust.corruptions.noise import gaussian_noise as gaussian_noise
    from robust.corruptions.noise import impulse_noise as impulse_noise
    from robust.corruptions.noise import shot_noise as shot_noise
    from robust.corruptions.noise import speckle_noise as speckle_noise
    from robust.corruptions.weather import fog as fog
    from robust.corruptions.weather import frost as frost
    from robust.corruptions.weather import snow as snow
    from robust.corruptions.weather import spatter as spatter

registry.contents(__name__)
