import pandas as pd
import pytest
import vl_convert

from robust.report import distances
from robust.report.conditions import Condition

WHERE = {"seed": 0, "case": "far", "perturbation": "fab", "norm": "linf", "eps": 16 / 255, "n": 50}
CURVE = {"0": 0.9, "8/255": 0.6, "16/255": 0.2}
INF = float("inf")


def rows(model, median=(10 / 255, 9 / 255, 11 / 255), upper=15 / 255, **where):
    same = {"model": model, **WHERE, **where}
    value, low, high = median
    interval = "order statistics 95 %" if low == low else ""
    yield {**same, "metric": "median_distance", "value": value, "ci_low": low, "ci_high": high, "ci_method": interval}
    yield {**same, "metric": "distance_quartile", "subset": "lower", "value": 4 / 255}
    yield {**same, "metric": "distance_quartile", "subset": "upper", "value": upper}
    yield {**same, "metric": "censored", "value": 0.2, "unit": "proportion"}
    for group, share in CURVE.items():
        named = {"metric": "top1_by_distance", "subset": group, "unit": "proportion"}
        yield {**same, **named, "value": share, "ci_low": share - 0.1, "ci_high": min(share + 0.1, 1)}


def test_medians_quartiles_and_what_was_not_found_in_the_words_of_the_norm(page_of):
    hard = rows("hardened", median=(INF, 14 / 255, INF), upper=INF)
    (found,) = distances.distances(page_of([*rows("plain"), *hard]))
    assert found.title == "far (fab, L∞, ε = 16/255)"
    plain, hardened = found.rows
    assert (plain["median"], plain["interval"], plain["upper"]) == ("10/255", "[9/255, 11/255]", "15/255")
    assert (hardened["median"], hardened["interval"]) == ("not found up to 16/255", "[14/255, not found up to 16/255]")
    assert (hardened["upper"], hardened["censored"], hardened["n"]) == ("not found up to 16/255", "20.0 %", "50")


def test_a_median_of_few_images_has_no_interval(page_of):
    (found,) = distances.distances(page_of([*rows("plain", median=(0.01, float("nan"), float("nan")))]))
    assert found.rows[0]["interval"] == "" and found.rows[0]["median"] == "2.55/255"


@pytest.mark.slow
def test_the_curve_is_dashed_and_says_that_it_is_of_distances(page_of):
    (found,) = distances.distances(page_of([*rows("plain")]))
    points = pd.DataFrame(next(iter(found.chart.spec["datasets"].values())))
    assert points["level"].tolist() == [0, 8, 16] and points["value"].tolist() == [0.9, 0.6, 0.2]
    assert "found within ε" in found.chart.title
    line = found.chart.spec["layer"][1]
    assert line["mark"]["strokeDash"] and line["encoding"]["y"]["title"] == "share with a distance above ε"
    assert vl_convert.vegalite_to_svg(found.chart.spec).startswith("<svg")


def test_with_targets_there_is_no_curve(page_of):
    aimed = [row for row in rows("plain") if row["metric"] != "top1_by_distance"]
    (found,) = distances.distances(page_of(aimed))
    assert found.chart is None and found.rows[0]["median"] == "10/255"


def test_other_cases_are_left_alone(page_of):
    row = {
        "model": "plain",
        "seed": 0,
        "case": "clean",
        "perturbation": "clean",
        "metric": "top1",
        "value": 1.0,
        "n": 3,
    }
    assert distances.distances(page_of([row])) == []


@pytest.mark.parametrize(
    ("value", "norm", "words"), [(0.5, "l2", "0.5"), (INF, "l2", "not found up to 2"), (float("nan"), "l2", "–")]
)
def test_a_distance_in_words(value, norm, words):
    assert distances.size(value, Condition("far", "fab", norm, 2.0, None)) == words
