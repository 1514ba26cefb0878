import pandas as pd
import pytest
import vl_convert
from scipy import stats

from robust import report
from robust.report import confusion, targetability

WHERE = {"seed": 0, "case": "sent", "perturbation": "pgd", "norm": "linf", "eps": 8 / 255}
SHARES = {"Coat -> Shirt": 0.8, "Shirt -> Coat": 0.9, "Coat -> Trouser": 0.0, "Shirt -> Trouser": 0.1}


def rows(model="plain", far=None, **where):
    same = {"model": model, **WHERE, **where}
    for pair, share in SHARES.items():
        ends = {"ci_low": max(share - 0.1, 0), "ci_high": min(share + 0.1, 1)}
        known = {"subset": pair, "value": share, "n": 10, "unit": "proportion", "ci_method": "exact 95 %"}
        yield {**same, **known, **ends, "metric": "sent"}
        if far:
            yield {**same, "subset": pair, "value": far[pair], "n": 10, "metric": "median_distance"}


def test_the_easiest_pairs_come_first(page_of):
    (card,) = targetability.targetability(page_of([*rows()]))["plain"]
    assert [pair["pair"] for pair in card.easiest[:2]] == ["Shirt → Coat", "Coat → Shirt"]
    assert card.easiest[0]["share"] == "90.0 %"
    assert not card.distances and card.title == "sent (pgd, L∞, ε = 8/255)"


def test_the_intervals_of_the_easiest_hold_for_all_pairs_since_these_were_picked(page_of):
    (card,) = targetability.targetability(page_of([*rows()]))["plain"]
    exact = stats.binomtest(9, 10).proportion_ci(1 - 0.05 / len(SHARES), method="exact")
    assert card.easiest[0]["interval"] == f"{100 * exact.low:.1f} – {100 * exact.high:.1f} %"


def test_of_pairs_that_are_as_easy_the_nearest_comes_first(page_of):
    far = {"Coat -> Shirt": 2 / 255, "Shirt -> Coat": float("inf"), "Coat -> Trouser": 3 / 255, "Shirt -> Trouser": 0.1}
    same = [{**row, "value": 1.0} if row["metric"] == "sent" else row for row in rows(far=far)]
    (card,) = targetability.targetability(page_of(same))["plain"]
    assert [pair["distance"] for pair in card.easiest] == ["2/255", "3/255", "25.5/255", "not found up to 8/255"]
    assert card.distances


@pytest.mark.slow
def test_the_matrix_has_a_cell_for_each_pair_with_its_share(page_of):
    (card,) = targetability.targetability(page_of([*rows()]))["plain"]
    cells = pd.DataFrame(next(iter(card.chart.spec["datasets"].values())))
    shares = {f"{cell.label} -> {cell.target}": cell.share for cell in cells.itertuples()}
    assert shares == SHARES and set(cells["percent"]) == {"80", "90", "0", "10"}
    x = card.chart.spec["layer"][0]["encoding"]["x"]
    assert x["scale"]["domain"] == ["Trouser", "Coat", "Shirt"]  # in the order of the data set
    assert vl_convert.vegalite_to_svg(card.chart.spec).startswith("<svg")
    assert "most of all Shirt to Coat, 90.0 %" in card.chart.alt


def test_a_card_for_each_model_and_case(page_of):
    many = [*rows("a"), *rows("a", case="far", perturbation="fab"), *rows("b")]
    found = targetability.targetability(page_of(many))
    assert {model: [card.title.split()[0] for card in cards] for model, cards in found.items()} == {
        "a": ["sent", "far"], "b": ["sent"],
    }  # fmt: skip


def test_what_is_sent_from_class_to_class_is_no_confusion(page_of):
    asked = [{"model": "plain", **WHERE, "example": "1", "label": "Coat", "target": "Shirt", "predicted": "Shirt"}]
    assert confusion.confusions(page_of([*rows()], asked)) == []


@pytest.mark.slow
def test_a_page_without_such_cases_says_nothing_of_them(folder, document):
    page = document(report.write(folder))
    assert not {"success_by", "distances", "targetability"} & set(page.attributes("section", "id"))
