import keras
import pandas as pd
import pytest
from keras import layers

from robust.api import describe
from robust.core.errors import ModelError, SuiteError
from robust.core.key_values import bind
from robust.report import published


def test_options_are_words_and_numbers_as_the_network_takes_them():
    assert bind("architectures", "lenet5", ["form=1998"], "--option").arguments["form"] == "1998"
    assert bind("architectures", "alexnet", ["groups=1", "width=0.5"], "--option").arguments["groups"] == 1
    table = describe.layers("alexnet", ["groups=1"], input_shape=(32, 32, 3), classes=7)
    assert "Concatenate" not in set(table["kind"]) and table["shape"].iloc[-1] == (7,)


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("vgg166", [], "no architectures named 'vgg166'; did you mean 'vgg16'?"),
        ("vgg16", ["nrom=batch"], "nrom: vgg16 takes no 'nrom'; did you mean 'norm'?"),
        ("vgg16", ["norm=bach"], "norm = 'bach': not known; did you mean 'batch'?"),
        ("vgg16", ["norm"], "--option 'norm': must be key=value; write --option norm=VALUE"),
        ("alexnet", ["groups=3"], "groups = 3: not known; allowed: 1, 2"),
    ],
)
def test_mistakes_are_told_with_what_was_meant(name, given, told):
    with pytest.raises(SuiteError) as error:
        describe.network(name, given)
    assert str(error.value) == told


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
def test_a_file_is_described_as_its_model_is(tmp_path):
    model = keras.Sequential([keras.Input((4, 4, 1)), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(3)])
    model.save(tmp_path / "net.keras")
    table = describe.layers(str(tmp_path / "net.keras"), out=tmp_path / "layers.csv")
    assert list(table["macs"]) == [0, 72, 0, 24]
    assert list(pd.read_csv(tmp_path / "layers.csv")["macs"]) == [0, 72, 0, 24]
    with pytest.raises(ModelError, match="a file holds a finished model, so 'classes' cannot be set"):
        describe.network(str(tmp_path / "net.keras"), classes=7)
    with pytest.raises(ModelError, match=r"none.keras: there is no such file"):
        describe.network("none.keras")


def test_the_remark_is_said():
    image = keras.Input((4, 4))
    model = keras.Model(image, layers.Dense(2)(layers.Flatten()(layers.MultiHeadAttention(1, 2)(image, image))))
    said = describe.in_words(describe.layer_table(model)).splitlines()
    assert said[-1] == "counted with 0 multiply-accumulates, since the kind is not known: MultiHeadAttention (1)"


def test_a_row_of_the_family_says_what_differs_and_why(monkeypatch):
    rows = published.counts().set_index("architecture").loc[["lenet5"]].reset_index()
    wrong = rows.iloc[:1].assign(parameters="60000", note="")
    monkeypatch.setattr(describe, "counts", lambda: pd.concat([rows, wrong]))
    table = describe.family()
    assert list(table["differs"]) == ["depth", "macs forward", "depth parameters"]
    assert list(table["macs"]) == [416_520, 326_520 + 1_576, 416_520]
    assert list(table["forward_memory"]) == [4 * 9_118, 4 * (9_118 + 1_576 + 1_600), 4 * 9_118]
    assert list(table["published_depth"]) == ["7", "7", "7"]
