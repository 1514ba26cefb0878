import pandas as pd
import pytest
import vl_convert

from robust.report import felled

WHERE = {"seed": 0, "case": "aa", "perturbation": "autoattack", "norm": "linf", "eps": 8 / 255}


def asked(model, by, **where):
    return [{"model": model, **WHERE, **where, "example": str(i), "success_by": each} for i, each in enumerate(by)]


def top1(model, **where):
    return {"model": model, **WHERE, **where, "metric": "top1", "value": 0.5, "n": 6, "unit": "proportion"}


@pytest.fixture
def found(page_of):
    first = asked("lenet5", ["clean", "apgd-ce", "apgd-ce", "square", "", ""])
    second = asked("resnet20", ["apgd-t", "apgd-t", "apgd-t", "", "", ""])
    alone = asked("lenet5", ["pgd", "", "clean"], case="pgd", perturbation="pgd")
    rows = [top1("lenet5"), top1("resnet20"), top1("lenet5", case="pgd", perturbation="pgd")]
    return felled.felled(page_of(rows, first + second + alone))


def test_every_image_counts_once_for_what_felled_it_first(found):
    assert found.heads == ["wrong before", "apgd-t", "apgd-ce", "square", "still right"]
    rows = {model: dict(zip(found.heads, map(int, counts), strict=True)) for model, _, counts in found.rows}
    assert rows["lenet5"] == {"wrong before": 1, "apgd-t": 0, "apgd-ce": 2, "square": 1, "still right": 2}
    assert rows["resnet20"] == {"wrong before": 0, "apgd-t": 3, "apgd-ce": 0, "square": 0, "still right": 3}


def test_an_attack_of_one_part_has_no_shares(found, page_of):
    assert all("pgd (" not in title for _, title, _ in found.rows) and len(found.rows) == 2
    alone = asked("m", ["pgd", ""], case="pgd", perturbation="pgd")
    assert felled.felled(page_of([top1("m", case="pgd", perturbation="pgd")], alone)) is None


def test_the_shares_of_a_bar_are_of_all_images(found):
    bars = pd.DataFrame(next(iter(found.chart.spec["datasets"].values())))
    assert bars.groupby("bar")["share"].sum().round(9).tolist() == [1, 1]
    assert vl_convert.vegalite_to_svg(found.chart.spec).startswith("<svg")
    assert "square 16.7 %" in found.chart.alt
