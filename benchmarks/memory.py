"""Peak memory of a run on few and on many images of 224 x 224 x 3, read from a folder.

    python benchmarks/memory.py [--images 1000 50000] [--cases clean pgd noise autoattack]

The images are PNG files of random blocks, linked so that 50,000 of them take no more space than 100; the network is
trivial. Each run is a process of its own, with an empty store. Limits: 3 GB, and 10 % between the smallest and the
largest number of images.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

CASES = {
    "clean": "",
    "pgd": 'attack = { name = "pgd", eps = "1/255", steps = 2 }',
    "noise": 'corruption = { name = "gaussian_noise", severity = 1 }',
    "autoattack": 'attack = { name = "autoattack", eps = "1/255", steps = 2, n_queries = 10 }',
}
DIFFERENT = 100  # files; the others are links to them
MOST, SPREAD = 3.0, 1.1  # GB, and the largest over the smallest


def folder(path: Path, images: int) -> None:
    """Images of ten classes, in a folder for each."""
    random = np.random.default_rng(0)
    for i in range(images):
        file = path / f"class{i % 10}" / f"{i:06d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        if i < DIFFERENT:
            blocks = random.integers(0, 256, (28, 28, 3), np.uint8)
            Image.fromarray(blocks.repeat(8, axis=0).repeat(8, axis=1)).save(file)
        else:
            os.link(path / f"class{i % DIFFERENT % 10}" / f"{i % DIFFERENT:06d}.png", file)


def run(path: Path, cases: list[str]) -> None:
    """One run, in this process."""
    from robust.core import quiet

    quiet.tensorflow()
    import keras

    import robust

    keras.utils.set_random_seed(0)
    image = keras.Input((224, 224, 3))
    x = keras.layers.Flatten()(keras.layers.AveragePooling2D(32)(image))
    keras.Model(image, keras.layers.Dense(10)(x)).save(path / "net.keras")
    text = f'data = {{ folder = "{path / "images"}" }}\n[model.net]\nkeras = "{path / "net.keras"}"\n'
    text += "preprocessing = [0, 1]\n"
    (path / "s.toml").write_text(text + "".join(f"[case.{name}]\n{CASES[name]}\n" for name in cases))
    robust.run(path / "s.toml", path / "out")


def measured(images: int, cases: list[str]) -> tuple[float, float]:
    """Peak resident memory in GB and seconds of a run."""
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary)
        folder(path / "images", images)
        began = time.perf_counter()
        command = [sys.executable, __file__, "--inside", str(path), "--cases", *cases]
        subprocess.run(command, check=True, env={**os.environ, "ROBUST_STORE": str(path / "store")})
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6, time.perf_counter() - began


def main() -> None:
    """Print a line for each number of images."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[1000, 50_000])
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        run(options.inside, options.cases)
        return
    peaks = []
    for images in sorted(options.images):  # the peak of all children so far is that of the largest
        peak, seconds = measured(images, options.cases)
        peaks.append(peak)
        print(f"{images:>7} images: {peak:.2f} GB, {seconds:.0f} s", flush=True)
    spread = peaks[-1] / peaks[0]
    print(
        f"limits: at most {MOST} GB: {max(peaks) <= MOST}; within {SPREAD - 1:.0%}: {spread <= SPREAD} ({spread:.2f})"
    )
    sys.exit(max(peaks) > MOST or spread > SPREAD)


if __name__ == "__main__":
    main()
