"""Which images `images = n` chooses: a random sample whose interval covers what all images give."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import robust
from robust.core.errors import DataError
from robust.core.statistics import clopper_pearson
from robust.datasets.choice import chosen
from robust.datasets.folder import folder

LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=60)


def ids_of(n, before=""):
    return [f"{before}{i:05d}" for i in range(n)]


@settings(deadline=None)
@given(LABELS, st.data(), st.booleans())
def test_a_larger_choice_contains_the_smaller(labels, data, balanced):
    n, seed = data.draw(st.integers(1, len(labels))), data.draw(st.integers(0, 3))
    small, large = (chosen(ids_of(len(labels)), labels, k, seed, balanced) for k in (n - 1, n))
    assert (small.sum(), large.sum()) == (n - 1, n)
    assert not (small & ~large).any()


@settings(deadline=None)
@given(LABELS, st.data())
def test_each_class_gets_its_share_or_the_whole_number_beside_it(labels, data):
    n, labels = data.draw(st.integers(0, len(labels))), np.array(labels)
    of_class = np.bincount(labels[chosen(ids_of(len(labels)), labels, n)], minlength=5)
    sizes = np.bincount(labels, minlength=5)
    assert (np.abs(of_class - n * sizes / len(labels)) < 2).all()


@settings(deadline=None)
@given(LABELS, st.data())
def test_a_balanced_choice_takes_as_many_of_each_class_as_there_are(labels, data):
    n, labels = data.draw(st.integers(0, len(labels))), np.array(labels)
    taken = chosen(ids_of(len(labels)), labels, n, balanced=True)
    sizes, of_class = (np.bincount(each, minlength=5) for each in (labels, labels[taken]))
    most = of_class.max(initial=0)
    assert all(count >= most - 1 or count == size for count, size in zip(of_class, sizes, strict=True))


def test_a_choice_hangs_on_ids_and_not_on_their_order():
    labels, ids, order = np.arange(90) % 3, np.array(ids_of(90)), np.random.default_rng(0).permutation(90)
    one, other = (set(ids[rows][chosen(ids[rows].tolist(), labels[rows], 30)]) for rows in (np.arange(90), order))
    assert one == other


def test_seeds_choose_differently_and_each_image_as_often():
    labels = np.repeat([0, 1, 2], [140, 50, 10])
    seen = sum(chosen(ids_of(200), labels, 40, seed).astype(int) for seed in range(200))
    assert abs(seen / 200 - 0.2).max() < 0.13  # 4.6 standard deviations of a share of 200
    for label in range(3):
        assert abs(seen[labels == label].mean() / 200 - 0.2) < 0.02


@pytest.mark.slow_after_first
@pytest.mark.parametrize("images", [20, 100, 500])
def test_the_interval_of_a_choice_covers_the_accuracy_of_all_images(images):
    """Of the classes two are hard, and the first images of each are easier than the last."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), [900, 60, 30, 10])
    chance = np.array([0.95, 0.3, 0.5, 0.1])[labels] - 0.05 * (np.arange(1000) % 30) / 30
    covered = []
    for seed in range(200):
        right = random.random(1000) < chance
        low, high = clopper_pearson(int(right[chosen(ids_of(1000), labels, images, seed)].sum()), images)
        covered.append(low <= right.mean() <= high)
    assert np.mean(covered) >= 0.93


@pytest.mark.slow
@pytest.mark.parametrize(("balanced", "right"), [(False, 0.9), (True, 0.5)])
def test_the_accuracy_of_a_choice_is_that_of_an_imbalanced_set(balanced, right):
    labels = (np.arange(1000) >= 900).astype(int)
    images = np.random.default_rng(0).random((1000, 2, 2, 1), "float32")
    table = robust.evaluate(Common(), (images, labels), max_images=100, balanced=balanced)
    found = robust.value(table, "top1")
    assert found.value == pytest.approx(right)
    assert found.ci_low <= right <= found.ci_high


class Common:
    """Always sees the more common class."""

    def __call__(self, images):
        return np.tile([0.7, 0.3], (len(images), 1))


@pytest.mark.slow
def test_a_choice_does_not_hang_on_where_the_folder_lies(tmp_path, monkeypatch):
    from PIL import Image

    found = []
    for place in ("here", "there/far"):
        root = tmp_path / place
        for i in range(12):
            (root / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((2, 2), i, np.uint8)).save(root / "ab"[i % 2] / f"{i}.png")
        lines = [f"{root / 'ab'[i % 2] / f'{i}.png'},{'ab'[i % 2]}" for i in range(12)]
        (root.parent / "list.csv").write_text("\n".join(["file,label", *lines]))
        monkeypatch.chdir(root.parent)
        calls = {"path": str(root)}, {"path": root.name}, {"path": root.name, "labels": "list.csv"}
        found += [set(folder(**call).examples("test", 7).ids) for call in calls]
    assert len(found[0]) == 7
    assert all(ids == found[0] for ids in found)


@pytest.mark.slow
@pytest.mark.parametrize("images", [15, 16, 36, 60])
def test_what_cannot_be_balanced_is_refused_and_the_remedy_works(images, tmp_path):
    labels = np.repeat([0, 1, 2, 3], [40, 12, 5, 3])
    pixels = np.random.default_rng(0).random((60, 4, 4, 1), "float32")
    model = lambda x: np.stack([x.mean((1, 2, 3)), *np.zeros((3, len(x)))], axis=1) - 1  # noqa: E731
    if images == 15:  # three or four of each
        assert robust.value(robust.evaluate(model, (pixels, labels), max_images=15, balanced=True), "top1").n == 15
        return
    told = rf"{images // 4} of each of 4 classes, and '3' has 3; set max_images=15 at most"
    with pytest.raises(DataError, match=told):
        robust.evaluate(model, (pixels, labels), max_images=images, balanced=True)
    with pytest.raises(DataError, match="and '3' has 3; set max_images=15 at most"):
        robust.RobustAccuracy((pixels, labels), "fgsm", eps="1/255", max_images=images, balanced=True)
