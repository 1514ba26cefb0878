"""From images of any size to images of one size, as in ImageNet evaluations."""

from collections.abc import Mapping
from dataclasses import dataclass

import tensorflow as tf

from robust.core.errors import DataError, suggest
from robust.core.remedies import setting

_KEYS = ("size", "crop", "interpolation", "antialias")
_LONGEST = 100  # times the shorter side, of an image that is resized before it is cropped
_INTERPOLATIONS = ("bilinear", "bicubic")


@dataclass(frozen=True)
class Transform:
    """Resize, crop the centre, round to uint8 as image libraries do.

    The shorter side becomes round(size / crop) pixels, of which the central `size` x `size` are kept.
    Without `crop` the image becomes `size` x `size`, whatever its aspect ratio. `antialias`: are high frequencies
    filtered out when shrinking, as in Pillow, torchvision and timm, but not in Keras' own loader?

    He, Zhang, Ren & Sun, CVPR 2016 (256, then 224); Szegedy et al., CVPR 2016 (a share of .875).
    """

    size: int
    crop: float | None = None
    interpolation: str = "bilinear"
    antialias: bool = True

    def __call__(self, image: tf.Tensor) -> tf.Tensor:
        """uint8 [H, W, C] -> uint8 [size, size, C]."""
        if self.crop is None:
            return self._resized(image, tf.constant([self.size, self.size]))
        sides = tf.shape(image)[:2]
        sides = sides * round(self.size / self.crop) // tf.reduce_min(sides)
        top = tf.cast(tf.round((sides - self.size) / 2), tf.int32)  # half to even, as in Python and torchvision
        return tf.slice(self._resized(image, sides), [*tf.unstack(top), 0], [self.size, self.size, image.shape[-1]])

    def check(self, height: int, width: int, where: object) -> None:
        """Raise DataError for an image so long that it would be resized to more than memory can hold."""
        short, long = sorted((height, width))
        if self.crop is not None and long > _LONGEST * short:
            what = f"{where}: has {height:,} x {width:,} pixels, and a side may be at most {_LONGEST} times the other"
            raise DataError(f"{what} where the shorter one is resized and the centre cropped; crop it beforehand")

    def _resized(self, image: tf.Tensor, sides: tf.Tensor) -> tf.Tensor:
        floats = tf.image.resize(image, sides, self.interpolation, antialias=self.antialias)
        return tf.cast(tf.clip_by_value(tf.round(floats), 0, 255), tf.uint8)


IMAGENET = Transform(size=224, crop=0.875)
"""The shorter side to 256, the central 224 x 224."""


def read(given: str | Mapping[str, float | str | bool] | None) -> Transform | None:
    """The transform of nothing, "imagenet", or a table of size, crop, interpolation and antialias; else DataError.

    >>> read({"size": 240, "crop": 0.882})
    Transform(size=240, crop=0.882, interpolation='bilinear', antialias=True)
    """
    if given is None or given == "imagenet":
        return IMAGENET if given else None
    table = dict(given) if isinstance(given, Mapping) else {}
    for key in table:
        if key not in _KEYS:
            raise DataError(f"transform has no {key!r}{suggest(key, _KEYS)}")
    size, crop, how = table.get("size"), table.get("crop"), table.get("interpolation", "bilinear")
    if not isinstance(size, int | float) or size != int(size) or size < 1:
        raise DataError(f'transform = {given!r}: write "imagenet", or {{ size = 224, crop = 0.875 }} in whole pixels')
    if crop is not None and not (isinstance(crop, int | float) and 0 < crop <= 1):
        raise DataError(f"transform.crop = {crop!r}: must be a number in (0, 1]")
    if how not in _INTERPOLATIONS:
        raise DataError(f"transform.interpolation = {how!r}: not known{suggest(str(how), _INTERPOLATIONS)}")
    if (antialias := table.get("antialias", True)) not in (True, False):
        raise DataError(f"transform.antialias = {antialias!r}: must be true or false")
    return Transform(int(size), None if crop is None else float(crop), str(how), bool(antialias))


def resize_remark(given: str | Mapping[str, float | str | bool] | None) -> tuple[str, ...]:
    """A remark on how images are resized by default: models trained with another resizing get different images.

    >>> [resize_remark(each) for each in ("imagenet", {"size": 240, "crop": 0.882}, {"size": 32, "antialias": False})]
    [(), (), ()]
    """
    if not isinstance(given, Mapping) or {"antialias", "crop"} & {*given}:  # a crop is a protocol of those libraries
        return ()
    other = setting("transform", {**given, "size": int(given["size"]), "antialias": False})
    fed = f"for a model trained with keras.utils.image_dataset_from_directory, which does not, set {other}"
    return (f"images are resized with antialiasing, as Pillow and torchvision do; {fed}",)
