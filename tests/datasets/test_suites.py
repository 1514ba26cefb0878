"""The suites that need a download run to the end on what `tfds.testing.mock_data` gives."""

from dataclasses import replace
from pathlib import Path

import pytest

import robust
from robust.core.signature import bind
from robust.core.store import Store
from robust.suite import Architecture, Suite

pytestmark = pytest.mark.usefixtures("without_diagnostics")

SUITES = Path(__file__).parents[2] / "suites"


def small(suite: Suite, images: int, **data) -> Suite:
    """The same suite with thin networks, an epoch, attacks of one step and a few images."""

    def set_in(call, **options):
        known = {key: value for key, value in options.items() if key in call.arguments}
        return replace(call, arguments={**call.arguments, **known})

    def thin(model):
        recipe = set_in(model.train.recipe, epochs=1, batch_size=16, ema=0.0, strategy=None)
        adversary = model.train.adversary and set_in(model.train.adversary, steps=1)
        return replace(
            model,
            source=replace(model.source, call=set_in(model.source.call, width=0.25)),
            train=replace(model.train, recipe=recipe, adversary=adversary),
        )

    def few(case):
        attacks = tuple(set_in(call, steps=1, n_queries=2) for call in case.perturbations)
        shifted = case.data and set_in(case.data, **data)
        return replace(case, max_images=images, perturbations=attacks, data=shifted)

    return replace(
        suite,
        models=tuple(thin(model) for model in suite.models),
        cases=tuple(few(case) for case in suite.cases),
        data=set_in(suite.data, **data),
    )


@pytest.mark.slow
def test_cifar10_runs_to_the_end(mock, tmp_path):
    for name, sizes in (("cifar10", {"train": 40, "test": 20}), ("cifar10_corrupted/fog_3", {"test": 12})):
        mock(name, sizes)
    mock("cifar10_1", {"test": 12})
    suite = robust.load(SUITES / "cifar10.toml")
    table = robust.run(small(suite, 6), tmp_path / "out", store=Store(tmp_path / "store"))
    assert set(table["case"]) == {case.name for case in suite.cases}
    assert set(table["model"]) == {"resnet20", "densenet", "hardened"}
    assert robust.value(table, "top1", case="fog", model="densenet").n == 6
    assert (tmp_path / "out/index.html").is_file()


@pytest.mark.slow
def test_imagenet_trained_runs_to_the_end(mock, tmp_path):
    mock("imagenet2012", {"train": 40, "validation": 12})
    for name in ("imagenet_v2", "imagenet_sketch", "imagenet_a", "imagenet_r"):
        mock(name, {"test": 12}, labels=[2, 3, 5, 7])
    suite = robust.load(SUITES / "imagenet_training.toml")
    table = robust.run(
        small(suite, 4, transform={"size": 32, "crop": 0.875}), tmp_path / "out", store=Store(tmp_path / "store")
    )
    assert set(table["case"]) == {case.name for case in suite.cases}
    assert robust.value(table, "top1", case="renditions", model="resnet50").n == 4


@pytest.mark.slow
def test_the_protocols_of_imagenet_run_to_the_end(mock, tmp_path):
    """With thin untrained networks in the place of the pretrained ones, whose weights are downloads."""
    mock("imagenet2012", {"train": 4, "validation": 12})
    suite = robust.load(SUITES / "imagenet.toml")
    cases = [
        replace(case, max_images=4, perturbations=case.perturbations[:2], profile=case.profile[:1])
        for case in suite.cases
        if case.name != "autoattack"
    ]
    thin = bind("architectures", {"name": "mobilenet_v2", "width": 0.25})
    models = [replace(suite.models[2], source=Architecture(thin))]
    data = replace(suite.data, arguments={**suite.data.arguments, "transform": {"size": 32, "crop": 0.875}})
    table = robust.run(
        replace(suite, models=tuple(models), cases=tuple(cases), data=data),
        tmp_path / "out",
        store=Store(tmp_path / "store"),
    )
    assert set(table["case"]) == {"clean", "pgd", "corruptions"}
    page = (tmp_path / "out/index.html").read_text()
    assert "Comparison with published errors" in page and "28.7 %" in page


@pytest.mark.parametrize("name", ["cifar10", "imagenet", "imagenet_training"])
def test_they_load_and_bind(name):
    suite = robust.load(SUITES / f"{name}.toml")
    assert suite.data.name == "tfds" and len(list(suite.evaluations())) > 10
