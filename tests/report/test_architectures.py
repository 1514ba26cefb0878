"""The page of the family: sources, sums and comparisons; it is drawn from two small tables."""

import json
import re

import pandas as pd
import pytest

from robust import report
from robust.core import registry
from robust.core.errors import ReportError
from robust.report import architectures, cost_charts, published

ROW = {
    "input": "8x8x3", "depth": 3, "parameters": 61_706, "macs": 15_470_264_320, "weighted": 1, "forward": 9_118,
    "training": 1, "forward_memory": 36_472, "training_memory": 100_000, "published_depth": "3",
    "published_parameters": "61706", "published_macs": "", "published_forward": "9000", "differs": "forward",
    "note": "why <it> differs", "source": "a paper",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    rows = [{"architecture": name, "options": "", **ROW} for name in published.errors()["architecture"]]
    pd.DataFrame([*rows, {"architecture": "vgg16", "options": "norm=batch", **ROW}]).to_csv(
        tmp_path / "architectures.csv", index=False
    )
    layers = [("InputLayer", 150_000, 150_000), ("Conv2D", 13_000_000, 13_000_000), ("ReLU", 0, 13_000_000),
              ("MaxPooling2D", 1_000_000, 1_000_000), ("Dense", 1_000, 1_000)]  # fmt: skip
    pd.DataFrame(layers, columns=["kind", "forward", "training"]).to_csv(tmp_path / "vgg16.csv", index=False)
    return tmp_path


def test_every_published_error_has_a_source_and_is_of_a_network_of_ours():
    errors = published.errors()
    assert set(errors["architecture"]) <= set(registry.names("architectures")) and errors["architecture"].is_unique
    assert errors.notna().all(axis=None) and (errors[["source", "protocol"]].map(len) > 5).all(axis=None)
    assert errors["year"].between(2012, 2020).all()
    assert (errors["top5_error"] < errors["top1_error"]).all() and errors["top1_error"].between(5, 50).all()


def test_winners_are_one_a_year_and_get_better():
    winners = published.winners()
    won = winners[winners["kind"] != "human"]
    assert list(won["year"]) == list(range(2010, 2018)) and won["top5_error"].is_monotonic_decreasing
    assert list(winners.loc[winners["kind"] == "human", "top5_error"]) == [5.1]
    assert winners["source"].str.contains(r"\d{4}").all()


def test_every_row_of_the_counts_has_a_source():
    counts = published.counts()
    assert (counts["source"].str.len() > 5).all()
    assert not counts.duplicated(["architecture", "options"]).any()


def test_the_story_of_vgg16_is_the_sum_of_its_rows(folder):
    story = architectures.story(pd.read_csv(folder / "vgg16.csv"))
    assert (story["exact"], story["sum"], story["relus"]) == ("14,151,000", ("14.2 M", "57 MB"), ("27.2 M", "109 MB"))
    assert story["claim"] == ("24.0 M", "96 MB")
    assert story["rows"][1] == ("convolutions", 1, "13,000,000", "52.0 MB")


def test_the_page_holds_every_number_in_its_tables(folder):
    page = architectures.write(folder).read_text()
    text = re.sub(r"<script.*?</script>|<style.*?</style>", "", page, flags=re.DOTALL)
    assert "why &lt;it&gt; differs" in text and "<it>" not in page
    assert ">61,706 =</td>" in text and ">9,118 ≠ 9,000</td>" in text
    assert ">15.5 G </td>" in text, "no mark where nothing is published"
    for table in (published.errors(), published.winners()):
        assert all(f"{error} %" in text for error in table["top5_error"])
    assert "://" not in text and 'src="' not in text, "nothing is loaded from elsewhere"


def test_charts_say_each_point_and_its_source(folder):
    page = architectures.write(folder).read_text()
    specs = [json.loads(s) for s in re.findall(r'<script type="application/json">(.*?)</script>', page, re.DOTALL)]
    assert len(specs) == 4
    for spec in specs[1:]:
        (values,) = spec["datasets"].values() if "datasets" in spec else [spec["data"]["values"]]
        assert len(values) == len(published.errors()) and all(point["source"] for point in values)
    assert "a human: 5.1 %" in page


@pytest.mark.slow
def test_the_same_folder_gives_the_same_bytes(folder):
    assert architectures.write(folder).read_bytes() == report.write(folder).read_bytes()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda path: (path / "vgg16.csv").unlink(), r"vgg16.csv: cannot be read .*; `robust describe --all` makes it"),
        (lambda path: (path / "architectures.csv").write_text("a\n1\n"), r"lacks the column 'options'; `robust desc"),
    ],
)
def test_a_folder_that_lacks_something(folder, spoil, told):
    spoil(folder)
    with pytest.raises(ReportError, match=told):
        architectures.write(folder)


def test_families_are_told_apart():
    names = {cost_charts.family(name) for name in published.errors()["architecture"]}
    assert names == {"alexnet", "vgg", "googlenet", "resnet", "densenet", "mobilenet", "efficientnet"}


def test_what_differs_is_explained_below_the_table(folder):
    table, below = architectures.write(folder).read_text().split('id="family"')[1].split("</table>")[:2]
    assert "why &lt;it&gt; differs" not in table and "why &lt;it&gt; differs" in below


def test_no_two_names_of_a_chart_lie_on_each_other(folder):
    points = [(name, 1e6 * factor, error) for name, factor, error in [
        ("vgg16", 1, 20), ("vgg19", 1.1, 20.1), ("resnet18", 1, 22), ("resnet50", 10, 20)
    ]]  # fmt: skip
    given = [
        {"architecture": name, "parameters": cost, "parameters_text": "", "top1_error": error}
        for name, cost, error in points
    ]
    spec = cost_charts.against(cost_charts.Axis("parameters", "parameters", "parameters"), given).spec
    (values,) = spec["datasets"].values() if "datasets" in spec else [spec["data"]["values"]]
    assert [point["member"] for point in values] == ["16", "", "18", "50"]
