import json
import os
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pandas as pd
import pytest

import robust
from robust.core.errors import DataError, ModelError, StoreError, SuiteError
from robust.core.store import Store
from robust.results import tables
from robust.suite import load

pytestmark = pytest.mark.usefixtures("without_diagnostics")  # none of these is about them

SUITE = """
summary = "small enough for a test"
seed = 3
data = { name = "fashion_mini" }

[model.small]
architecture = { name = "lenet5", width = 0.5 }
train = { recipe = "short", epochs = 1 }

[case.clean]
metrics = ["accuracy", "confusion"]
profile = ["cost"]
expect = { top1 = ">= 0.99", "recall[Bag]" = ">= 0.01" }

[case.pgd]
attack = { name = "pgd", eps = ["8/255", "2/255"], steps = 5 }
max_images = 60

[case.noise]
corruption = { name = "gaussian_noise", severity = [1, 5] }
max_images = 30

[case.aimed]
attack = { name = "pgd", eps = "16/255", steps = 5, target = { Sandal = "Sneaker" } }
expect = { targeted_success_rate = ">= 0" }
max_images = 60
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    path = tmp_path_factory.mktemp("suites") / "small.toml"
    path.write_text(SUITE)
    return path


@pytest.fixture(scope="module")
def ran(suite, store, tmp_path_factory, remembering, without_diagnostics):
    out, said = tmp_path_factory.mktemp("out"), remembering()
    return out, robust.run(suite, out, store=store, progress=said), said


def test_the_folder_holds_the_tables_the_samples_the_provenance_and_the_page(ran):
    out, results, _ = ran
    assert {p.name for p in out.iterdir()} == {
        *("results.csv", "outcomes.parquet", "samples", "suite.toml", "environment.json", "index.html"),
        *("summary.md", "manifest.json"),
    }
    pd.testing.assert_frame_equal(tables.read_results(out / "results.csv"), results)
    assert (out / "suite.toml").read_text() == SUITE
    environment = json.loads((out / "environment.json").read_text())
    assert environment["data"]["images"] == 1000
    assert environment["models"]["small"]["parameters"] == robust.value(results, "parameters").value


def test_every_value_has_its_place(ran):
    _, results, _ = ran
    assert set(results["case"]) == {"clean", "pgd", "noise", "aimed"}
    assert list(results[(results.case == "pgd") & (results.metric == "top1")]["eps"]) == [2 / 255, 8 / 255]
    assert robust.value(results, "top1", case="clean").n == 1000
    assert robust.value(results, "top1", case="noise", severity=5).n == 30
    assert robust.value(results, "targeted_success_rate", case="aimed", allow_invalid=True).n == 6
    assert results[["ci_low", "ci_high"]].notna().all(axis=1).sum() > 40
    between = results.dropna(subset=["ci_low"])
    assert ((between.ci_low <= between.value) & (between.value <= between.ci_high)).all()


def test_every_accuracy_can_be_counted_again_from_the_outcomes(ran):
    out, results, _ = ran
    outcomes = pd.read_parquet(out / "outcomes.parquet")
    assert list(outcomes.columns) == list(tables.OUTCOMES)
    keys = ["model", "seed", "case", "eps", "severity"]
    counted = outcomes.assign(right=outcomes.label == outcomes.predicted).groupby(keys, dropna=False).right.mean()
    told = results[results.metric == "top1"].set_index(keys).value
    pd.testing.assert_series_equal(counted.sort_index(), told.sort_index(), check_names=False)
    assert (outcomes[outcomes.case == "aimed"].target == "Sneaker").all()
    assert (outcomes.linf <= outcomes.eps.fillna(1) + 1e-6).all()


def test_what_has_fallen_at_a_small_eps_has_fallen_at_a_larger(ran):
    outcomes = pd.read_parquet(ran[0] / "outcomes.parquet").query("case == 'pgd'")
    small, large = (
        set(outcomes[(outcomes.eps == e) & (outcomes.success_by != "")].example) for e in (2 / 255, 8 / 255)
    )
    assert small <= large and len(large) > 0
    again = outcomes[(outcomes.eps == 8 / 255) & outcomes.example.isin(small)]
    before = outcomes[(outcomes.eps == 2 / 255) & outcomes.example.isin(small)]
    assert again.set_index("example").n_forward.equals(before.set_index("example").n_forward)  # not attacked again


def test_bounds_are_judged_where_they_belong(ran):
    _, results, _ = ran
    judged = results[results.bound != ""].set_index(["case", "metric", "subset"])
    assert judged.passed.to_dict() == {
        ("clean", "top1", ""): False,
        ("clean", "recall", "Bag"): True,
        ("aimed", "targeted_success_rate", ""): True,
    }


def test_samples_are_exact_and_the_same_images_in_each_case(ran):
    out, _, _ = ran
    index = pd.read_csv(out / "samples/index.csv")
    assert set(index.file) == {p.name for p in (out / "samples").glob("*.npz")}
    loaded = {row.case: np.load(out / "samples" / row.file) for row in index.itertuples()}
    assert list(loaded["clean"]["ids"]) == list(loaded["pgd"]["ids"]) == list(loaded["noise"]["ids"])
    assert np.array_equal(loaded["clean"]["original"], loaded["pgd"]["original"])
    assert np.array_equal(loaded["clean"]["original"], loaded["clean"]["perturbed"])
    assert 0 < np.abs(loaded["pgd"]["perturbed"] - loaded["pgd"]["original"]).max() <= 8 / 255 + 1e-6


def test_a_second_run_trains_and_attacks_nothing_and_finds_the_same(ran, suite, store, tmp_path, remembering):
    _, results, said = ran
    assert [line.split()[0] for line in said.lines] == [
        "trained",
        "clean[small]:",
        "pgd[small]:",
        "noise[small]:",
        "aimed[small]:",
    ]
    again = remembering()
    pd.testing.assert_frame_equal(robust.run(suite, tmp_path, store=store, progress=again), results)
    assert again.lines == []


@pytest.mark.slow
def test_a_changed_bound_is_judged_anew_without_running_anything(suite, store, tmp_path, remembering):
    path = tmp_path / "small.toml"
    path.write_text(SUITE.replace(">= 0.99", ">= 0.01"))
    said = remembering()
    results = robust.run(path, tmp_path / "out", store=store, progress=said)
    assert robust.value(results, "top1", case="clean").passed and said.lines == []


@pytest.mark.slow
def test_k_gives_the_rows_asked_for_and_the_folder_all_that_is_known(ran, suite, store, tmp_path):
    results = robust.run(suite, tmp_path, k="pgd or noise", store=store)
    assert set(results.case) == {"pgd", "noise"}
    assert set(tables.read_results(tmp_path / "results.csv").case) == {"clean", "pgd", "noise", "aimed"}
    with pytest.raises(SuiteError, match=r"nothing matches -k 'fog'; there are clean\[small\], pgd\[small\]"):
        robust.run(suite, tmp_path, k="fog", store=store)


def test_a_folder_that_cannot_be_written_is_told_before_any_work(suite, tmp_path):
    (tmp_path / "file").write_text("")
    empty = Store(tmp_path / "empty")
    with pytest.raises(StoreError, match=r"out: cannot be written \(Not a directory\); choose another folder"):
        robust.run(suite, tmp_path / "file" / "out", store=empty)
    assert not empty.root.exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('{ Sandal = "Sneaker" }', '{ Sandal = "Sneeker" }', r":23: target: .*'Sneeker'; did you mean 'Sneaker'"),
        ("recall[Bag]", "recall[Bug]", r":10: expect: there is no class 'Bug'; did you mean 'Bag'"),
        ("max_images = 30", "max_images = 3000", r":19: max_images = 3000: the test split of fashion_mini has 1000"),
        ('"recall[Bag]"', "recall", r":10: expect: 'recall' is not a value .*; name the class: \"recall\[T-shirt"),
        ('"recall[Bag]"', '"top1[Bag]"', r":10: expect: 'top1\[Bag\]' is not a value .*; top1 is one value"),
        (">= 0.99", ">= 99", r":10: expect: top1 >= 99: a proportion is in \[0, 1\]"),
    ],
)
def test_what_only_the_data_can_tell_is_told_with_file_and_line(ran, store, tmp_path, old, new, message):
    path = tmp_path / "small.toml"
    path.write_text(SUITE.replace(old, new))
    with pytest.raises(SuiteError, match="small.toml" + message):
        robust.run(path, tmp_path / "out", store=store)


@pytest.mark.slow
def test_killed_and_run_again_it_goes_on_and_finds_the_same(ran, suite, tmp_path):
    _, results, _ = ran
    environment = os.environ | {"ROBUST_STORE": str(tmp_path / "store"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "robust", "run", str(suite), "--out", str(tmp_path / "out")]
    first = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("store/blocks/*/key.json")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(first.pid, signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    second = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert second.returncode == 1, second.stderr  # the suite's first bound is missed
    assert "trained" not in second.stderr and "clean[small]" not in second.stderr and "aimed[small]" in second.stderr
    again = tables.read_results(tmp_path / "out/results.csv")
    pd.testing.assert_frame_equal(again.drop(columns="seconds"), results.drop(columns="seconds"))


@pytest.fixture(scope="module")
def tiny():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Flatten(), keras.layers.Dense(3)], name="tiny")
    images = np.random.default_rng(0).random((40, 6, 6, 1), "float32")
    return model, images, model.predict(images, verbose=0).argmax(1)


@pytest.mark.slow
def test_evaluate_measures_a_model_on_arrays(tiny, tmp_path):
    model, images, labels = tiny
    attacks = ["fgsm", {"name": "pgd", "steps": np.int64(5)}, {"name": "pgd", "eps": 0, "target": "next"}]
    table = robust.evaluate(model, (images, labels), attacks, eps=np.array([8, 2]) / 255, out=tmp_path)
    assert robust.value(table, "top1", case="clean").value == 1
    assert [
        robust.value(table, "top1", case="pgd", eps=e, allow_invalid=True).value for e in ("2/255", "8/255")
    ] == sorted(
        (robust.value(table, "top1", case="pgd", eps=e, allow_invalid=True).value for e in ("2/255", "8/255")),
        reverse=True,
    )
    assert robust.value(table, "targeted_success_rate", case="pgd-2", allow_invalid=True).value == 0
    assert (
        robust.value(table, "nll", case="clean").ci_low
        < robust.value(table, "nll", case="fgsm", eps="8/255", allow_invalid=True).ci_high
    )
    assert (tmp_path / "index.html").stat().st_size > 1e5


@pytest.mark.slow
def test_a_bounded_pair_that_is_not_confused_is_counted_all_the_same(ran, store, tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(SUITE.replace('"recall[Bag]" = ">= 0.01"', '"confused[Trouser -> Bag]" = "<= 0.2"'))
    results = robust.run(path, tmp_path / "out", store=store)
    found = robust.value(results, "confused", subset="Trouser -> Bag", case="clean")
    assert (found.n, found.passed) == (100, True)


@pytest.mark.slow
def test_files_of_the_user_in_samples_are_left_alone(ran, suite, store, tmp_path):
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples/mine.npz").write_text("mine")
    robust.run(suite, tmp_path, store=store)
    assert (tmp_path / "samples/mine.npz").read_text() == "mine"


@pytest.mark.slow
def test_a_model_that_fails_late_is_told_first_and_by_its_name(tmp_path):
    inputs = keras.Input((28, 28, 1))
    keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(inputs))).save(tmp_path / "three.keras")
    path = tmp_path / "s.toml"
    path.write_text(SUITE + '[model.three]\nkeras = "three.keras"\n')
    store = Store(tmp_path / "store")
    with pytest.raises(ModelError, match=r"^model three: .*gives outputs of shape \(3,\), but the data has 10 classes"):
        robust.run(path, tmp_path / "out", store=store, fail_fast=True)
    assert not list(store.root.glob("models/*/"))  # nothing was trained


@pytest.mark.slow
def test_a_model_that_fails_is_told_before_another_is_fine_tuned(tmp_path):
    """That one comes first in the file, and is no architecture: only what makes models says which train."""
    image = keras.Input((28, 28, 1))
    for name, classes in (("good", 10), ("bad", 7)):
        keras.Model(image, keras.layers.Dense(classes)(keras.layers.Flatten()(image))).save(tmp_path / f"{name}.keras")
    train = 'train = { recipe = "short", epochs = 1 }'
    models = f'[model.tuned]\nkeras = "good.keras"\n{train}\n[model.bad]\nkeras = "bad.keras"\n'
    path = tmp_path / "s.toml"
    path.write_text(f'data = {{ name = "fashion_mini" }}\n{models}[case.clean]\nmax_images = 10\n')
    with pytest.raises(ModelError, match="model bad"):
        robust.run(path, tmp_path / "out", store=Store(tmp_path / "store"), fail_fast=True)
    assert not (tmp_path / "store/models").exists()


@pytest.mark.slow
def test_edited_code_from_elsewhere_is_run_again(ran, store, tmp_path, monkeypatch):
    body = "import robust\n\n@robust.attack(access='none')\n"
    body += "def shift(classifier, images, labels, *, seeds, start, targets, eps: float):\n"
    body += "    from robust.results.attack_result import AttackResult\n    found = AttackResult.of(images)\n"
    (tmp_path / "shifts.py").write_text(body + "    return found\n")
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "small.toml"
    path.write_text(
        SUITE.replace('name = "pgd", eps = ["8/255", "2/255"], steps = 5', 'name = "shifts:shift", eps = 0.9')
    )
    first = robust.run(path, tmp_path / "out", k="pgd", allow_code=True, store=store)
    assert robust.value(first, "top1", allow_invalid=True).value > 0.2
    (tmp_path / "shifts.py").write_text(body + "    found.images[:] = 0.5\n    return found\n")
    sys.modules.pop("shifts")
    assert (
        robust.value(
            robust.run(path, tmp_path / "out", k="pgd", allow_code=True, store=store), "top1", allow_invalid=True
        ).value
        <= 0.2
    )


@pytest.mark.slow
def test_evaluate_writes_nothing_unasked(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROBUST_STORE", str(tmp_path / "store"))
    robust.evaluate(*[tiny[0], tiny[1:]])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_evaluate_refuses_what_is_wrong(tiny):
    model, images, labels = tiny
    with pytest.raises(DataError, match=r"\[0, 1\]"):
        robust.evaluate(model, (images * 255, labels))
    with pytest.raises(DataError, match="7"):
        robust.evaluate(model, (images, np.where(labels == 2, 7, labels)))
    with pytest.raises(DataError, match="holds nothing; allowed: at least one image"):
        robust.evaluate(model, (images[:0], labels[:0]))
    with pytest.raises(ModelError, match="the data has 5 classes"):
        robust.evaluate(model, (images, labels), classes=5)
    with pytest.raises(ModelError, match=r"a int is not a model; pass a keras\.Model, or a function from images to"):
        robust.evaluate(7, (images, labels))
    with pytest.raises(DataError, match=r"got a ndarray; allowed: \(images, labels\)"):
        robust.evaluate(model, images)
    with pytest.raises(SuiteError, match=r"attack.eps = \[\]: the list is empty"):
        robust.evaluate(model, (images, labels), ["pgd"], eps=[])
    with pytest.raises(ModelError, match=r"takes images of shape \(6, 6, 1\), but those of arrays are \(7, 7, 1\)"):
        robust.evaluate(model, (np.random.default_rng(0).random((2, 7, 7, 1)), [0, 1]))
    with pytest.raises(SuiteError, match="did you mean 'pgd'"):
        robust.evaluate(model, (images, labels), ["pdg"], eps=0.1)
    broken = keras.models.clone_model(model)
    broken.set_weights([np.full_like(w, np.nan) for w in model.get_weights()])
    with pytest.raises(ModelError, match="kernel holds NaN"):
        robust.evaluate(broken, (images, labels))


def test_a_keras_file_is_evaluated_as_data_and_code_in_it_is_refused(tmp_path):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((28, 28, 1))
    plain = keras.Model(inputs, keras.layers.Dense(10)(keras.layers.Flatten()(inputs)))
    plain.save(tmp_path / "plain.keras")
    shady = keras.Model(
        inputs, keras.layers.Dense(10)(keras.layers.Flatten()(keras.layers.Lambda(lambda x: x)(inputs)))
    )
    shady.save(tmp_path / "shady.keras")
    text = 'data = { name = "fashion_mini" }\n[model.m]\nkeras = "plain.keras"\n[case.clean]\n'
    (tmp_path / "s.toml").write_text(text)
    results = robust.run(tmp_path / "s.toml", tmp_path / "out", store=Store(tmp_path / "store"))
    assert 0 < robust.value(results, "top1").value < 0.5
    (tmp_path / "s.toml").write_text(text.replace("plain", "shady"))
    with pytest.raises(SuiteError, match=r"s.toml:3: .*shady.keras holds a Lambda, which runs third-party code"):
        robust.run(tmp_path / "s.toml", tmp_path / "out", store=Store(tmp_path / "store"))


@pytest.mark.slow
def test_code_from_elsewhere_runs_only_when_trusted(tmp_path, monkeypatch):
    (tmp_path / "nets_of_theirs.py").write_text(
        "import keras\n"
        "def net(*, input_shape, classes, units: int = 4):\n"
        "    return keras.Sequential([keras.Input(input_shape), keras.layers.Flatten(), keras.layers.Dense(classes)])\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "s.toml"
    path.write_text(
        'data = { name = "fashion_mini" }\n[model.m]\npython = { name = "nets_of_theirs:net", units = 8 }\n'
        "[case.c]\nmax_images = 20\n"
    )
    with pytest.raises(
        SuiteError, match=r"s.toml:3: python = 'nets_of_theirs:net' runs third-party code; .*allow_code=True"
    ):
        load(path)
    assert "nets_of_theirs" not in sys.modules
    results = robust.run(path, tmp_path / "out", allow_code=True, store=Store(tmp_path / "store"))
    assert robust.value(results, "top1").n == 20


def test_a_link_in_the_place_of_the_samples_is_not_written_through(suite, store, tmp_path):
    """It came with a stranger's folder, say."""
    (kept := tmp_path / "elsewhere").mkdir()
    (kept / "shown-0001.npz").write_text("mine")
    (out := tmp_path / "out").mkdir()
    (out / "samples").symlink_to(kept)
    with pytest.raises(StoreError, match="samples: is a link out of the folder; remove it, or choose another"):
        robust.run(suite, out, store=store)
    assert [path.name for path in kept.iterdir()] == ["shown-0001.npz"]
