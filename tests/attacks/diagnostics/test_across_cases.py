import numpy as np
import pandas as pd
import pytest

from robust.attacks import diagnostics
from robust.attacks.diagnostics.diagnosis import Reason
from robust.results import reliability

LABELS = ["cat", "dog"] * 50


def outcomes(case, perturbation, fallen, model="net", norm="linf", eps=0.1, target="", data="pets", n=100):
    """A case in which the images of these numbers fell."""
    said = [("dog" if label == "cat" else "cat") if i in fallen else label for i, label in enumerate(LABELS[:n])]
    same = {"model": model, "seed": 0, "data": data, "norm": norm, "eps": eps, "target": target}
    rows = {"case": case, "perturbation": perturbation, "example": np.arange(n).astype(str), "label": LABELS[:n]}
    return pd.DataFrame({**rows, "predicted": said}).assign(**same)


WHITE = outcomes("white", "pgd", set(range(20)))


def found(*tables):
    return list(diagnostics.black_box_stronger(pd.concat([WHITE, *tables])))


@pytest.mark.parametrize("name", ["square", "transfer", "foolbox:BoundaryAttack"])
def test_what_a_black_box_fells_and_the_white_box_left_is_told(name):
    ((where, reason),) = found(outcomes("black", name, set(range(10, 40))))
    assert (where["case"], where["perturbation"], where["model"], where["eps"]) == ("white", "pgd", "net", 0.1)
    assert reason == Reason("black_box_stronger", 0.2, 100)


def test_a_few_images_may_be_chance_and_only_what_the_other_left_counts():
    assert found(outcomes("black", "square", set(range(27)))) == []  # 7 of 100
    assert len(found(outcomes("black", "square", set(range(28))))) == 1
    assert found(outcomes("black", "square", set(range(20)))) == []


@pytest.mark.parametrize("other", [{"model": "b"}, {"norm": "l2"}, {"eps": 0.2}, {"data": "zoo"}, {"target": "cat"}])
def test_only_what_is_alike_is_compared(other):
    assert found(outcomes("black", "square", set(range(100)), **other)) == []


def test_noise_is_no_attack_to_be_beaten_and_none_that_beats():
    for name in ("noise", "foolbox:L2AdditiveGaussianNoiseAttack"):
        assert found(outcomes("control", name, set(range(100)))) == []
        beaten = pd.concat([outcomes("control", name, set()), outcomes("b", "square", {*range(50)})])
        assert list(diagnostics.black_box_stronger(beaten)) == []


def test_images_that_only_one_case_has_do_not_count():
    ((_, reason),) = found(outcomes("black", "square", set(range(100)), n=50))
    assert reason == Reason("black_box_stronger", 30 / 50, 50)


def test_a_reason_from_elsewhere_lowers_the_verdict_of_its_strength_alone():
    def rows(eps):
        place = {"perturbation": "pgd", "norm": "linf", "eps": eps, "severity": None}
        named = [("top1", "", 0.6), ("reliability", "", 1.0)]
        return [{**place, "metric": m, "subset": g, "value": v, "n": 9, "unit": ""} for m, g, v in named]

    doubts = found(outcomes("black", "square", set(range(10, 40))))
    values = reliability.marked(reliability.joined([*rows(0.1), *rows(0.2)], doubts))
    assert [(row["eps"], row["metric"], row["subset"], row["reliability"]) for row in values] == [
        (0.1, "top1", "", "suspect"), (0.1, "reliability", "", "suspect"), (0.2, "top1", "", "reliable"),
        (0.2, "reliability", "", "reliable"), (0.1, "reliability", "black_box_stronger", "suspect"),
    ]  # fmt: skip
    assert [row["value"] for row in values] == [0.6, 0.5, 0.6, 1.0, 0.2]
    assert reliability.doubt(values[0], values) == " (suspect: black box stronger)"
    assert reliability.doubt(values[2], values) == ""


def search(sizes, case="near", norm="linf", eps=0.1, is_adv=None):
    """A case that looked for the smallest changes, and where it found them."""
    is_adv = range(100) if is_adv is None else is_adv
    return outcomes(case, "pgd", set(is_adv), norm=norm, eps=eps).assign(searched=True, linf=sizes, l2=2 * sizes)


def attack(sizes, is_adv=range(100), **more):
    return outcomes("other", "square", set(is_adv), **more).assign(searched=False, linf=sizes, l2=2 * sizes)


def smaller_distance_elsewhere(*tables):
    return [(where["case"], reason) for where, reason in diagnostics.smaller_distance_elsewhere(pd.concat(tables))]


def test_what_another_case_finds_nearer_is_told_beside_the_search():
    near = search(np.full(100, 0.05))
    assert smaller_distance_elsewhere(near, attack(np.full(100, 0.044), range(20))) == [
        ("near", Reason("smaller_distance_elsewhere", 0.2, 100))
    ]
    assert smaller_distance_elsewhere(near, attack(np.full(100, 0.046))) == [], "less than a tenth"
    assert smaller_distance_elsewhere(near, attack(np.full(100, 0.02), range(7))) == [], "may be chance"
    assert smaller_distance_elsewhere(near, attack(np.full(100, 0.02), model="b")) == []
    assert smaller_distance_elsewhere(near, attack(np.full(100, 0.02), data="zoo")) == []


def test_where_none_was_found_any_change_within_eps_is_nearer():
    near = search(np.zeros(100), is_adv=range(50))
    assert smaller_distance_elsewhere(near, attack(np.full(100, 0.09), range(50, 100)))[0][1].value == 0.5
    assert smaller_distance_elsewhere(near, attack(np.full(100, 0.12), range(50, 100), eps=0.2)) == []


def test_a_change_has_a_size_in_each_norm():
    near = search(np.full(100, 0.05), norm="l2", eps=1.0)
    assert smaller_distance_elsewhere(near, attack(np.full(100, 0.04)))[0][1].value == 1
    assert smaller_distance_elsewhere(search(np.full(100, 0.05), norm="l1", eps=1.0), attack(np.full(100, 0.01))) == []
