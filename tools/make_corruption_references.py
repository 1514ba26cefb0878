"""Build tests/corruptions/references.npz: the outputs of two third-party implementations for one image.

    pip download --no-deps imagecorruptions-imaug==1.1.5 -d /tmp/ic && (cd /tmp/ic && unzip -q *.whl)
    python -m venv /tmp/icenv && /tmp/icenv/bin/pip install opencv-python-headless numba scikit-image pillow
    /tmp/icenv/bin/python tools/make_corruption_references.py /tmp/ic CORRUPTIONS.PY

The first is the package `imagecorruptions-imaug`. The second is image_classification/corruptions.py of tensorflow-
datasets, which makes its `imagenet2012_corrupted`; it is run without TensorFlow. Where it departs from
make_imagenet_c.py of the authors, it is corrected first (`ORIGINAL`); ImageMagick, which it calls for motion blur,
is replaced by the package's motion blur; the constants of CIFAR-10-C are inserted from the authors' make_cifar_c.py.
All random numbers come from NumPy's frozen RandomState, seeded by the severity, so that ours can use the
same. Of 224 x 224 pixels 17 x 17 are kept.
"""

import argparse
import re
import shutil
import sys
import tempfile
import types
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import scipy
import scipy.ndimage
import skimage
from PIL import Image

ROOT = Path(__file__).parents[1]
FROST = [ROOT / "robust/corruptions/data/frost" / name for name in
         ("frost1.webp", "frost2.webp", "frost2.webp", "frost4.jpg", "frost5.jpg")]  # fmt: skip
ORIGINAL_FROST = ("frost1.png", "frost2.png", "frost3.png", "frost4.jpg", "frost5.jpg")
OF_TFDS = [
    "gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise", "defocus_blur", "glass_blur", "motion_blur",
    "zoom_blur", "gaussian_blur", "snow", "frost", "fog", "spatter", "brightness", "contrast", "saturate",
    "elastic_transform", "pixelate", "jpeg_compression",
]  # fmt: skip
# there, `glass_blur` uses numba's own generator, `elastic_transform` is another one, `frost` has a sixth photograph
OF_PACKAGE = [name for name in OF_TFDS if name not in ("glass_blur", "elastic_transform", "frost")]
# grey: `motion_blur` makes three channels of one, `gaussian_blur` takes the columns for channels
OF_GREY = [name for name in OF_PACKAGE if name not in ("motion_blur", "gaussian_blur")]

ORIGINAL = {
    "np.random.uniform(-45, -45)": "np.random.uniform(-45, 45)",
    "mapsize = 512": "mapsize = SIDE",
    "plasma_fractal(mapsize=mapsize": "plasma_fractal(mapsize=mapsize if SIDE < 64 else 256",
    "scipy.ndimage.interpolation.map_coordinates": "scipy.ndimage.map_coordinates",
    "x = x.resize((": f"x = x.resize(resample={int(Image.Resampling.BOX)}, size=(",
    "224": "SIDE",
}
CIFAR = {  # as in make_cifar_c.py
    "gaussian_noise": "0.04, 0.06, .08, .09, .10",
    "shot_noise": "500, 250, 100, 75, 50",
    "impulse_noise": ".01, .02, .03, .05, .07",
    "speckle_noise": ".06, .1, .12, .16, .2",
    "gaussian_blur": ".4, .6, 0.7, .8, 1",
    "glass_blur": "(0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)",
    "defocus_blur": "(0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)",
    "motion_blur": "(6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)",
    "zoom_blur": ", ".join(f"np.arange(1, {end}, 0.01)" for end in (1.06, 1.11, 1.16, 1.21, 1.26)),
    "fog": "(.2, 3), (.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)",
    "frost": "(1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)",
    "snow": "(0.1, 0.2, 1, 0.6, 8, 3, 0.95), (0.1, 0.2, 1, 0.5, 10, 4, 0.9), (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9), "
    "(0.25, 0.3, 2.25, 0.6, 12, 6, 0.85), (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8)",
    "spatter": "(0.62, 0.1, 0.7, 0.7, 0.5, 0), (0.65, 0.1, 0.8, 0.7, 0.5, 0), (0.65, 0.3, 1, 0.69, 0.5, 0), "
    "(0.65, 0.1, 0.7, 0.69, 0.6, 1), (0.65, 0.1, 0.5, 0.68, 0.6, 1)",
    "contrast": ".75, .5, .4, .3, 0.15",
    "brightness": ".05, .1, .15, .2, .3",
    "saturate": "(0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)",
    "jpeg_compression": "80, 65, 58, 50, 40",
    "pixelate": "0.95, 0.9, 0.85, 0.75, 0.65",
    "elastic_transform": "(0, 0, 32 * 0.08), (32 * 0.05, 32 * 0.2, 32 * 0.07), (32 * 0.08, 32 * 0.06, 32 * 0.06), "
    "(32 * 0.1, 32 * 0.04, 32 * 0.05), (32 * 0.1, 32 * 0.03, 32 * 0.03)",
}


def picture(side: int) -> np.ndarray:
    """Soft blobs of colour, a disk and a grey box, uint8: an image that every corruption changes."""
    random, (rows, columns) = np.random.RandomState(0), np.mgrid[:side, :side] / side
    coarse = [random.rand(n, n, 3) for n in (4, 8, 16)]
    blobs = sum(scipy.ndimage.zoom(c, (side / len(c), side / len(c), 1), order=1) * 4 / len(c) for c in coarse)
    blobs = blobs / blobs.max()
    blobs[(rows - 0.4) ** 2 + (columns - 0.3) ** 2 < 0.03] *= [0.9, 0.4, 0.1]
    blobs[int(0.6 * side) : int(0.85 * side), int(0.5 * side) : int(0.9 * side)] = 0.55
    return np.rint(blobs * 255).astype(np.uint8)


def tfds(source: Path, package: types.ModuleType, side: int, frost: list[Path]) -> dict[str, Callable]:
    """The functions of tensorflow-datasets, for images of this side, with these photographs of frost."""
    text = source.read_text()
    for theirs, original in ORIGINAL.items():
        assert theirs in text, theirs
        text = text.replace(theirs, original)
    if side < 64:
        for name, constants in CIFAR.items():
            text = re.sub(
                rf"(def {name}\(.*?\n  c = )\[.*?\]\[\s*severity - 1\s*\]",
                lambda found, constants=constants: f"{found[1]}[{constants}][severity - 1]",
                text,
                count=1,
                flags=re.DOTALL,
            )
    gfile = types.SimpleNamespace(copy=lambda source, target, overwrite: shutil.copyfile(source, target))
    tensorflow = types.SimpleNamespace(io=types.SimpleNamespace(gfile=gfile))
    lazy = types.SimpleNamespace(cv2=_reader(side), skimage=skimage, scipy=scipy, PIL_Image=Image)
    stubs = {
        "tensorflow_datasets": {},
        "tensorflow_datasets.core": {},
        "tensorflow_datasets.core.utils": {},
        "tensorflow_datasets.core.utils.lazy_imports_utils": {"tensorflow": tensorflow},
        "tensorflow_datasets.public_api": {"core": types.SimpleNamespace(lazy_imports=lazy)},
    }  # fmt: skip
    for name, members in stubs.items():
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(members)
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, sys.modules[name])
    space = {"SIDE": side}
    exec(compile(text, str(source), "exec"), space)
    space["subprocess"].check_output = lambda command: _magick(package, command)
    space["FROST_FILENAMES"][:] = list(map(str, frost))
    return space


def _reader(side: int) -> types.SimpleNamespace:
    """OpenCV, but its images are a fifth as large for small ones, as make_cifar_c.py does with frost."""
    theirs = types.SimpleNamespace(**{name: getattr(cv2, name) for name in dir(cv2)})
    if side < 64:
        theirs.imread = lambda name: cv2.resize(cv2.imread(name), (0, 0), fx=0.2, fy=0.2)
    return theirs


def _magick(package: types.ModuleType, command: list[str]) -> None:
    """convert IN -motion-blur RADIUSxSIGMA+ANGLE OUT."""
    _, source, _, given, target = command
    radius, sigma, angle = re.fullmatch(r"(\d+)x([\d.]+)\+(.*)", given).groups()
    pixels = np.asarray(Image.open(source))
    moved = package._motion_blur(pixels, int(radius), float(sigma), float(angle))
    Image.fromarray(np.rint(moved).astype(np.uint8)).save(target, "PNG")


def run(function: Callable, image: np.ndarray, severity: int) -> np.ndarray:
    np.random.seed(severity)
    return np.asarray(function(image, severity), np.float64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("package", type=Path, help="the folder into which the wheel was unzipped")
    parser.add_argument("tfds", type=Path, help="corruptions.py of tensorflow-datasets")
    parser.add_argument("--out", type=Path, default=ROOT / "tests/corruptions/references.npz")
    arguments = parser.parse_args()
    np.random.default_rng = lambda seed=None: np.random.mtrand._rand  # scikit-image's salt and pepper
    sys.path.insert(0, str(arguments.package))
    from imagecorruptions import corruptions as package

    kept = {"picture_224": picture(224), "picture_32": picture(32)}
    for side in (224, 32):
        functions = tfds(arguments.tfds, package, side, FROST)
        for name in OF_TFDS:
            found = [run(functions[name], picture(side), severity) for severity in range(1, 6)]
            kept[f"tfds/{side}/{name}"] = np.stack(found).round().astype(np.uint8)
    originals = [arguments.package / "imagecorruptions/frost" / name for name in ORIGINAL_FROST]
    functions = tfds(arguments.tfds, package, 224, originals)
    kept["original/224/frost"] = np.stack([run(functions["frost"], picture(224), s) for s in range(1, 6)])
    grey = np.rint(picture(224).mean(axis=2)).astype(np.uint8)
    kept["grey_224"] = grey
    for name in OF_PACKAGE:
        found = [run(getattr(package, name), Image.fromarray(picture(224)), severity) for severity in range(1, 6)]
        kept[f"package/224/{name}"] = np.stack(found).round().astype(np.uint8)
    for name in OF_GREY:
        found = [run(getattr(package, name), Image.fromarray(grey), severity) for severity in range(1, 6)]
        kept[f"package/grey/{name}"] = np.stack(found).round().astype(np.uint8)
    some = np.linspace(0, 223, 17).round().astype(int)
    thinned = {k: v[:, some][:, :, some] if "/" in k and v.shape[1] == 224 else v for k, v in kept.items()}
    with tempfile.NamedTemporaryFile(suffix=".npz") as file:
        np.savez_compressed(file.name, **thinned)
        arguments.out.write_bytes(Path(file.name).read_bytes())


if __name__ == "__main__":
    main()
