import pytest
import tensorflow_datasets as tfds
from hypothesis import assume, given
from hypothesis import strategies as st

from robust.core.errors import DataError
from robust.datasets.ranges import divide, parse, size, text


def infos(**sizes):
    return tfds.core.SplitDict(
        [tfds.core.SplitInfo(name=name, shard_lengths=[n], num_bytes=0) for name, n in sizes.items()]
    )


def divided(sizes, default="test", asked=None):
    return {role: text(ranges) for role, ranges in divide("x", infos(**sizes), asked or {}, default).items()}


@pytest.mark.parametrize(
    ("sizes", "default", "asked", "expected"),
    [
        ({"train": 50, "test": 9}, "test", {},
         {"test": "test[0:9]", "train": "train[0:45]", "validation": "train[45:50]"}),
        ({"train": 50, "validation": 7, "test": 9}, "test", {},
         {"test": "test[0:9]", "train": "train[0:50]", "validation": "validation[0:7]"}),
        ({"train": 50, "validation": 7}, "validation", {},
         {"test": "validation[0:7]", "train": "train[0:45]", "validation": "train[45:50]"}),
        ({"train": 50, "test": 9}, "test", {"validation": "train[:20%]"},
         {"test": "test[0:9]", "train": "train[10:50]", "validation": "train[0:10]"}),
        ({"train": 50}, "", {"test": "train[80%:]"},
         {"test": "train[40:50]", "train": "train[0:36]", "validation": "train[36:40]"}),
        ({"train": 50}, "", {"test": "train[10:20]"},
         {"test": "train[10:20]", "train": "train[0:10]+train[20:46]", "validation": "train[46:50]"}),
        ({"test": 9}, "test", {}, {"test": "test[0:9]"}),
        ({"train": 5, "test": 9}, "test", {}, {"test": "test[0:9]", "train": "train[0:5]"}),
    ],
)  # fmt: skip
def test_who_has_which_images(sizes, default, asked, expected):
    assert divided(sizes, default, asked) == expected


@given(train=st.integers(10, 300), cuts=st.lists(st.integers(0, 100), min_size=4, max_size=4).map(sorted))
def test_nobody_shares_an_image_and_none_is_lost(train, cuts):
    a, b, c, d = (cut * train // 100 for cut in cuts)
    assume(a < b and c < d)
    asked = {"test": f"train[{a}:{b}]", "validation": f"train[{c}:{d}]"}
    found = divide("x", infos(train=train), asked, "")
    taken = [i for ranges in found.values() for _, begin, end in ranges for i in range(begin, end)]
    assert sorted(taken) == list(range(train))


def test_the_last_tenth_may_reach_over_a_gap():
    found = divide("x", infos(train=100), {"test": "train[92:98]"}, "")
    assert text(found["validation"]) == "train[85:92]+train[98:100]"
    assert size(found["train"]) == 85


def test_all_splits_at_once():
    assert parse("x", infos(train=3, test=2), "test", "all") == [("train", 0, 3), ("test", 0, 2)]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("train[:0]", "holds no image"),
        ("train[7:7]", "holds no image"),
        ("tarin", "no split 'tarin'; did you mean 'train'?"),
        ("train[:10]+tset", "no split 'tset'; allowed: train"),
    ],
)
def test_a_spec_without_images_is_refused(spec, said):
    with pytest.raises(DataError) as caught:
        parse("x", infos(train=50), "test", spec)
    assert str(caught.value) == f"data set 'x': test = {spec!r}: {said}"


def test_a_spec_that_tensorflow_datasets_cannot_read_is_told_in_one_line():
    with pytest.raises(
        DataError, match=r'^data set .x.: test = .train\[a:b\].: .+; write "test\[:1000\]" or'
    ) as caught:
        parse("x", infos(train=50), "test", "train[a:b]")
    assert "\n" not in str(caught.value)


def test_two_that_share_images_are_refused():
    with pytest.raises(DataError) as caught:
        divided({"train": 50}, asked={"train": "train", "test": "train[:3]"})
    said = "test (train[0:3]) and train (train[0:45]) share 3 images; choose train elsewhere"
    assert str(caught.value) == f"data set 'x': {said}"
