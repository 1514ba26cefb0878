"""`robust show`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from robust.api.cli.numbers import Whole


def show(
    data: str,
    *,
    augment: list[str],
    out: Path = Path("augmented.png"),
    images: Whole = 8,
    epochs: Whole = 8,
    seed: Whole = 0,
    allow_code: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Draw training images as augmentations change them: one row per image, first as it is, then epoch by epoch.

    Parameters
    ----------
    data
        The name of a data set, or the path of a folder or an .npz file.
    augment
        An augmentation, or a recipe for all of its: `robust list augmentations`; may be given several times.
    out
        The PNG file.
    images
        Rows.
    epochs
        Columns after the first.
    seed
        Of the training: what is shown is what a training of this seed sees.
    allow_code
        Allow third-party code: module:function.
    """
    from robust.core import key_values, quiet
    from robust.suite import read_data

    key_values.refuse(augment, allow_code)
    source = read_data(data, allow_code=allow_code)
    quiet.tensorflow()
    from robust.api import show as showing

    print(showing.picture(source(), showing.augmentations(augment), out, images=images, epochs=epochs, seed=seed))
    return 0
