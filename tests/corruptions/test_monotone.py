"""A higher severity changes an image more, but where the published constants do not have it so."""

import itertools

import numpy as np
import pytest

from robust import corruptions
from robust.datasets import photos

NOT_MONOTONE = {"elastic_transform", "frost", "glass_blur", "saturate", "spatter"}
SLACK = 0.99  # what chance may take from one severity to the next: angles, flakes


@pytest.fixture(scope="module")
def images():
    """Photos by the length of their sides."""
    large = photos().examples("test").images
    small = large.reshape(len(large), 32, 7, 32, 7, 3).mean(axis=(2, 4), dtype=np.float32)
    return {32: small, 224: large}


def _falls(name, images):
    """Does a severity change these images clearly less than the one before?"""
    corruption, seeds = getattr(corruptions, name), np.arange(len(images))
    changes = [np.abs(corruption(images, seeds=seeds, severity=s) - images).mean() for s in range(1, 6)]
    return any(after < SLACK * before for before, after in itertools.pairwise(changes))


@pytest.mark.parametrize("name", sorted(corruptions.__all__))
def test_a_higher_severity_changes_more_but_for_the_known_exceptions(images, name):
    assert any(_falls(name, each) for each in images.values()) == (name in NOT_MONOTONE)
