import numpy as np
import pandas as pd

from robust.results.summaries.flow import flow

SUPERCLASSES = {"pet": ["cat", "dog"], "vehicle": ["car"]}


def _table(rows, model="m", **where):
    same = {"model": model, "seed": 0, "data": "d", "norm": "", "eps": np.nan, "severity": 1, **where}
    return pd.DataFrame(rows, columns=["example", "label", "predicted"]).assign(**same)


CLEAN = _table(
    [("1", "cat", "cat"), ("2", "cat", "cat"), ("3", "cat", "dog"), ("4", "dog", "dog"), ("5", "car", "car")],
    case="clean", perturbation="clean",
)  # fmt: skip
FOG = _table(
    [("1", "cat", "dog"), ("2", "cat", "car"), ("3", "cat", "car"), ("4", "dog", "dog"), ("5", "car", "cat")],
    case="fog", perturbation="fog",
)  # fmt: skip


def _rows(found):
    return {(r.label, r.taken_for): (r.images, r.of, r.inside) for r in found.itertuples()}


def test_only_what_was_right_before_can_be_lost():
    assert _rows(flow(pd.concat([CLEAN, FOG]), SUPERCLASSES)) == {
        ("cat", "dog"): (1, 3, True),
        ("cat", "car"): (1, 3, False),  # not the third, which was wrong before
        ("dog", "dog"): (1, 1, True),
        ("car", "cat"): (1, 1, False),
    }


def test_each_model_is_held_against_its_own_clean_images():
    other = CLEAN.assign(model="n", predicted="car")
    found = flow(pd.concat([CLEAN, FOG, other, FOG.assign(model="n")]), {})
    lost = found[found["label"] != found["taken_for"]]
    assert lost.groupby("model")["images"].sum().to_dict() == {"m": 3, "n": 1}
    assert not found["inside"].any()


def test_images_of_another_set_are_others_though_they_are_called_alike():
    shifted = CLEAN.assign(data="e", predicted="car")
    wanted = _rows(flow(pd.concat([CLEAN, FOG]), {}))
    assert _rows(flow(pd.concat([shifted, CLEAN, FOG]), {})) == wanted
    assert flow(pd.concat([shifted, FOG]), {}).empty


def test_without_clean_images_nothing_is_said():
    assert flow(FOG, SUPERCLASSES).empty
    assert flow(pd.concat([CLEAN.head(1), FOG]), SUPERCLASSES)["images"].sum() == 1


def test_the_order_of_the_images_does_not_matter():
    table = pd.concat([CLEAN, FOG])
    assert _rows(flow(table, SUPERCLASSES)) == _rows(flow(table.sample(frac=1, random_state=0), SUPERCLASSES))
