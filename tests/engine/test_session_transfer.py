"""A case whose images are made on another model of the suite, and cases that search: through the whole run."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import robust
from robust.core.errors import ModelError, SuiteError
from robust.core.progress import Silent
from robust.core.store import Store, digest
from robust.engine import keys, prepare_models
from robust.engine.session import Session
from robust.suite import load
from robust.suite.preprocessing import Preprocessing

pytestmark = pytest.mark.usefixtures("without_diagnostics")  # none of these is about them

SUITE = """
data = "fashion_mini"

[model.small]
architecture = { name = "lenet5", width = 0.25 }
seeds = [0, 1]

[model.source]
architecture = { name = "lenet5", width = 0.5 }
seeds = [1, 2]

[case.shown]
models = ["small"]
attack = { name = "transfer", source = "source", attack = "fgsm", eps = ["4/255", "16/255"] }
max_images = 20

[case.far]
models = ["small"]
minimal = { name = "pgd", eps = "64/255", steps = 2 }
max_images = 20
expect = { "top1_by_distance[32/255]" = ">= 0", median_distance = "> 0" }

[case.sent]
models = ["small"]
attack = { name = "fgsm", eps = "64/255", target = "all" }
max_images = 20
expect = { "sent[Sandal -> Sneaker]" = ">= 0", most_sent = "<= 1" }
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("suites") / "two.toml"
    path.write_text(SUITE)
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def ran(path, store, tmp_path_factory, without_diagnostics):
    out = tmp_path_factory.mktemp("out")
    return out, robust.run(path, out, store=store)


def cells(suite, case):
    return {cell.seed: cell for cell in suite.evaluations() if cell.case.name == case}


@pytest.mark.slow
def test_every_cell_gave_its_values(ran):
    out, results = ran
    assert len(results[(results.case == "shown") & (results.metric == "top1")]) == 4  # two seeds, two eps
    assert set(results[results.case == "shown"].perturbation) == {"transfer"}
    far = results[(results.case == "far") & (results.seed == 0)]
    assert (far.metric == "top1_by_distance").sum() == 9 and set(far.perturbation) == {"pgd"}
    assert far.loc[far.metric == "top1_by_distance", "subset"].iloc[4] == "32/255"
    sent = results[(results.case == "sent") & (results.seed == 0)]
    assert (sent.metric == "sent").sum() == 90 and not sent.metric.isin(["top1", "top1_error"]).any()
    assert (out / "index.html").is_file()


@pytest.mark.slow
def test_the_outcomes_have_one_row_for_each_image_and_target(ran):
    out, results = ran
    outcomes = pd.read_parquet(out / "outcomes.parquet")
    sent = outcomes[(outcomes.case == "sent") & (outcomes.seed == 0)]
    assert len(sent) == 20 * 9 and not sent.duplicated(["example", "target"]).any()
    of = sent[(sent.label == "Bag") & (sent.target == "Shirt")]
    row = robust.value(results, "sent", subset="Bag -> Shirt", allow_invalid=True, seed=0, case="sent")
    assert row.value == (of.predicted == "Shirt").mean() and row.n == len(of) == 2


@pytest.mark.slow
def test_the_samples_of_all_targets_are_one_an_image_with_its_target(ran):
    out, _ = ran
    index = pd.read_csv(out / "samples/index.csv")
    (file,) = index[(index.case == "sent") & (index.seed == 0)].file
    with np.load(out / "samples" / file) as arrays:
        ids, targets = arrays["ids"], arrays["targets"]
    assert len(set(ids)) == len(ids) == 10 and (targets != "").all()


def test_the_source_has_the_seed_of_the_target_if_it_can_and_else_its_first(path, store):
    session = Session(load(path), store, Silent())
    shown = cells(session.suite, "shown")
    assert {seed: session.source(cell)[1] for seed, cell in shown.items()} == {0: 1, 1: 1}
    assert session.source(cells(session.suite, "far")[0]) is None


@pytest.mark.slow
def test_a_block_hangs_on_the_source_and_only_two_models_are_held(ran, path, store):
    session = Session(load(path), store, Silent())
    shown = cells(session.suite, "shown")
    assert all(session.find(cell) for cell in session.suite.evaluations())
    for cell in shown.values():
        session.fitted(*session.source(cell))
        session.fitted(cell.model, cell.seed)
        assert len(session._ready) <= 2
    path.with_name("other.toml").write_text(SUITE.replace("width = 0.5", "width = 0.75"))
    changed = Session(load(path.with_name("other.toml")), store, Silent())
    assert changed.find(cells(changed.suite, "shown")[0]) is None, "the source is another model"
    assert changed.find(cells(changed.suite, "far")[0]) is not None


def test_a_block_hangs_on_how_the_source_is_asked(path):
    source = load(path).models[1]
    changes = [
        {},
        {"preprocessing": Preprocessing(0, 255)},
        {"output": "b"},
        {"black_box": True},
        {"attack_precision": "bfloat16"},
    ]
    found = [digest(keys.source_key("one", replace(source, **change))) for change in changes]
    assert len({*found, digest(keys.source_key("other", source))}) == 6


def test_without_a_transfer_one_model_is_held(path, store, tmp_path):
    plain = SUITE[: SUITE.index("[case.shown]")] + "[case.clean]\nmax_images = 20\n"
    (tmp_path / "plain.toml").write_text(plain)
    session = Session(load(tmp_path / "plain.toml"), store, Silent())
    for model in session.suite.models:
        session.fitted(model, 1)
        assert list(session._ready) == [(model.name, 1)]


@pytest.mark.slow
def test_a_source_that_is_only_lent_is_not_a_row_of_the_page(ran):
    out, _ = ran
    environment = json.loads((out / "environment.json").read_text())
    assert environment["models"]["source"]["seeds"] == [] and environment["models"]["small"]["seeds"] == [0, 1]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"top1_by_distance[32/255]"', '"top1_by_distance[33/255]"',
         "two.toml:17: expect: there is no group '33/255'; did you mean '32/255'?"),
        ('"sent[Sandal -> Sneaker]"', '"sent[Sandal -> Sneeker]"', "expect: there is no class 'Sneeker'; did you mean"),
    ],
)  # fmt: skip
def test_a_bound_on_what_there_is_not_is_told_before_any_work(tmp_path, store, old, new, says):
    (tmp_path / "two.toml").write_text(SUITE.replace(old, new))
    with pytest.raises(SuiteError) as caught:
        Session(load(tmp_path / "two.toml"), store, Silent())
    assert says in str(caught.value)


@pytest.mark.slow
def test_from_python_the_source_is_a_keras_model(build, problem):
    data, model, source = problem(30), build(), build(gain=2.0)
    given = {"name": "transfer", "source": source, "attack": "fgsm", "eps": 0.06}
    results = robust.evaluate(model, (data.images, data.labels), attacks=[given, {**given, "eps": 0.12}])
    top1 = results[results.metric == "top1"].set_index("case").value
    assert top1["clean"] > top1["transfer"] > top1["transfer-2"] and set(results.model) == {"toy"}
    assert given["source"] is source  # what was given is left as it was
    with pytest.raises(SuiteError, match="it would be evaluated on its own images"):
        robust.evaluate(model, (data.images, data.labels), attacks={**given, "source": model})
    with pytest.raises(ModelError, match="source = 'other': from Python it is another"):
        robust.evaluate(model, (data.images, data.labels), attacks={**given, "source": "other"})


def test_a_source_that_cannot_be_is_told_by_its_name(path, store, monkeypatch):
    session = Session(load(path), store, Silent())
    cell = cells(session.suite, "shown")[0]
    monkeypatch.setattr(prepare_models, "is_made_here", lambda model: model.name != "source")
    monkeypatch.setattr(session, "find", lambda cell: None)
    asked = []
    monkeypatch.setattr(session, "fitted", lambda model, seed: asked.append(model.name) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        session.check_model(cell)
    assert asked == ["source"]
