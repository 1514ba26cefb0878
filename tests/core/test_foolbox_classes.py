"""What attacks use of a model, held against the code of Foolbox."""

import inspect

import pytest

from robust.core import foolbox_classes, registry
from robust.core.declared import of_attack


def asks_for_gradients(kind):
    own = [c for c in kind.__mro__ if c.__module__.startswith("foolbox.attacks")]
    sources = [inspect.getsource(c) for c in own] + [inspect.getsource(inspect.getmodule(kind))]
    return any("_and_grad" in source for source in sources)


foolbox = foolbox_classes.library()
KINDS = {n: k for n, k in vars(foolbox.attacks).items() if inspect.isclass(k) and not inspect.isabstract(k)}


@pytest.mark.parametrize("name", sorted(KINDS))
def test_an_attack_of_foolbox_uses_gradients_where_its_code_asks_for_them(name):
    assert (of_attack(f"foolbox:{name}").access == "gradient") == asks_for_gradients(KINDS[name])


def test_of_our_own_noise_transfer_and_square_are_black_boxes():
    names = registry.names("attacks")
    assert {name for name in names if of_attack(name).access != "gradient"} == {"noise", "transfer", "square"}


@pytest.mark.parametrize("name", ["LinfAdditiveUniformNoiseAttack", "SaltAndPepperNoiseAttack"])
def test_noise_of_foolbox_is_a_control(name):
    assert of_attack(f"foolbox:{name}").access == "none" and of_attack(f"foolbox:{name}").is_control


def test_decision_attacks_are_no_controls():
    assert of_attack("transfer").is_control
    assert not of_attack("foolbox:BoundaryAttack").is_control and not of_attack("foolbox:LinfPGD").is_control


@pytest.mark.parametrize("name", ["FGSM", "FGM", "L1FastGradientAttack", "L2FastGradientAttack"])
def test_fast_gradient_attacks_take_one_step(name):
    assert of_attack(f"foolbox:{name}").one_step and not of_attack("foolbox:PGD").one_step
