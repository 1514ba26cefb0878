"""Models that take rows of numbers are asked about images."""

import keras
import numpy as np
import pytest

import robust
from robust.api import cli
from robust.core.errors import ModelError

pytestmark = pytest.mark.usefixtures("without_diagnostics")

X = np.random.default_rng(0).random((30, 4, 5, 3)).astype("float32")
Y = np.arange(30) % 3


def flat(last="softmax", scale=None):
    keras.utils.set_random_seed(0)
    first = [] if scale is None else [keras.layers.Rescaling(scale)]
    hidden = keras.layers.Dense(8, "relu")
    return keras.Sequential([keras.Input((60,)), *first, hidden, keras.layers.Dense(3, last)])


def values(table):
    return table[table["metric"].isin(["top1", "nll"])]["value"].tolist()


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"last": None}, {"scale": 1 / 255}])
def test_it_is_as_if_the_user_flattened_them(options):
    model = flat(**options)
    own = keras.Sequential([keras.Input((4, 5, 3)), keras.layers.Flatten(), *model.layers])
    asked = {"attacks": ["fgsm", "pgd"], "eps": "8/255", "metrics": ["accuracy", "calibration"]}
    assert values(robust.evaluate(model, (X, Y), **asked)) == values(robust.evaluate(own, (X, Y), **asked))
    told = robust.evaluate(model, (X, Y))
    levels = 255 if "scale" in options else 1
    expected = np.mean(model.predict(X.reshape(30, -1) * levels, verbose=0).argmax(1) == Y)
    assert robust.value(told, "top1").value == pytest.approx(expected)


@pytest.mark.slow
def test_the_command_line_says_so(tmp_path, capsys):
    flat().save(tmp_path / "rows.keras")
    np.savez(tmp_path / "x.npz", x=X, y=Y)
    arguments = ["evaluate", str(tmp_path / "rows.keras"), "--data", str(tmp_path / "x.npz")]
    assert cli.app(arguments, exit_on_error=False, result_action="return_value") == 0
    assert "images flattened to rows of 60 numbers" in capsys.readouterr().err


def test_rows_of_another_length_are_refused():
    with pytest.raises(ModelError, match=r"takes images of shape \(60,\), but those of arrays are \(4, 5, 1\)"):
        robust.evaluate(flat(), (X[..., :1], Y))


@pytest.mark.slow
def test_the_callback_flattens_them_and_keeps_its_graphs():
    model, rows = flat(), X.reshape(30, -1)
    model.compile("sgd", "sparse_categorical_crossentropy")
    watch = robust.RobustAccuracy((X, Y), "fgsm", "2/255")
    history = model.fit(rows, Y, epochs=2, verbose=0, callbacks=[watch]).history
    first = watch._ready()[0]
    assert watch._ready()[0] is first
    expected = robust.value(
        robust.evaluate(model, (X, Y), "fgsm", eps="2/255"), "top1", case="fgsm", allow_invalid=True
    ).value
    assert history["val_robust_accuracy"][-1] == pytest.approx(expected)
