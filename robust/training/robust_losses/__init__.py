"""Robust losses: of an image and of what an adversary makes of it; the `objective` of a training.

The contract: `member(clean, adversarial, shares, *, ...) -> (maximised, losses)`, both [B], graph-pure TensorFlow,
from the logits [B, C] of the images and of the adversary's, and the label's shares of the classes [B, C]. The
adversary maximises the first, training minimises the second.
"""

from typing import TYPE_CHECKING

from robust.core import registry

if TYPE_CHECKING:
    from robust.training.robust_losses.mart import mart as mart
    from robust.training.robust_losses.trades import trades as trades

registry.contents(__name__)
