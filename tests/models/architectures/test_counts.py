"""Trainable parameters against published numbers, and against the arithmetic of the papers."""

import ast
from math import prod
from pathlib import Path

import keras
import pytest

from robust.core import registry
from robust.models.layer_table import layer_table, totals
from robust.report import published

LENET, HE = "LeCun et al. 1998, section II.B", "arithmetic of He et al. 2016, section 4.2; akamaster's table"
TABLE = [  # name, options, trainable parameters at the canonical input and ten classes, source
    ("lenet5", {}, 61_706, "arithmetic: full C3, plain pooling, linear output"),
    ("lenet5", {"form": "1998"}, 60_000, f"{LENET}: '60,000 trainable free parameters'"),
    ("resnet20", {}, 269_722, HE),
    ("resnet32", {}, 464_154, HE),
    ("resnet44", {}, 658_586, HE),
    ("resnet56", {}, 853_018, HE),
    ("resnet110", {}, 1_727_962, HE),
    ("resnet20", {"shortcut": "B"}, 272_474, HE),
    ("resnet32", {"shortcut": "B"}, 466_906, HE),
    ("resnet44", {"shortcut": "B"}, 661_338, HE),
    ("resnet56", {"shortcut": "B"}, 855_770, HE),
    ("resnet110", {"shortcut": "B"}, 1_730_714, HE),
    ("plain20", {}, 269_722, "as its residual twin: option A has no parameters"),
    ("plain32", {}, 464_154, "idem"),
    ("plain44", {}, 658_586, "idem"),
    ("plain56", {}, 853_018, "idem"),
    ("plain110", {}, 1_727_962, "idem"),
    ("mlp", {}, 167_818, "arithmetic: 784 * 128 + 128, 4 * (128 * 128 + 128), 128 * 10 + 10"),
]


def trainable(model):
    return sum(prod(weight.shape) for weight in model.trainable_weights)


@pytest.mark.slow_after_first
@pytest.mark.parametrize(
    ("name", "options", "count", "source"), TABLE, ids=["-".join([row[0], *row[1].values()]) for row in TABLE]
)
def test_trainable_parameters(name, options, count, source):
    assert trainable(registry.resolve("architectures", name)(**options)) == count, source


COUNTS = published.counts().to_dict("records")


@pytest.mark.slow_after_first
@pytest.mark.parametrize("said", COUNTS, ids=[f"{row['architecture']}-{row['options']}" for row in COUNTS])
def test_parameters_work_memory_and_depth(outline, said):
    """Against robust/report/data/counts.csv, without weights; what differs is explained in the row, and only that."""
    sums = totals(layer_table(outline(said["architecture"], **_given(said))))
    ours = {**sums, "parameters": sums["trainable"]}
    differs = {name for name in (*published.COMPARED, "weighted") if not published.agrees(ours[name], said[name])}
    assert differs == set(DIFFERENT.get((said["architecture"], said["options"]), {}))
    assert bool(said["note"]) == bool(differs)
    for name, more in DIFFERENT.get((said["architecture"], said["options"]), {}).items():
        assert ours[name] - int(said[name]) == more
    assert said["source"] and sums["uncounted"] == 0


def _given(said):
    options = dict(option.split("=") for option in said["options"].split())
    shape = {"input_shape": tuple(map(int, said["input"].split("x")))} if said["input"] else {}
    return {**shape, **{key: int(word) if key == "groups" else word for key, word in options.items()}}


DIFFERENT = {  # what the notes explain, by how much
    ("lenet5", ""): {"depth": -2},
    ("lenet5", "form=1998"): {"macs": 6 * 14**2 + 16 * 5**2, "forward": 6 * 14**2 + 16 * 5**2 + 16 * 10**2},
    ("alexnet", ""): {"forward": 27**2 * 256 + 13**2 * (384 + 256)},
    ("densenet264", ""): {"depth": 1},
}


THEIRS = [
    ("VGG16", 61.1),
    ("ResNet50", 148.5),
    ("DenseNet121", 199.7),
    ("MobileNetV2", 87.3),
    ("EfficientNetB0", 100.5),
]
SLOWER = [("ResNet101", 223.5), ("ResNet152", 316.3), ("DenseNet169", 240.4), ("DenseNet201", 309.2),
          ("VGG19", 66.3), ("MobileNet", 67.4), ("EfficientNetB1", 160.6), ("EfficientNetB2", 203.6)]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "megabytes"), [*THEIRS, *(pytest.param(*row, marks=pytest.mark.slow) for row in SLOWER)]
)
def test_memory_of_every_output_of_keras_own_networks(outline, name, megabytes):
    """Where every layer's output is kept, what counts is how a network is written: so theirs, not ours."""
    sums = totals(layer_table(outline(getattr(keras.applications, name), weights=None)))
    assert 4 * sums["training"] / 1e6 == pytest.approx(megabytes, abs=0.05)


def test_vgg16_takes_61_megabytes_and_115_with_its_relus(outline):
    """Not the 24 M values and 96 MB of the course notes of CS231n, whose rows have another sum."""
    table = layer_table(outline("vgg16"))
    relus = int(table.loc[table["kind"] == "ReLU", "training"].sum())
    assert int(table["forward"].sum()) == 15_237_608
    assert round(4 * 15_237_608 / 1e6) == 61 and round(4 * (15_237_608 + relus) / 1e6) == 115


def test_every_architecture_has_published_counts():
    assert {row["architecture"] for row in COUNTS} == set(registry.names("architectures"))


def test_every_architecture_is_in_a_table_of_counts():
    """Each family's test file has a TABLE of its own; a family of one has test_NAME.py."""
    counted = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.Assign) and "TABLE" in getattr(node.targets[0], "id", ""):
                counted |= {n.value for n in ast.walk(node.value) if isinstance(n, ast.Constant)}
                counted.add(path.stem.removeprefix("test_"))
    assert set(registry.names("architectures")) <= counted


@pytest.mark.slow_after_first
@pytest.mark.parametrize(("channels", "classes", "width"), [(1, 10, 1), (3, 100, 1), (3, 10, 0.5), (1, 5, 0.25)])
def test_a_small_resnet_is_the_sum_of_its_convolutions(channels, classes, width):
    first, second, third = stages = [int(stage * width) for stage in (16, 32, 64)]

    def conv(inputs, outputs):
        return 9 * inputs * outputs + 2 * outputs  # BatchNorm's scale and shift; no bias

    inside = sum(5 * conv(stage, stage) for stage in stages)  # 3 blocks of 2, less the first convolution
    between = conv(channels, first) + conv(first, first) + conv(first, second) + conv(second, third)
    model = registry.resolve("architectures", "resnet20")(input_shape=(28, 28, channels), classes=classes, width=width)
    assert trainable(model) == inside + between + third * classes + classes


def test_one_channel_saves_288_weights():
    assert trainable(registry.resolve("architectures", "resnet20")(input_shape=(28, 28, 1))) == 269_722 - 2 * 9 * 16


def test_lenet5_of_1998_layer_by_layer():
    """C1 156, S2 12, C3 1,516, S4 32, C5 48,120, F6 10,164 (LeCun et al. 1998, section II.B)."""
    model = registry.resolve("architectures", "lenet5")(form="1998")
    counts = {"c1": 0, "s2": 0, "c3": 0, "s4": 0, "c5": 0, "f6": 0}
    for layer in model.layers:
        if layer.trainable_weights:
            counts[layer.name[:2]] += trainable(layer)
    assert counts == {"c1": 156, "s2": 12, "c3": 1_516, "s4": 32, "c5": 48_120, "f6": 10_164}
    assert model.count_params() == 60_840  # and the 10 fixed codes of 84


def test_modern_lenet5_layer_by_layer():
    model = registry.resolve("architectures", "lenet5")()
    counts = {layer.name: trainable(layer) for layer in model.layers if layer.trainable_weights}
    assert counts == {"c1": 156, "c3": 2_416, "c5": 48_120, "f6": 10_164, "logits": 850}
