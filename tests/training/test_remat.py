import keras
import numpy as np
import pytest
import tensorflow as tf

from robust.core.errors import ModelError
from robust.core.progress import Silent
from robust.core.signature import Call, bind
from robust.models.architectures import densenet40, resnet20
from robust.suite import Architecture, Model, Training
from robust.training.fit import fit
from robust.training.remat import Rematerialised, blocks, cuts

IMAGES = tf.constant(np.random.default_rng(0).random((6, 12, 12, 1), "float32"))


def gradients(network, called):
    """Loss, the gradient of each weight, and the new statistics."""
    with tf.GradientTape() as tape, keras.StatelessScope() as scope:
        loss = tf.reduce_sum(called(IMAGES, training=True) ** 2)
    found = tape.gradient(loss, [weight.value for weight in network.trainable_weights])
    states = [scope.get_current_value(v) for v in network.non_trainable_variables if "moving" in v.path]
    return [loss, *found, *states]


@pytest.mark.slow
@pytest.mark.parametrize(("make", "width"), [(resnet20, 0.25), (densenet40, 0.25)])
def test_gradients_and_statistics_are_those_of_the_network_as_it_is(make, width):
    keras.utils.set_random_seed(0)
    network = make(input_shape=(12, 12, 1), classes=3, width=width)
    own, again = gradients(network, network), gradients(network, Rematerialised(network))
    assert len(own) == len(again) > 60
    assert all(np.allclose(a, b, rtol=1e-4, atol=1e-4) for a, b in zip(own, again, strict=True))


@pytest.mark.slow
def test_a_cut_is_where_one_tensor_is_all_that_is_passed_on():
    network = resnet20(input_shape=(12, 12, 1), classes=3, width=0.25)
    names = [tensor._keras_history.operation.name for tensor in cuts(network)]
    assert [name for name in names if name.endswith("_out")] == [
        f"conv{s}_block{b}_out" for s in (2, 3, 4) for b in (1, 2, 3)
    ]
    assert not [name for name in names if name.endswith("_1_conv")]  # the shortcut passes by
    parts = blocks(network)
    assert len(parts) == 5
    assert {id(v) for part in parts for v in part.variables} == {id(v) for v in network.variables}
    images = IMAGES
    for part in parts:
        images = part(images, training=False)
    assert np.allclose(images, network(IMAGES, training=False), atol=1e-6)


def three_blocks(*, input_shape, classes):
    image = x = keras.Input(input_shape)
    for _ in range(3):
        x = keras.layers.ReLU()(keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3)(x)))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, keras.layers.Dense(classes, name="logits")(x))


@pytest.mark.slow
def test_a_training_with_it_is_the_training_without(stripes, tmp_path, monkeypatch):
    monkeypatch.setattr(Call, "resolve", lambda call: three_blocks)
    found = []
    for remat in ("none", "blocks"):
        recipe = bind("recipes", {"name": "short", "epochs": 2, "batch_size": 128, "remat": remat})
        model = Model("net", Architecture(Call("architectures", "three")), Training(recipe))
        found.append(fit(model, stripes, 0, Silent()))
    (plain, history), (spared, same) = found
    assert history["loss"] == pytest.approx(same["loss"], rel=1e-4)
    assert all(np.allclose(a, b, atol=1e-4) for a, b in zip(plain.get_weights(), spared.get_weights(), strict=True))
    spared.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras", safe_mode=True)
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in spared.layers]


def test_random_layers_and_several_outputs_are_refused():
    image = keras.Input([2])
    x = keras.layers.Dropout(0.2, name="drop")(image)
    with pytest.raises(ModelError, match=r"remat = 'blocks': a has random layers \(seed_.+\); set remat = 'none'"):
        Rematerialised(keras.Model(image, keras.layers.Dense(3)(x), name="a"))
    heads = [keras.layers.Dense(3)(image), keras.layers.Dense(3)(image)]
    with pytest.raises(ModelError, match="remat = 'blocks': b has several outputs; set remat = 'none'"):
        Rematerialised(keras.Model(image, heads, name="b"))
