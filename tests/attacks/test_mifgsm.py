import inspect

import numpy as np
import pytest
import tensorflow as tf

from robust.attacks import mifgsm, pgd
from robust.core import foolbox_classes
from robust.models.classifier import Classifier

foolbox = foolbox_classes.library()
norms = pytest.mark.parametrize("norm", ["linf", "l2"])
EPS = {"linf": 0.012, "l2": 0.06}


@pytest.fixture(scope="module")
def standing(build, problem):
    """A model in double precision, and images that it answers rightly."""
    classifier = Classifier(build("float64"), 3, batch_size=8)
    data = problem(40, seed=7)
    right = classifier.logits(data.images).argmax(axis=1) == data.labels
    return classifier, data.images[right].astype(np.float64), data.labels[right], data.seeds[right]


def _their_climb(classifier, images, labels, norm, decay, steps):
    """Foolbox's loop and momentum. Its Linf class sums up signs; the paper's L1 normalisation is put in."""
    names = {"linf": "LinfMomentumIterativeFastGradientMethod", "l2": "L2MomentumIterativeFastGradientMethod"}

    class Paper(getattr(foolbox.attacks, names[norm])):
        def normalize(self, gradients, *, x, bounds):
            return foolbox.attacks.gradient_descent_base.normalize_lp_norms(gradients, p=1)

        def get_optimizer(self, x, stepsize):
            made = super().get_optimizer(x, stepsize)
            made.momentum = decay
            return made

    model = foolbox.TensorFlowModel(classifier, bounds=(0, 1), device="/CPU:0")
    attack = Paper(abs_stepsize=EPS[norm] / steps, steps=steps)
    return attack(model, tf.constant(images), tf.constant(labels), epsilons=EPS[norm])[1].numpy()


@pytest.mark.slow
@norms
@pytest.mark.parametrize("decay", [0.0, 0.5, 1.0])
def test_each_step_agrees_with_foolbox(standing, norm, decay):
    """The ends agree for every number of steps, so each step does."""
    classifier, images, labels, seeds = standing
    for steps in (1, 2, 5, 8):
        ours = mifgsm(classifier, images, labels, seeds=seeds, eps=EPS[norm], norm=norm, steps=steps, decay=decay)
        stood = ours.by == ""
        theirs = _their_climb(classifier, images, labels, norm, decay, steps)
        assert stood.sum() > 10
        np.testing.assert_allclose(ours.images[stood], theirs[stood], rtol=0, atol=1e-12)


@norms
def test_without_decay_it_takes_plain_steps(standing, norm):
    classifier, images, labels, seeds = standing
    common = {"seeds": seeds, "eps": EPS[norm], "norm": norm, "steps": 8, "step_size": EPS[norm] / 8}
    plain = pgd(classifier, images, labels, **common, random_start=False)
    found = mifgsm(classifier, images, labels, **common, decay=0.0)
    np.testing.assert_allclose(found.images, plain.images, rtol=0, atol=1e-12)
    assert (mifgsm(classifier, images, labels, **common).images != found.images).any()


def test_left_alone_the_momentum_keeps_all_of_its_velocity():
    """Dong et al. take a decay of 1."""
    assert inspect.signature(mifgsm).parameters["decay"].default == 1.0
