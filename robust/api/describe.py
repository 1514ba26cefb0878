"""What networks cost, as tables: one network layer by layer, or all architectures with their published counts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import pandas as pd

from robust.core import csv_files, files, keras_files
from robust.core.errors import ModelError
from robust.core.key_values import bind
from robust.core.progress import Progress, Silent
from robust.core.types import FLOAT_BYTES, NewRow, Row
from robust.engine.prepare_models import load
from robust.models.layer_table import layer_table, remark, sized, totals, unallocated
from robust.models.macs import Shape
from robust.report import architectures, wording
from robust.report.published import COMPARED, agrees, counts

_VALUES = ("macs", "weighted", "forward", "training")


def network(name: str, options: Sequence[str] = (), **shape: Any) -> keras.Model:
    """An architecture without weights, or the model of a .keras file.

    Args:
        name: of an architecture, or the path of a .keras file.
        options: of the architecture, as "norm=batch".
        shape: `input_shape` and `classes`; what is not given is the architecture's own. A file whose model takes
            images of any size needs `input_shape`.

    Raises SuiteError for a name or an option that does not exist, with a suggestion, and ModelError
    for a file that cannot be loaded or a form that cannot be built.

    >>> network("vgg16", ["norm=batch"], input_shape=(32, 32, 3), classes=10).name
    'vgg16'
    """
    if name.endswith(keras_files.ENDINGS):
        return _from_file(name, [*options, *(key for key in shape if key != "input_shape")], shape.get("input_shape"))
    call = bind("architectures", name, options, "--option")
    with unallocated():
        return call(**shape)


def _from_file(name: str, given: Sequence[str], input_shape: Shape | None) -> keras.Model:
    if given:
        raise ModelError(f"{name}: a file holds a finished model, so {given[0]!r} cannot be set")
    model = load(Path(name))
    return model if input_shape is None else sized(model, input_shape)


def layers(name: str, options: Sequence[str] = (), out: Path | None = None, **shape: object) -> pd.DataFrame:
    """The layer table of a `network`, which takes the same arguments; `out` is a CSV file for it.

    >>> int(layers("lenet5")["macs"].sum())
    416520
    """
    table = layer_table(network(name, options, **shape))
    if out is not None:
        files.write(out, csv_files.csv(table))
    return table


def in_words(table: pd.DataFrame) -> str:
    """The totals of a layer table under each convention, and a remark where something was not counted.

    >>> print(in_words(layers("lenet5")))
    parameters  61,706, all of them trained; 247 kB as float32
    depth       5 layers
    MACs        417 k an image
    memory      35.5 kB an image forward, in place where it can be; 44.2 kB with every output kept for training
    """
    sums = totals(table)
    trained = "all" if sums["trainable"] == sums["parameters"] else f"{sums['trainable']:,}"
    counted = ("held", "forward", "training")
    weights, forward, training = (wording.size(FLOAT_BYTES * sums[name]) for name in counted)
    lines = [
        f"parameters  {sums['parameters']:,}, {trained} of them trained; {weights} as float32",
        f"depth       {sums['depth']} layers",
        f"MACs        {wording.scaled(sums['macs'])} an image",
        f"memory      {forward} an image forward, in place where it can be; "
        f"{training} with every output kept for training",
        remark(table),
    ]
    return "\n".join(filter(None, lines))


def family(progress: Progress | None = None) -> pd.DataFrame:
    """Every architecture in every form whose counts are published: ours and these.

    Columns: architecture, options, input, depth, parameters (trainable), macs, weighted, forward, training
    (values, see `robust.models.layer_table`), forward_memory and training_memory (bytes), published_parameters,
    published_macs, published_forward, published_depth (text, "" for none), differs (which of these do, and
    ours only), note (why) and source. No weights are allocated.
    """
    shown, published = progress or Silent(), counts()
    shown.stage("counting", len(published))
    rows = []
    for one in published.to_dict("records"):
        rows.append(_row(one))
        shown.advance(one["architecture"])
    return pd.DataFrame(rows)


def write(folder: Path, progress: Progress | None = None) -> pd.DataFrame:
    """Count the family, and write architectures.csv, the layer table of VGG-16 and the page into a folder.

    Raises StoreError where it cannot be written.
    """
    table, layers = family(progress), layer_table(network("vgg16"))
    files.write(folder / architectures.LAYERS, csv_files.csv(layers))
    files.write(folder / architectures.TABLE, csv_files.csv(table))
    architectures.write(folder)
    return table


def _row(published: Row) -> NewRow:
    shape = {"input_shape": tuple(map(int, published["input"].split("x")))} if published["input"] else {}
    model = network(published["architecture"], published["options"].split(), **shape)
    sums = totals(layer_table(model))
    ours = {"depth": sums["depth"], "parameters": sums["trainable"], **{n: sums[n] for n in _VALUES}}
    differs = [name for name in COMPARED if not agrees(ours[name], published[name])]
    return {
        "architecture": published["architecture"],
        "options": published["options"],
        "input": "x".join(map(str, model.input_shape[1:])),
        **ours,
        "forward_memory": FLOAT_BYTES * sums["forward"],
        "training_memory": FLOAT_BYTES * sums["training"],
        **{f"published_{name}": published[name] for name in COMPARED},
        "differs": " ".join(differs),
        "note": published["note"],
        "source": published["source"],
    }
