"""Images a second of every corruption on one core, at 32 and 224 pixels, beside `imagecorruptions`.

    python benchmarks/corruptions.py [--images 8] [--severity 3]

The package `imagecorruptions-imaug` is run, too, where it can be imported. It need not be the project's environment:
robust.corruptions asks for NumPy, SciPy and Pillow alone, as in

    PYTHONPATH=. /tmp/icenv/bin/python benchmarks/corruptions.py

with the environment of tools/make_corruption_references.py. The bar is 20 images a second at 224 pixels.
"""

import os

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # before the libraries count the cores

import argparse  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402

import numpy as np  # noqa: E402
from scipy.ndimage import gaussian_filter  # noqa: E402

from robust import corruptions  # noqa: E402
from robust.core import registry  # noqa: E402

try:
    import imagecorruptions
except ImportError:
    imagecorruptions = None


def pictures(images: int, side: int) -> np.ndarray:
    noise = np.random.default_rng(0).random((images, side, side, 3), np.float32)
    smooth = gaussian_filter(noise, (0, side / 60, side / 60, 0))
    return (smooth - smooth.min()) / (smooth.max() - smooth.min())


def rate(run: Callable[[], object], images: int) -> float:
    """Images a second of processor time, the best of three: what others run on the machine does not count."""
    run()
    best = np.inf
    for _ in range(3):
        began = time.process_time()
        run()
        best = min(best, time.process_time() - began)
    return images / best


def theirs(name: str, images: np.ndarray, severity: int) -> float | None:
    if imagecorruptions is None:
        return None
    levels = np.rint(images * 255).astype(np.uint8)
    return rate(lambda: [imagecorruptions.corrupt(x, severity, name) for x in levels], len(levels))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--severity", type=int, default=3)
    asked = parser.parse_args()
    print(f"severity {asked.severity}, images a second on one core")
    print(f"{'':18}{'32 px':>18}{'224 px':>18}\n{'':18}{'ours':>9}{'theirs':>9}{'ours':>9}{'theirs':>9}")
    for name in registry.names("corruptions"):
        cells = []
        for side, count in ((32, 20 * asked.images), (224, asked.images)):
            images, seeds = pictures(count, side), np.arange(count)
            ours = getattr(corruptions, name)
            cells += [
                rate(lambda: ours(images, seeds=seeds, severity=asked.severity), count),  # noqa: B023
                theirs(name, images, asked.severity),
            ]
        print(f"{name:18}" + "".join(f"{'–' if cell is None else f'{cell:.0f}':>9}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
