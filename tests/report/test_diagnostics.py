import re
import tomllib

import numpy as np
import pandas as pd
import pytest

from robust import report
from robust.core.remedies import named
from robust.report import diagnostics
from robust.report.folder import read
from robust.results import tables
from robust.results.flags import EPS, FLAGS
from robust.suite import read_case


def doubted(folder):
    """The folder, in which pgd on lenet5 at 8/255 is suspect and on resnet20 reliable."""
    path = folder / "results.csv"
    results = tables.read_results(path)
    of = results[(results["case"] == "pgd") & (results["eps"] > 0.02) & (results["metric"] == "nll")]
    rows = []
    for row in of.to_dict("records"):
        word, level = ("suspect", 0.5) if row["model"] == "lenet5" else ("reliable", 1.0)
        rows.append({**row, "metric": "reliability", "value": level, "unit": "", "n": 100, "reliability": word})
        if word == "suspect":
            rows.append({**rows[-1], "subset": "zero_gradients", "value": 0.25, "unit": "proportion"})
            rows.append({**rows[-1], "subset": "of_a_later_version", "value": 0.5})
    tables.write_results(tables.table(pd.concat([results, pd.DataFrame(rows)]), tables.RESULTS), path)
    return folder


@pytest.mark.slow
def test_doubts_come_first_with_their_reasons_and_remedies(folder):
    first, *others = diagnostics.diagnostics(read(doubted(folder)))
    assert (first.model, first.condition, first.reliability, first.n) == (
        "lenet5",
        "pgd (L∞, ε = 8/255)",
        "suspect",
        "100",
    )
    assert first.doubts[0].words.startswith("the gradients are zero for 25.0 % of 100 images")
    assert first.doubts[0].remedy.startswith("attack it with square")
    assert first.doubts[1] == ("of a later version: 50.0 %", "")
    assert {one.reliability for one in others} == {"reliable"} and all(one.doubts == [] for one in others)


@pytest.mark.parametrize(
    ("norm", "eps", "ball"),
    [
        ("linf", 6 / 255, {"eps": "6/255"}),
        ("l2", 0.5, {"norm": "l2", "eps": "0.5"}),
        ("l1", 12.0, {"norm": "l1", "eps": "12"}),
        ("l2", np.nan, {"norm": "l2", "eps": EPS}),
        (pd.NA, np.nan, {"eps": EPS}),
    ],
)
@pytest.mark.parametrize("name", [name for name, ill in FLAGS.items() if EPS in str(named(ill.remedy))])
def test_an_attack_that_is_advised_is_in_the_ball_of_the_number(name, norm, eps, ball):
    """Typed as it stands: one of another eps or norm would be another number, not a better one."""
    row = {"subset": name, "value": 0.25, "n": 100, "eps": eps, "norm": norm}
    remedy = diagnostics._doubt(row, "suite").remedy
    advised = [tomllib.loads(line) for line in re.findall(r"(?:attack|minimal) = {.*?}", remedy)]
    assert advised
    for case in advised:
        read_case("c", case)
        for one in case.values():
            given = {**one, "eps": one["eps"][-1]} if isinstance(one["eps"], list) else one
            assert {key: given[key] for key in ("norm", "eps") if key in given} == ball


def test_of_several_eps_the_others_are_a_quarter_and_a_half():
    row = {"subset": "half_eps", "value": 0.25, "n": 100, "eps": 16 / 255, "norm": "linf"}
    assert 'eps = ["4/255", "8/255", "16/255"]' in diagnostics._doubt(row, "suite").remedy


def test_an_eps_that_is_advised_for_itself_stays():
    row = {"subset": "lost_in_rounding", "value": 0.25, "n": 100, "eps": 0.001, "norm": "linf"}
    assert 'eps = "1/255"' in diagnostics._doubt(row, "suite").remedy


@pytest.mark.slow
def test_the_page_has_the_section_where_there_are_verdicts(folder, document):
    report.write(folder)
    assert "Reliability of these numbers" not in document(folder / "index.html").text
    report.write(doubted(folder))
    page = document(folder / "index.html")
    assert (
        "Reliability of these numbers" in page.text and "the gradients are zero for 25.0 % of 100 images" in page.text
    )
    assert "#diagnostics" in page.attributes("a", "href")
