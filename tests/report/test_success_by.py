import pandas as pd
import pytest
import vl_convert

from robust.report import success_by

WHERE = {"seed": 0, "case": "aa", "perturbation": "autoattack", "norm": "linf", "eps": 8 / 255}


def outcomes(model, by, **where):
    return [{"model": model, **WHERE, **where, "example": str(i), "success_by": each} for i, each in enumerate(by)]


def top1(model, **where):
    return {"model": model, **WHERE, **where, "metric": "top1", "value": 0.5, "n": 6, "unit": "proportion"}


@pytest.fixture
def found(page_of):
    first = outcomes("lenet5", ["clean", "apgd-ce", "apgd-ce", "square", "", ""])
    second = outcomes("resnet20", ["apgd-t", "apgd-t", "apgd-t", "", "", ""])
    alone = outcomes("lenet5", ["pgd", "", "clean"], case="pgd", perturbation="pgd")
    rows = [top1("lenet5"), top1("resnet20"), top1("lenet5", case="pgd", perturbation="pgd")]
    return success_by.success_by(page_of(rows, first + second + alone))


def test_every_image_counts_once_for_the_first_part_that_succeeded(found):
    assert found.heads == ["misclassified before", "apgd-t", "apgd-ce", "square", "still correct"]
    rows = {model: dict(zip(found.heads, map(int, counts), strict=True)) for model, _, counts in found.rows}
    assert rows["lenet5"] == {"misclassified before": 1, "apgd-t": 0, "apgd-ce": 2, "square": 1, "still correct": 2}
    assert rows["resnet20"] == {"misclassified before": 0, "apgd-t": 3, "apgd-ce": 0, "square": 0, "still correct": 3}


def test_an_attack_of_one_part_has_no_shares(found, page_of):
    assert all("pgd (" not in title for _, title, _ in found.rows) and len(found.rows) == 2
    alone = outcomes("m", ["pgd", ""], case="pgd", perturbation="pgd")
    assert success_by.success_by(page_of([top1("m", case="pgd", perturbation="pgd")], alone)) is None


def test_the_shares_of_a_bar_are_of_all_images(found):
    bars = pd.DataFrame(next(iter(found.chart.spec["datasets"].values())))
    assert bars.groupby("bar")["share"].sum().round(9).tolist() == [1, 1]
    assert vl_convert.vegalite_to_svg(found.chart.spec).startswith("<svg")
    assert "square 16.7 %" in found.chart.alt
