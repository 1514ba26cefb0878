"""Images per second of every corruption on one core, at 32 and 224 pixels, compared with `imagecorruptions`.

    python benchmarks/corruptions.py [--images 8] [--severity 3]

The package `imagecorruptions-imaug` is run, too, if it can be imported. The project's environment is not required:
robust.corruptions needs only NumPy, SciPy and Pillow, as in

    PYTHONPATH=. /tmp/icenv/bin/python benchmarks/corruptions.py

with the environment of tools/make_corruption_references.py. The limit is 20 images per second at 224 pixels.
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
    """Images per second of CPU time, the best of three: other load on the machine does not count."""
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
    args = parser.parse_args()
    print(f"severity {args.severity}, images per second on one core")
    print(f"{'':18}{'32 px':>18}{'224 px':>18}\n{'':18}{'ours':>9}{'theirs':>9}{'ours':>9}{'theirs':>9}")
    for name in registry.names("corruptions"):
        cells = []
        for side, count in ((32, 20 * args.images), (224, args.images)):
            images, seeds = pictures(count, side), np.arange(count)
            ours = getattr(corruptions, name)
            cells += [
                rate(lambda: ours(images, seeds=seeds, severity=args.severity), count),  # noqa: B023
                theirs(name, images, args.severity),
            ]
        print(f"{name:18}" + "".join(f"{'–' if cell is None else f'{cell:.0f}':>9}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
