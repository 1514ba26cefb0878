"""Which attacks ask for gradients, held against the code of Foolbox."""

import inspect

import pytest

from robust.attacks.diagnostics.knowledge import black_box, is_control, is_noise
from robust.core import registry


def asks_for_gradients(kind):
    own = [c for c in kind.__mro__ if c.__module__.startswith("foolbox.attacks")]
    sources = [inspect.getsource(c) for c in own] + [inspect.getsource(inspect.getmodule(kind))]
    return any("_and_grad" in source for source in sources)


foolbox = registry.foolbox()
KINDS = {n: k for n, k in vars(foolbox.attacks).items() if inspect.isclass(k) and issubclass(k, foolbox.Attack)}


@pytest.mark.parametrize("name", sorted(KINDS.keys() - {"Attack"}))
def test_an_attack_of_foolbox_is_black_box_where_its_code_asks_for_no_gradient(name):
    assert black_box(f"foolbox:{name}") == (not asks_for_gradients(KINDS[name]))


def test_of_our_own_noise_transfer_and_square_are_black_boxes():
    assert {name for name in registry.names("attacks") if black_box(name)} == {"noise", "transfer", "square"}


def test_noise_of_foolbox_is_a_control_and_its_decision_attacks_are_not():
    assert is_noise("foolbox:LinfAdditiveUniformNoiseAttack") and is_control("foolbox:SaltAndPepperNoiseAttack")
    assert is_control("transfer") and not is_noise("transfer")
    assert not is_control("foolbox:BoundaryAttack") and not is_control("foolbox:LinfPGD")
