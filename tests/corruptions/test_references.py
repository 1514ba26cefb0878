"""Fed with the same random numbers, ours give the same pixels as two implementations that are not ours.

`tfds` is what tensorflow-datasets makes `imagenet2012_corrupted` with, at 32 pixels with the constants of
make_cifar_c.py; `package` is imagecorruptions-imaug, on colour and on grey images.
"""

import numpy as np
import pytest

from robust import corruptions
from robust.core import registry

NAMES = registry.names("corruptions")
SOME = np.linspace(0, 223, 17).round().astype(int)  # the pixels that the references keep of 224
MISSING = {
    "package/224": {
        "glass_blur": "draws by numba's own generator",
        "elastic_transform": "is another one there, without the affine part and with other constants",
        "frost": "has a sixth photograph there and enlarges all of them by a tenth",
    },
}
MISSING["package/grey"] = MISSING["package/224"] | {
    "motion_blur": "makes three channels of one",
    "gaussian_blur": "takes the columns of a grey image for channels",
}
HALF = 0.502  # of a step of 1/255: the references are rounded
TWICE = {  # rounded or cut to whole steps on the way, which a float of 32 bits may turn over
    "glass_blur", "snow", "frost", "brightness", "saturate",
}  # fmt: skip


def _pairs(source, side):
    return [
        pytest.param(source, side, name, marks=pytest.mark.skip(reason=f"{name} {reason}"))
        if (reason := MISSING.get(f"{source}/{side}", {}).get(name))
        else (source, side, name)
        for name in NAMES
    ]


def _ours(name, picture, severity):
    images = (picture / 255).astype(np.float32)[None]
    return getattr(corruptions, name)(images, seeds=np.zeros(1, np.int64), severity=severity)[0] * 255.0


@pytest.mark.parametrize(
    ("source", "side", "name"),
    [*_pairs("tfds", "224"), *_pairs("tfds", "32"), *_pairs("package", "224"), *_pairs("package", "grey")],
)
def test_it_agrees_to_the_step(source, side, name, references, same_stream):
    picture = references["grey_224"][..., None] if side == "grey" else references[f"picture_{side}"]
    for severity, theirs in enumerate(references[f"{source}/{side}/{name}"], 1):
        same_stream(severity)
        ours = _ours(name, picture, severity)
        ours = ours if side == "32" else ours[np.ix_(SOME, SOME)]
        theirs = theirs[..., None] if theirs.ndim == 2 else theirs[..., : ours.shape[-1]]
        off = np.abs(ours - theirs)
        if (source, name) == ("package", "snow"):  # it blurs before it trims, so that the borders differ
            off = off[1:-1, 1:-1]
        assert off.max() <= (1.502 if name in TWICE else HALF), severity
        assert off.mean() <= HALF


def test_the_smaller_photographs_of_frost_are_near_the_original_ones(references):
    """Two were made smaller, with loss; the others are the original files."""
    off = np.abs(references["original/224/frost"].astype(float) - references["tfds/224/frost"])  # [5, 17, 17, 3]
    assert off.max() <= 12
    assert off.mean(axis=(1, 2, 3)).max() < 2
    assert (off.max(axis=(1, 2, 3)) == 0).sum() == 2  # where one of the JPEG files was drawn
