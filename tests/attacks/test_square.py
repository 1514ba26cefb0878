import numpy as np
import pytest
import tensorflow as tf

from robust.attacks import square, squares
from robust.core.randomness import image_seeds
from robust.models.classifier import Classifier

SEEDS = image_seeds(0, "square", [str(i) for i in range(200)])
CENTRES = np.full((200, 10, 12, 3), 0.5)


def _share(*queries, of=10_000):
    return squares.schedule(tf.constant(queries), tf.constant(of), tf.constant(0.8)).numpy()


def test_the_schedule_is_the_published_one():
    edges = [1, 10, 11, 50, 51, 200, 201, 500, 501, 1000, 1001, 2000, 2001, 4000, 4001, 6000, 6001, 8000, 8001, 9999]
    halvings = [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9]
    np.testing.assert_allclose(_share(*edges), 0.8 / 2.0 ** np.array(halvings), rtol=1e-6)


def test_the_schedule_shrinks_with_the_number_of_queries():
    np.testing.assert_allclose(_share(5, 6, 25, 26, of=5000), _share(10, 12, 50, 52), rtol=1e-6)


def _moved(move, query=3, share=0.2, best=CENTRES, eps=0.1, norm="linf"):
    """Where and how a proposal differs from the best image."""
    made = move(
        tf.constant(best), tf.constant(CENTRES), tf.constant(SEEDS), tf.fill([200], query),
        tf.fill([200], tf.constant(share, tf.float32)), tf.constant(eps, tf.float64), norm,
    ).numpy()  # fmt: skip
    return made, made - best


def _boxes(changed):
    """For each image the corners of what has changed: top, bottom, left, right."""
    found = []
    for where in changed:
        rows, columns = np.flatnonzero(where.any(axis=1)), np.flatnonzero(where.any(axis=0))
        found.append((rows[0], rows[-1], columns[0], columns[-1]))
    return np.array(found)


def test_in_linf_one_whole_square_of_each_image_goes_to_a_face():
    _, change = _moved(squares.recolour)
    np.testing.assert_allclose(np.unique(np.abs(change).round(9)), [0, 0.1])
    changed = (change != 0).any(axis=-1)
    side = round(np.sqrt(0.2 * 10 * 12))
    assert (changed.sum(axis=(1, 2)) == side**2).all()
    top, bottom, left, right = _boxes(changed).T
    assert (bottom - top == side - 1).all() and (right - left == side - 1).all()
    assert set(top) == set(range(10 - side + 1)) and set(left) == set(
        range(12 - side + 1)
    )  # everywhere, image by image
    signs = np.sign(change).reshape(200, -1, 3)
    assert all(len(np.unique(s[s.any(axis=1)], axis=0)) == 1 for s in signs)  # one colour a square
    assert len(np.unique(signs.sum(axis=1), axis=0)) == 8  # and all eight of them


def test_another_query_is_another_square():
    assert (_moved(squares.recolour, query=3)[1] != _moved(squares.recolour, query=4)[1]).any(
        axis=(1, 2, 3)
    ).mean() > 0.9


def test_in_linf_it_begins_with_stripes():
    change = squares.stripes(tf.constant(CENTRES), tf.constant(SEEDS), tf.constant(0), 0.1, "linf").numpy() - 0.5
    np.testing.assert_allclose(np.abs(change), 0.1, atol=1e-12)
    assert (change == change[:, :1]).all()
    assert abs(change.mean()) < 4 * 0.1 / np.sqrt(200 * 12 * 3)


@pytest.mark.parametrize(("norm", "order"), [("l2", 2), ("l1", 1)])
def test_in_l2_and_l1_every_proposal_is_as_long_as_eps(norm, order):
    begun = squares.tiles(tf.constant(CENTRES), tf.constant(SEEDS), tf.constant(0), 0.4, norm).numpy()
    np.testing.assert_allclose(np.linalg.norm((begun - 0.5).reshape(200, -1), order, axis=1), 0.4, rtol=1e-9)
    made, change = _moved(squares.shift, best=begun, eps=0.4, norm=norm)
    np.testing.assert_allclose(np.linalg.norm((made - 0.5).reshape(200, -1), order, axis=1), 0.4, rtol=1e-6)
    changed = (np.abs(change) > 1e-9).any(axis=-1)
    assert (changed.sum(axis=(1, 2)) <= 2 * 25).all()  # two windows of five by five, the rest keeps its mass
    assert (changed.sum(axis=(1, 2)) > 20).all()


@pytest.mark.parametrize(("height", "width"), [(10, 12), (17, 23)])
def test_in_l2_it_begins_with_tiles_of_one_shape_and_nothing_beside_them(height, width):
    centres, side = np.full((50, height, width, 3), 0.5), min(height, width) // 5
    begun = squares.tiles(tf.constant(centres), tf.constant(SEEDS[:50]), tf.constant(0), 0.4, "l2").numpy() - 0.5
    down, across = height // side, width // side
    top, left = (height - down * side) // 2, (width - across * side) // 2
    inner = begun[:, top : top + down * side, left : left + across * side].copy()
    begun[:, top : top + down * side, left : left + across * side] = 0
    assert (begun == 0).all()
    tiles = inner.reshape(50, down, side, across, side, 3).transpose(0, 1, 3, 5, 2, 4)  # [B, down, across, C, ...]
    signs = np.sign(tiles[..., 0, 0])
    shapes = (tiles * signs[..., None, None]).reshape(50, -1, side * side)
    for of_image in shapes:  # lying and standing, else all alike
        lying, standing = np.unique(of_image.round(9), axis=0).reshape(2, side, side)
        np.testing.assert_allclose(lying, standing.T, atol=1e-8)
    assert len(np.unique(signs.reshape(-1, 3), axis=0)) == 8  # each colour has a sign of its own
    assert (np.ptp(signs.reshape(50, -1, 3), axis=1) == 2).all()  # and so has each tile


@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_the_square_that_changes_keeps_the_direction_of_its_change(norm):
    """To the unit change of the square a unit pattern is added: the sum never points the other way."""
    begun = squares.tiles(tf.constant(CENTRES), tf.constant(SEEDS), tf.constant(0), 0.4, norm).numpy()
    made, change = _moved(squares.shift, best=begun, eps=0.4, norm=norm)
    along = (made - 0.5) * (begun - 0.5) if norm == "l2" else (made - 0.5) * np.sign(begun - 0.5)
    along = np.where(np.abs(change) > 1e-9, along, 0).sum(axis=(1, 2))
    assert (along > -1e-6).all() and (along > 1e-3).mean() > 0.5


@pytest.mark.parametrize("side", [3, 5, 8])
def test_pyramids_are_opposed_and_highest_in_the_middle_of_their_half(side):
    a, b = np.mgrid[:side, :side].astype(np.int32)
    lying, standing = (
        squares.pyramids(a[None], b[None], tf.constant([side]), tf.constant([[[u]]])).numpy()[0] for u in (0.2, 0.8)
    )
    half = side // 2
    assert (lying[:half] > 0).all() and (lying[half:] < 0).all()
    np.testing.assert_allclose(standing, lying.T)
    assert lying[half // 2, half] == lying.max() and lying[half + (side - half) // 2, half] == lying.min()
    steps = lying[half // 2, half:]  # 1, 1/4, 1/9 and so on, from the middle out
    np.testing.assert_allclose(-np.diff(steps), 1 / np.arange(1, len(steps)) ** 2, rtol=1e-5)


@pytest.mark.parametrize(("norm", "order"), [("l2", 2), ("l1", 1)])
def test_what_the_box_cuts_off_goes_to_the_next_square(norm, order):
    """Beside white, half of the first change is lost; a later square has room below."""
    white = np.ones((200, 10, 12, 3))
    begun = squares.tiles(tf.constant(white), tf.constant(SEEDS), tf.constant(0), 0.4, norm)
    made = squares.shift(
        begun, tf.constant(white), tf.constant(SEEDS), tf.fill([200], 3), tf.fill([200], 0.2), 0.4, norm
    )
    sizes = [np.linalg.norm((v.numpy() - white).reshape(200, -1), order, axis=1) for v in (begun, made)]
    np.testing.assert_allclose(sizes[0], 0.4 / 2 ** (1 / order))
    assert (sizes[1] > sizes[0] + 0.02).mean() > 0.9
    assert sizes[1].max() <= 0.4 + 1e-6


@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_both_pyramids_are_as_long(norm):
    made, _ = _moved(squares.shift, best=CENTRES, eps=0.3, norm=norm)  # nothing moves: the pyramids alone
    change = made - 0.5
    power = 2 if norm == "l2" else 1
    up, down = ((np.maximum(sign * change, 0) ** power).sum(axis=(1, 2)) for sign in (1, -1))
    np.testing.assert_allclose(up, down, rtol=1e-6)
    np.testing.assert_allclose(up.sum(axis=1) + down.sum(axis=1), 0.3**power, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_more_queries_never_make_it_worse_and_cost_one_pass_each(trained, norm):
    eps = {"linf": 0.05, "l2": 0.5, "l1": 6.0}[norm]
    margins, is_adv = [], []
    for queries in (1, 20, 200):
        found = square(*trained[:3], seeds=trained.seeds, eps=eps, norm=norm, n_queries=queries)
        logits = trained.classifier.logits(found.images)
        own = logits[np.arange(64), trained.labels]
        logits[np.arange(64), trained.labels] = -np.inf
        margins.append(np.where(found.by == "", logits.max(axis=1) - own, 0).mean())
        is_adv.append((found.by != "").sum())
        stood = found.by == ""
        assert (found.n_forward[stood] == queries + 1).all() and (found.n_forward <= queries + 1).all()
        assert (found.n_backward == 0).all()
    assert margins[0] < margins[1] < margins[2] and is_adv[0] <= is_adv[1] < is_adv[2]


def test_where_a_smaller_eps_has_ended_is_no_place_to_begin(trained):
    options = {"seeds": trained.seeds, "eps": 0.05, "n_queries": 50}
    alone = square(*trained[:3], **options)
    led = square(*trained[:3], **options, start=np.clip(trained.images + 0.04, 0, 1))
    assert 0 < (alone.by != "").sum() < 64
    assert np.array_equal(alone.images, led.images) and np.array_equal(alone.by, led.by)


@pytest.mark.slow_after_first
@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (1, 40), (33, 5)])
def test_images_of_any_shape(norm, shape):
    import keras

    inputs = keras.Input((*shape, 1))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(inputs)))
    images = np.full((3, *shape, 1), 0.5, np.float32)
    classifier = Classifier(model, 2, batch_size=4)
    labels = classifier.logits(images).argmax(axis=1)
    found = square(classifier, images, labels, seeds=SEEDS[:3], eps=1e-4, norm=norm, n_queries=12)
    assert np.isfinite(found.images).all() and found.n_forward.max() == 13


def test_with_targets_it_heads_for_them_though_another_class_is_nearer(affine):
    """By the mean of the image: class 1 from .51 on, the target below .4. Each query costs one pass."""
    ones = np.ones((12, 1), np.float32) / 12
    classifier = Classifier(affine(ones * [0, 30, -10], [0, -15.3, 4]), 3, batch_size=16)
    images, labels = np.full((16, 1, 12, 1), 0.5, np.float32), np.zeros(16, np.int64)
    found = square(classifier, images, labels, seeds=SEEDS[:16], eps=0.3, n_queries=100, targets=labels + 2)
    assert (found.by == "square").all() and (found.images.mean(axis=(1, 2, 3)) < 0.4).all()
    assert classifier.n_forward >= found.n_forward.sum() > 16 and classifier.n_backward == 0
