"""The picture of an attack: image + eps x perturbation = image."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from robust.core.types import size as measured

_PANEL, _GAP, _TEXT, _MARGIN = 448, 56, 30, 16  # pixels; twice those of most networks
_INK, _PAPER = (26, 26, 26), (255, 255, 255)


def draw(image: np.ndarray, attacked: np.ndarray, before: tuple[str, float], after: tuple[str, float]) -> Image.Image:
    """Three panels: original, change and attacked image, with the predictions; as in Goodfellow et al. (ICLR 2015).

    image, attacked: [H, W, C] in [0, 1]. before, after: the class and its probability.
    The middle panel is the change, scaled to the range of a pixel; grey is no change.

    >>> draw(np.zeros((8, 8, 1)), np.ones((8, 8, 1)), ("panda", 0.9), ("gibbon", 0.99)).size
    (1488, 578)
    """
    change = attacked - image
    size = np.abs(change).max()
    spread = 0.5 + change / (2 * size) if size else np.full_like(change, 0.5)
    sheet = Image.new("RGB", (3 * _PANEL + 2 * _GAP + 2 * _MARGIN, _PANEL + 2 * _MARGIN + 3 * _TEXT + 8), _PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(_TEXT)
    texts = (
        _prediction(*before),
        f"the change, of which\nthe largest is {measured(size, 'linf')}",
        _prediction(*after),
    )
    for place, (panel, lines) in enumerate(zip((image, spread, attacked), texts, strict=True)):
        left = _MARGIN + place * (_PANEL + _GAP)
        sheet.paste(_panel(panel), (left, _MARGIN))
        below = left + _PANEL // 2, _PANEL + 2 * _MARGIN
        pen.multiline_text(below, lines, _INK, font, anchor="ma", align="center", spacing=4)
    for place, sign in enumerate("+="):
        centre = _MARGIN + (place + 1) * _PANEL + place * _GAP + _GAP // 2, _MARGIN + _PANEL // 2
        pen.text(centre, sign, _INK, ImageFont.load_default(48), anchor="mm")
    return sheet


def levels(image: np.ndarray) -> np.ndarray:
    """An image [H, W, C] in [0, 1] at 256 levels, as Pillow takes it: [H, W] where it is grey."""
    array = np.rint(image * 255).astype(np.uint8)
    return array[..., 0] if array.shape[-1] == 1 else array


def _panel(image: np.ndarray) -> Image.Image:
    return Image.fromarray(levels(image)).convert("RGB").resize((_PANEL, _PANEL), Image.Resampling.NEAREST)


def _prediction(name: str, probability: float) -> str:
    return f"{name}\n{probability:.1%}"
