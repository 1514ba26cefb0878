"""Weights of torchvision and timm in our networks: the logits that Torch gave, stored as references."""

import dataclasses
import functools
import json
import re
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from robust.core import registry
from robust.core.errors import ModelError
from robust.core.remedies import using_interface
from robust.core.signature import Call, bind
from robust.models.layer_table import unallocated
from robust.models.pretrained import load
from robust.models.pretrained.fill import slots
from robust.suite import Weights
from robust.suite import load as read_suite
from robust.suite import pretrained as words

FAST = [
    ("torchvision", "resnet18"), ("torchvision", "vgg11"), ("torchvision", "vgg11_bn"),
    ("torchvision", "mobilenet_v2"), ("torchvision", "mobilenet_v3_small"), ("timm", "vgg11_bn"),
    ("timm", "mobilenetv2_100"), ("timm", "mobilenetv3_small_100"), ("timm_tf", "tf_mobilenetv3_small_100"),
]  # fmt: skip
SLOW = [
    ("torchvision", "resnet50"), ("torchvision", "densenet121"), ("torchvision", "mobilenet_v3_large"),
    ("torchvision", "efficientnet_b0"), ("timm", "resnet50"), ("timm", "densenet121"),
    ("timm", "mobilenetv3_large_100"), ("timm", "efficientnet_b0"), ("timm_tf", "tf_efficientnet_b0"),
    ("timm_tf", "tf_mobilenetv3_large_100"), ("timm_tf", "tf_efficientnet_lite0"),
]  # fmt: skip
EVERY = [*FAST, *(pytest.param(*pair, marks=pytest.mark.slow) for pair in SLOW)]
V2 = "torchvision", "mobilenet_v2"


@pytest.fixture
def loaded(tmp_path, form):
    """`loaded(reference, ...)`: our network with the reference's weights, through a file."""

    def build(reference, kind="safetensors", tensors=None, classes=10, shape=None, **options):
        file = tmp_path / f"weights.{kind}"
        file.write_bytes(form[kind](reference.tensors if tensors is None else tensors))
        weights = Weights(file, reference.call(**options), reference.layout)
        return load.from_file(weights, shape or reference.images.shape[1:], classes)

    return build


def apart(model, reference):
    """The largest difference of logits, over the logits' deviation."""
    return float(np.abs(model(reference.images) - reference.logits).max() / reference.logits.std())


@pytest.mark.slow
@pytest.mark.parametrize(("layout", "name"), EVERY)
def test_the_logits_are_torchs(layout, name, reference, loaded):
    theirs = reference(layout, name)
    assert apart(loaded(theirs), theirs) <= 1e-3  # measured: 2e-4 for MobileNet V3-Large, 5e-5 for the others


@pytest.mark.slow
def test_a_network_to_be_fine_tuned_has_the_classes_of_its_file(reference, loaded, tmp_path):
    theirs = reference(*V2)
    model = loaded(theirs)
    weights = Weights(tmp_path / "weights.safetensors", theirs.call(), theirs.layout)
    whole = load.original(weights, theirs.images.shape[1:])
    assert whole.output_shape == (None, 10)
    assert np.allclose(whole(theirs.images), model(theirs.images), atol=1e-5)


@pytest.mark.slow
def test_a_last_layer_without_classes_is_told(reference, tmp_path, form):
    theirs = reference(*V2)
    tensors = {**theirs.tensors, "classifier.1.weight": np.ones((), np.float32)}
    (tmp_path / "w.safetensors").write_bytes(form["safetensors"](tensors))
    weights = Weights(tmp_path / "w.safetensors", theirs.call(), theirs.layout)
    with pytest.raises(ModelError, match=r"classifier\.1\.weight is \(\), logits needs \(1000, 1280\)"):
        load.original(weights, theirs.images.shape[1:])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["legacy", "zip", "safetensors"])
def test_every_form_of_a_file_gives_the_same_network(kind, reference, loaded):
    theirs = reference("torchvision", "mobilenet_v3_small")
    assert apart(loaded(theirs, kind), theirs) <= 1e-3


@pytest.mark.parametrize(
    ("layout", "name", "options"),
    [
        (*V2, {"epsilon": 1e-3}),
        (*V2, {"padding": "same"}),
        ("torchvision", "mobilenet_v3_small", {"epsilon": 1e-5}),
        pytest.param("torchvision", "mobilenet_v3_small", {"padding": "same"}, marks=pytest.mark.slow),
        pytest.param("timm_tf", "tf_mobilenetv3_small_100", {"padding": "symmetric"}, marks=pytest.mark.slow),
        pytest.param("torchvision", "resnet50", {"form": "v1"}, marks=pytest.mark.slow),
        pytest.param("torchvision", "efficientnet_b0", {"epsilon": 1e-3}, marks=pytest.mark.slow),
        pytest.param("torchvision", "efficientnet_b0", {"padding": "same"}, marks=pytest.mark.slow),
    ],
)
def test_what_does_not_match_is_another_function_and_an_error(layout, name, options, reference, loaded, monkeypatch):
    theirs = reference(layout, name)
    with pytest.raises(ModelError, match="is not what weights of layout"):
        loaded(theirs, **options)
    monkeypatch.setattr(load, "check", lambda *_: None)  # without the check, the weights fit
    assert apart(loaded(theirs, **options), theirs) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("key", ["mean", "std"])
def test_pixels_are_normalised_as_the_layout_says_or_as_the_suite_does(key, reference, tmp_path, form):
    theirs = reference("timm_tf", "tf_mobilenetv3_small_100")
    (tmp_path / "w.safetensors").write_bytes(form["safetensors"](theirs.tensors))

    def distance(**pixels):
        weights = Weights(tmp_path / "w.safetensors", theirs.call(), theirs.layout, **pixels)
        return apart(load.from_file(weights, (64, 64, 3), 10), theirs)

    assert distance(**{key: (0.5, 0.5, 0.5)}) <= 1e-3 < distance(**{key: (0.485, 0.456, 0.406)})


@pytest.mark.slow
def test_the_momentum_is_torchs(reference, loaded):
    norms = [x for x in loaded(reference(*V2)).layers if isinstance(x, keras.layers.BatchNormalization)]
    assert {norm.momentum for norm in norms} == {0.9}
    assert {norm.epsilon for norm in norms} == {1e-5}


@pytest.mark.parametrize(
    ("call", "layout", "parts"),
    [
        ("resnet50", "torchvision",
         ('resnet50 with form = "v1" (the stride in a block\'s first 1x1)', "weights of layout 'torchvision'",
          'which is form = "v1.5" (the stride in its 3x3)',
          'write architecture = { name = "resnet50", form = "v1.5" }')),
        ("mobilenet_v2", "torchvision",
         ('mobilenet_v2 with padding = "same" ', "weights of layout 'torchvision'", 'which is padding = "symmetric" ',
          'write architecture = { name = "mobilenet_v2", padding = "symmetric", epsilon = 1e-05 }')),
        ({"name": "mobilenet_v2", "padding": "symmetric"}, "timm",
         ("mobilenet_v2 with epsilon = 0.001 ", "weights of layout 'timm'", "which is epsilon = 1e-05",
          'write architecture = { name = "mobilenet_v2", padding = "symmetric", epsilon = 1e-05 }')),
        ("lenet5", "timm", ("weights of layout 'timm'", "not known for lenet5; allowed: vgg11, ")),
        ("resnet56", "torchvision",
         ("weights of layout 'torchvision'", "not known for resnet56; allowed: vgg11, vgg13")),
        ("resnet18", "timm_tf",
         ("weights of layout 'timm_tf'", "not known for resnet18; allowed: mobilenet_v3_large")),
    ],
)  # fmt: skip
def test_an_architecture_that_the_weights_are_not_for_is_told_before_the_file_is_read(call, layout, parts):
    with pytest.raises(ModelError) as error:
        load.from_file(Weights(Path("none.pth"), bind("architectures", call), layout), (64, 64, 3), 10)
    assert all(part in str(error.value) for part in parts)


def without(tensors, *names):
    return {name: value for name, value in tensors.items() if name not in names}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: without(t, "classifier.1.bias", "features.18.1.weight"),
         "2 tensors that mobilenet_v2 needs are missing: features.18.1.weight, classifier.1.bias"),
        (lambda t: {**t, "head.fc.weight": np.ones(3, np.float32)},
         "1 tensors for which mobilenet_v2 has no place are left over: head.fc.weight"),
        (lambda t: {**t, "features.18.1.bias": np.ones(3, np.float32)},
         "1 shapes differ: features.18.1.bias is (3,), last_bn needs (1280,)"),
        (lambda t: {**t, "features.18.0.weight": t["features.18.0.weight"].transpose(2, 3, 1, 0)},
         "1 shapes differ: features.18.0.weight is (1, 1, 320, 1280), last_conv needs (1280, 320, 1, 1)"),
        (lambda t: {**t, "classifier.1.weight": np.ones((1000, 1280), np.float32)},
         "classifier.1.weight, the last layer, has 1000 classes, and the data has 10"),
    ],
)  # fmt: skip
def test_every_tensor_is_used_and_every_weight_is_filled(change, message, reference, loaded):
    theirs = reference(*V2)
    with pytest.raises(ModelError, match=r"weights\.safetensors into mobilenet_v2: ") as error:
        loaded(theirs, tensors=change(theirs.tensors))
    assert message in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "module._orig_mod.backbone.", "anything."])
def test_a_prefix_of_all_names_is_taken_off(prefix, reference, loaded):
    theirs = reference("torchvision", "mobilenet_v3_small")
    named = {f"{prefix}{name}": value for name, value in theirs.tensors.items()}
    assert apart(loaded(theirs, tensors={**named, "n_averaged": np.array(3, np.int64)}), theirs) <= 1e-3


@pytest.mark.slow
def test_normalisation_in_the_file_is_believed_and_a_second_copy_dropped(reference, loaded):
    theirs = reference("torchvision", "mobilenet_v3_small")
    extra = {"module.normalizer.new_mean": np.float32([0.485, 0.456, 0.406]).reshape(3, 1, 1)}
    extra |= {"module.normalizer.new_std": np.float32([0.5, 0.5, 0.5]).reshape(3, 1, 1)}
    for prefix in ("module.model.", "module.attacker.model."):
        extra |= {f"{prefix}{name}": value for name, value in theirs.tensors.items()}
    norm = loaded(theirs, tensors=extra).get_layer("normalization")
    assert np.allclose(norm.mean, [0.485, 0.456, 0.406]) and np.allclose(norm.variance, 0.25)


@pytest.mark.slow
def test_two_different_networks_in_a_file_are_told(reference, loaded):
    theirs = reference("torchvision", "mobilenet_v3_small")
    both = {f"{who}.{n}": v + (who == "b") * (v.ndim > 1) for who in "ab" for n, v in theirs.tensors.items()}
    with pytest.raises(ModelError, match=r"two networks, under 'a\.' and 'b\.'; save one"):
        loaded(theirs, tensors=both)


@pytest.mark.parametrize(
    ("name", "mean", "std"),
    [
        ("tf_efficientnet_b0_ap-f262efe1.pth", 0.5, 0.5),
        ("models--timm--tf_efficientnet_b0.ap_in1k/model.safetensors", 0.5, 0.5),
        ("efficientnet_b0.ra4_e3600_r224_in1k.safetensors", 0.5, 0.5),
        ("mobilenetv3_large_100.miil_in21k_ft_in1k.safetensors", 0, 1),
        ("mobilenetv3_large_100_1k_miil_78_0.pth", 0, 1),
    ],
)
def test_a_name_that_says_the_normalisation_is_believed_unless_another_is_declared(name, mean, std):
    weights = Weights(Path(name), bind("architectures", "efficientnet_b0"), "timm_tf")
    (found, why), declared = load.normalisation(weights), dataclasses.replace(weights, mean=(0.1,) * 3)
    assert found == ((mean,) * 3, (std,) * 3) and "inferred from its name" in why
    assert load.normalisation(declared) == (((0.1,) * 3, (std,) * 3), "as declared")
    assert "inferred from its name" in load.notes(weights)[0]


def test_which_of_several_weights_are_taken_is_told(pickle_of, tensor, tmp_path):
    array = np.zeros(2, np.float32)
    for tables, told in (
        (("state_dict_ema", "state_dict"), "weights of 'state_dict_ema', not of state_dict; for others save them"),
        (("model", "optimizer"), "normalised inside by"),
        (("state_dict",), "normalised inside by"),
    ):
        tree = {key: {"a": tensor("A", array, None)} for key in tables}
        head = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, tree, ["A"])
        content = b"".join(map(pickle_of, head)) + array.size.to_bytes(8, "little") + array.tobytes()
        (tmp_path / "w.pth").write_bytes(content)
        assert load.notes(Weights(tmp_path / "w.pth", bind("architectures", "resnet18"), "timm"))[0].startswith(told)


@pytest.mark.parametrize("name", ["capital.pth", "resnet34.pth", "tf_efficientnet_b0.ns_jft_in1k.safetensors"])
def test_other_names_say_nothing(name):
    weights = Weights(Path(name), bind("architectures", "efficientnet_b0"), "timm_tf")
    assert load.normalisation(weights)[0][0] == (0.485, 0.456, 0.406)


@pytest.mark.slow
def test_counters_of_batches_may_be_missing_and_nothing_hangs_on_them(reference, loaded):
    theirs = reference("torchvision", "mobilenet_v3_small")
    fewer = {key: value for key, value in theirs.tensors.items() if not key.endswith("num_batches_tracked")}
    assert apart(loaded(theirs, tensors=fewer), theirs) <= 1e-3


@pytest.mark.slow
def test_images_of_another_kind_are_told(reference, loaded):
    with pytest.raises(ModelError, match=r"features.0.0.weight is \(32, 3, 3, 3\), conv1_conv needs \(32, 1, 3, 3\)"):
        loaded(reference(*V2), shape=(64, 64, 1))
    with pytest.raises(
        ModelError, match=r"classifier.0.weight is \(410, 2499\), fc1 needs \(410, 459\) \(it fits images of 224 to 255"
    ):
        loaded(reference("torchvision", "vgg11"), shape=(96, 96, 3))
    with pytest.raises(ModelError, match='stem = "small" is a form for small images'):
        loaded(reference(*V2), stem="small")


def test_the_size_that_a_vgg_wants_can_be_declared(reference, loaded, tmp_path):
    theirs = reference("torchvision", "vgg11")
    (tmp_path / "photos/one").mkdir(parents=True)
    Image.fromarray(np.full((100, 120, 3), 99, np.uint8)).save(tmp_path / "photos/one/0.png")
    data = 'data = {{ folder = "photos"{} }}'
    with pytest.raises(ModelError) as told, using_interface("suite"):
        loaded(theirs, shape=(96, 96, 3))
    remedy = re.search(r"give the data (transform = \{ size = \d+ \})", str(told.value))[1]  # as it is to be typed
    text = f"{data.format(f', {remedy}')}\n[model.m]\narchitecture = 'lenet5'\n[case.c]\n"
    (tmp_path / "s.toml").write_text(text)
    shape = read_suite(tmp_path / "s.toml").data().image_shape
    assert shape == (224, 224, 3)
    network = loaded(theirs, shape=shape)
    assert network(np.zeros((1, *shape), np.float32)).shape == (1, 10)


@pytest.mark.slow
def test_mean_and_std_have_a_number_for_each_channel(reference, tmp_path, form):
    theirs = reference("torchvision", "mobilenet_v3_small")
    (tmp_path / "w.safetensors").write_bytes(form["safetensors"](theirs.tensors))
    weights = Weights(tmp_path / "w.safetensors", theirs.call(), theirs.layout, mean=(0.5, 0.5))
    with pytest.raises(ModelError, match="mean and std have 2 and 3 numbers; the images have 3 channels"):
        load.from_file(weights, (64, 64, 3), 10)


@pytest.mark.parametrize(("file", "asked", "held"), [("vgg11_bn", "none", "with"), ("vgg11", "batch", "without")])
def test_a_vgg_with_and_one_without_batch_norm_are_told_apart(file, asked, held, reference, loaded):
    other = "batch" if asked == "none" else "none"
    message = f'norm = "{asked}" is requested, and the file is {held} BatchNorm; write .* norm = "{other}" }}'
    with pytest.raises(ModelError, match=message):
        loaded(reference("torchvision", file), norm=asked)


@pytest.mark.slow
def test_the_names_in_torchvisions_first_densenet_files_are_understood(reference, loaded):
    theirs = reference("torchvision", "densenet121")
    old = {
        key.replace("norm1.", "norm.1.").replace("norm2.", "norm.2.").replace("conv1.", "conv.1.").replace(
            "conv2.", "conv.2.") if "denselayer" in key else key: value
        for key, value in theirs.tensors.items()
    }  # fmt: skip
    assert old.keys() != theirs.tensors.keys()
    assert apart(loaded(theirs, tensors=old), theirs) <= 1e-3


SIGNATURES = json.loads((Path(__file__).parent / "references/signatures.json").read_text())


def ours(name):
    for theirs, own in (("tf_", ""), ("_100", ""), ("_bn", ""), ("mobilenetv2", "mobilenet_v2"), ("tv3", "t_v3")):
        name = name.replace(theirs, own)
    return name.replace("mobilenetv3", "mobilenet_v3")


@functools.cache
def outline(name, norm):
    """Our network's shapes, without weights."""
    options = {"norm": "batch"} if norm else {}
    with unallocated():
        return registry.resolve("architectures", name)(**options)


LARGE = re.compile(r"resnet1..|densenet(161|169|201)|.*efficientnet_(b[1-7]|lite[12])")
SIZED = [
    pytest.param(layout, name, marks=[pytest.mark.slow] if LARGE.fullmatch(name) else [])
    for layout, names in SIGNATURES.items()
    for name in names
]


@pytest.mark.parametrize(("layout", "name"), SIZED)
def test_names_and_shapes_are_those_of_the_library(layout, name, formula):
    model = outline(ours(name), name.endswith("_bn"))
    known = slots(model, load.LAYOUTS[layout][ours(name)].modules(model))
    convolutional = {"pre_logits.fc1.weight", "pre_logits.fc2.weight", "conv_head.weight"}
    shapes = {key: slot.shapes[-1 if key in convolutional else 0] for key, slot in known.items()}
    assert formula.signature(shapes) == SIGNATURES[layout][name]


def test_the_signatures_are_of_all_that_is_supported():
    for layout, names in SIGNATURES.items():
        assert {ours(name) for name in names} == set(load.LAYOUTS[layout]), layout


def test_a_suite_may_name_each_layout_and_each_asks_for_options_that_its_architectures_have():
    assert tuple(load.LAYOUTS) == words.LAYOUTS
    for layouts in load.LAYOUTS.values():
        for name, layout in layouts.items():
            asked = bind("architectures", {"name": name, **layout.options})
            assert isinstance(asked, Call)
