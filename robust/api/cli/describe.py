"""`robust describe`."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from robust.api.cli.numbers import MaybeWhole
from robust.core import keras_files
from robust.core.errors import SuiteError


def describe(
    network: str | None = None,
    *,
    option: Annotated[list[str] | None, Parameter(negative="")] = None,
    classes: MaybeWhole = None,
    input_shape: Annotated[tuple[int, int, int] | None, Parameter(negative="")] = None,
    all_: Annotated[bool, Parameter(name=["--all"], negative="")] = False,
    out: Path | None = None,
) -> int:
    """Show what a network costs, layer by layer: shapes, parameters, multiply-accumulates, memory of an image.

    Parameters
    ----------
    network
        The name of an architecture, or a .keras file.
    option
        Of the architecture, as in --option norm=batch; may be given several times.
    classes
        The number of classes; by default the architecture's own.
    input_shape
        Height, width and channels, as in --input-shape 32 32 3.
    all_
        Every architecture with its published counts, in one table; and the page reports/architectures.
    out
        Of one network, a CSV file for its layers; with --all, the folder of the page.
    """
    from robust.core import key_values, quiet

    if all_ == (network is not None):
        raise SuiteError("describe: name a network, as in `robust describe vgg16`, or pass --all")
    if all_ and (option or classes or input_shape):
        raise SuiteError("describe --all: the family is counted as published; name a network to set its options")
    if network is not None and not network.endswith(keras_files.ENDINGS):
        # a mistake in it is an error before TensorFlow is imported
        key_values.bind("architectures", network, option or [], "--option")
    quiet.tensorflow()
    if network is None:
        _family(out or Path("reports/architectures"))
    else:
        given = {"classes": classes, "input_shape": input_shape}
        _layers(network, option or [], out, **{key: value for key, value in given.items() if value is not None})
    return 0


def _family(folder: Path) -> None:
    from robust.api.describe import write
    from robust.core import progress
    from robust.report import terminal

    with progress.on(sys.stderr) as shown:
        terminal.family(write(folder, shown))
    print(f"the page: {folder / 'index.html'}")


def _layers(network: str, options: list[str], out: Path | None, **shape: object) -> None:
    from robust.api.describe import in_words, layers
    from robust.report import terminal

    table = layers(network, options, out, **shape)
    terminal.layers(table)
    print(f"\n{in_words(table)}")
