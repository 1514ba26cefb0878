from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import robust
from robust import report
from robust.core.catalogue import common_corruptions
from robust.core.errors import SuiteError
from robust.datasets.fashion_mini import fashion_mini
from robust.engine import requirements
from robust.report import corruptions
from robust.report.folder import read
from robust.results import tables
from robust.suite import Case, InMemory, Model, Suite, read_case

COMMON = [*common_corruptions()]

CORRUPT = {"name": ["speckle_noise", "fog", "gaussian_noise"], "severity": [1, 5]}
BOUNDS = {"mean_corruption_error": "<= 1", "corruption_error[fog]": "high < 0.01"}
IMAGES = 60


def _net(seed, data):
    import keras

    start = keras.initializers.GlorotUniform(seed)
    layers = [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10, kernel_initializer=start)]
    net = keras.Sequential(layers, name=f"net{seed}")
    net.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    examples = data.examples("train", 2000)
    net.fit(examples.images, examples.labels, batch_size=50, epochs=1 + 2 * seed, shuffle=False, verbose=0)
    return net


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A report of two small nets: clean, several corruptions in a case, and one corruption in another."""
    from robust.core.store import Store
    from robust.engine.session import run

    data = fashion_mini()
    cases = (
        Case("clean", max_images=IMAGES),
        read_case("bad", {"corruption": CORRUPT, "max_images": IMAGES, "expect": BOUNDS}),
        read_case("misty", {"corruption": {"name": "fog", "severity": [2, 4]}, "max_images": IMAGES}),
    )
    cases = (cases[0], *(replace(case, baseline="net0") for case in cases[1:]))
    models = tuple(Model(f"net{i}", InMemory(_net(i, data))) for i in (0, 1))
    out = tmp_path_factory.mktemp("report")
    run(Suite("bad", models, cases, data), out, store=Store(tmp_path_factory.mktemp("store")))
    return out


@pytest.mark.slow
def test_every_figure_follows_from_the_outcomes(folder):
    results = tables.read_results(folder / "results.csv")
    outcomes = pd.read_parquet(folder / "outcomes.parquet")
    wrong = (outcomes["label"] != outcomes["predicted"]).groupby(
        [outcomes[key] for key in ("case", "model", "perturbation", "severity")], dropna=False
    )
    errors = wrong.mean()
    for case, names in (("bad", CORRUPT["name"]), ("misty", ["fog"])):
        of = {net: {name: errors[case, net, name].mean() for name in names} for net in ("net0", "net1")}
        clean = {net: errors["clean", net, "clean"].mean() for net in of}
        common = [name for name in names if name in COMMON]
        for net, own in of.items():
            got = {
                metric: robust.value(results, metric, case=case, model=net).value
                for metric in ("mean_corruption_error", "corruption_error_ratio", "relative_error_increase")
            }
            assert got["mean_corruption_error"] == pytest.approx(np.mean([own[name] for name in common]))
            ratios = [own[name] / of["net0"][name] for name in common]
            assert got["corruption_error_ratio"] == pytest.approx(np.mean(ratios))
            added = [sum(of[n][name] - clean[n] for name in common) for n in (net, "net0")]
            assert got["relative_error_increase"] == pytest.approx(added[0] / added[1])
            for name in names:
                mean = robust.value(results, "corruption_error", subset=name, case=case, model=net)
                assert mean.value == pytest.approx(own[name])


@pytest.mark.slow
def test_the_sums_of_a_sweep_have_intervals_and_are_held_against_bounds(folder):
    results = tables.read_results(folder / "results.csv")
    for net in ("net0", "net1"):
        mean = robust.value(results, "mean_corruption_error", case="bad", model=net)
        assert mean.ci_low < mean.value < mean.ci_high and (mean.n, mean.bound, mean.passed) == (IMAGES, "<= 1", True)
        fog = robust.value(results, "corruption_error", subset="fog", case="bad", model=net)
        assert (fog.bound, fog.passed) == ("high < 0.01", False)
    with pytest.raises(SuiteError, match="expect: there is no group 'snow'; allowed: speckle_noise"):
        case = read_case("c", {"corruption": CORRUPT, "expect": {"corruption_error[snow]": "<= 1"}})
        requirements.check(Suite("s", (), (), None), case, fashion_mini(), fashion_mini())
    with pytest.raises(SuiteError, match="this case has no metric 'mean_corruption_error'"):
        read_case("c", {"expect": {"mean_corruption_error": "<= 1"}})


@pytest.mark.slow
def test_a_case_of_several_has_its_own_section_and_no_columns(folder):
    read_folder = read(folder)
    (sweep,) = corruptions.corruptions(read_folder)
    assert (sweep.case, sweep.small) == ("bad", True)
    assert [(line.name, line.common) for line in sweep.lines] == [
        ("gaussian noise", True),
        ("fog", True),
        ("speckle noise", False),
    ]
    assert [square.severity for square in sweep.lines[0].squares] == ["1", "5"]
    assert {condition.case for condition in read_folder.conditions} == {"clean", "misty"}
    assert sweep.heads[0] == "mean of the 2 common corruptions"
    assert [name for name, _ in sweep.totals] == ["net0", "net1"]


@pytest.mark.slow
def test_the_page_shows_errors_pictures_and_the_mark(folder):
    page = report.write(folder).read_text("utf-8")
    section = page[page.index('<section id="corruptions"') : page.index("</section>", page.index('id="corruptions"'))]
    assert "not comparable with those on the stored JPEG sets" in section
    assert section.count("data:image/png;base64,") == 6
    where = {"case": "bad", "model": "net1", "perturbation": "fog", "severity": 5}
    value = robust.value(tables.read_results(folder / "results.csv"), "top1_error", **where).value
    assert f"net1 <strong>{100 * value:.1f} %</strong>" in section
    assert "1 × net0" in section


def test_large_pictures_are_shrunk():
    small = corruptions.thumbnail(np.zeros((224, 224, 3), np.float32))
    assert len(small) < len(corruptions.thumbnail(np.random.default_rng(0).random((28, 28, 1))))
    assert corruptions.thumbnail(np.ones((200, 100, 1), np.float32)).startswith("data:image/png;base64,")
