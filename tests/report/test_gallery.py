import base64
import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from robust import report
from robust.report import gallery
from robust.report.folder import read


def decode(uri: str) -> np.ndarray:
    head, data = uri.split(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


@pytest.mark.parametrize("shape", [(12, 10, 1), (7, 9, 3)])
def test_pictures_survive_exactly(shape):
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    floats = image.astype(np.float32) / np.float32(255)
    assert (decode(gallery.png(gallery.pixels(floats))) == image.squeeze()).all()


def test_the_difference_is_signed_and_amplified():
    original = np.full((1, 3, 1), 0.5, np.float32)
    perturbed = original + np.array([[[-8 / 255], [0], [8 / 255]]], np.float32)
    assert gallery.amplification(perturbed - original) == 15
    assert gallery.difference(original, perturbed, 15).ravel().tolist() == [8, 128, 247]


def test_amplification_has_its_limits():
    assert gallery.amplification(np.zeros(3)) == 1
    assert gallery.amplification(np.array([0.9])) == 1
    assert gallery.difference(np.zeros((1, 1, 1)), np.full((1, 1, 1), 0.9), 1).ravel().tolist() == [255]


@pytest.mark.slow
def test_what_the_page_shows_is_what_was_sampled(folder, document):
    page = document(report.write(folder))
    sources = page.attributes("img", "src")
    with np.load(folder / "samples" / "lenet5-fgsm.npz") as arrays:
        original, perturbed = arrays["original"][0], arrays["perturbed"][0]
    assert (decode(sources[0]) == gallery.pixels(original)[..., 0]).all()
    assert (decode(sources[1]) == gallery.difference(original, perturbed, 15)[..., 0]).all()
    assert (decode(sources[2]) == gallery.pixels(perturbed)[..., 0]).all()
    assert len(sources) == 3 * (9 + 9 + 11)  # three examples: an original and two pictures for each condition
    assert "change × 15, result" in page.text and "change × 63, result" in page.text


def test_answers_come_from_the_outcomes(folder):
    first = gallery.pictures(read(folder))[0]
    outcomes = pd.read_parquet(folder / "outcomes.parquet").query("model == 'lenet5' and example == '1'")
    clean, fgsm = (outcomes[outcomes["case"] == case].iloc[0] for case in ("clean", "fgsm"))
    example = first.examples[1]
    assert (example.id, example.label) == ("1", "Trouser")
    assert example.prediction.predicted == clean["predicted"]
    assert example.prediction.confidence == f"{100 * clean['confidence']:.0f} %"
    assert example.shots[0].prediction.predicted == fgsm["predicted"]
    assert example.shots[0].prediction.right == (fgsm["predicted"] == "Trouser")


def test_examples_are_the_same_for_every_model(folder):
    path = folder / "samples" / "hardened-survives.npz"
    with np.load(path) as arrays:
        np.savez(path, **{**arrays, "ids": np.array(["30", "0", "31"])})
    shown = [[example.id for example in one.examples] for one in gallery.pictures(read(folder))]
    assert shown == [["0", "1", "2"], ["0", "1", "2"], ["0", "1", "2", "30", "31"]]


@pytest.mark.slow
def test_a_shot_that_was_not_kept_is_said(folder, document):
    path = folder / "samples" / "lenet5-fgsm.npz"
    with np.load(path) as arrays:
        np.savez(path, **{name: array[:1] for name, array in arrays.items()})
    assert document(report.write(folder)).text.count("no sample") == 2


@pytest.mark.slow
def test_without_a_clean_case_the_original_has_no_answer(folder, document):
    path = folder / "outcomes.parquet"
    pd.read_parquet(path).query("case != 'clean'").to_parquet(path)
    known = gallery.pictures(read(folder))[0]
    assert known.examples[0].prediction is None and known.examples[0].label == "T-shirt/top"
    assert "no prediction kept" in document(report.write(folder)).text


@pytest.mark.slow
def test_targets_are_named(folder, document):
    path = folder / "outcomes.parquet"
    outcomes = pd.read_parquet(path)
    outcomes.loc[outcomes["case"] == "fgsm", "target"] = "Trouser"
    outcomes.to_parquet(path)
    assert "target Trouser" in document(report.write(folder)).text


def test_of_an_example_that_was_sent_to_many_classes_the_answer_is_that_of_the_picture(folder, made_up):
    path, sample = folder / "outcomes.parquet", folder / "samples" / "lenet5-fgsm.npz"
    outcomes = pd.read_parquet(path)
    own = outcomes[(outcomes["case"] == "fgsm") & (outcomes["model"] == "lenet5")]
    sent = [own.assign(target=name, predicted=name) for name in ("Trouser", "Coat", "Shirt")]
    pd.concat([outcomes.drop(own.index), *sent]).to_parquet(path)
    results = pd.read_csv(folder / "results.csv", keep_default_na=False)  # whose shares are of one target an image
    of_them = (results["case"] == "fgsm") & (results["model"] == "lenet5")
    results[~of_them | (results["metric"] == "nll")].to_csv(folder / "results.csv", index=False)
    with np.load(sample) as arrays:
        np.savez(sample, **{**arrays, "targets": np.array(["Coat", "Trouser", "Shirt"])})
    first = gallery.pictures(read(folder))[0].examples
    shots = [next(s.prediction for s in example.shots if s and s.prediction.target) for example in first]
    assert [(a.target, a.predicted) for a in shots] == [(n, n) for n in ("Coat", "Trouser", "Shirt")]


@pytest.mark.slow
def test_an_image_that_was_left_alone_is_said(folder, document):
    path = folder / "samples" / "lenet5-fgsm.npz"
    with np.load(path) as arrays:
        np.savez(path, **{**arrays, "perturbed": arrays["original"]})
    assert document(report.write(folder)).text.count("not changed") == 3


def test_large_images_are_few(make):
    assert [len(one.examples) for one in gallery.pictures(read(make(["a", "b"], shape=(65, 65, 3))))] == [
        3,
        3,
        3,
    ]


def test_a_clean_answer_is_of_the_same_data(folder):
    """Two sets may call their images alike: the first clean case is of other data, and of one there is none."""
    whole = read(folder)
    results, outcomes = whole.results, dict(whole.outcomes)
    other = results["case"].isin(["clean", "fgsm"])
    moved = replace(whole, results=results.assign(data=results["data"].where(~other, "other")), outcomes=outcomes)
    by_name = {one.model: one for one in gallery.pictures(moved)}
    assert {"lenet5, other", "lenet5, fake"} <= set(by_name)
    assert [head.case for head, _ in by_name["lenet5, other"].heads] == ["fgsm"]
    assert by_name["lenet5, other"].examples[1].prediction is not None
    assert by_name["lenet5, fake"].examples[1].prediction is None
