import numpy as np
import pandas as pd
import pytest

from robust import report
from robust.results import tables

pytestmark = pytest.mark.usefixtures("made_up")
SAME = {"model": "hardened", "seed": 0, "case": "pgd", "perturbation": "pgd", "norm": "linf", "eps": 8 / 255}


def add(folder, *rows):
    results = tables.read_results(folder / "results.csv")
    rows = [{**SAME, "suite": "quick", "n": 40, **row} for row in rows]
    tables.write_results(tables.table(pd.concat([results, pd.DataFrame(rows)]), tables.RESULTS), folder / "results.csv")


def row(group, **more):
    return {"metric": "difference", "subset": group, "unit": "proportion", **more}


def section(text):
    return text.partition('id="comparisons"')[2].partition("</section>")[0]


@pytest.mark.slow
def test_differences_stand_with_their_bound_their_verdict_and_the_test_beside_them(folder, document):
    add(
        folder,
        row("top1 vs lenet5", value=-0.0125, ci_low=-0.034, bound="no worse than lenet5 by 0.02", passed=False),
        {"metric": "mcnemar", "subset": "top1 vs lenet5", "value": 0.0414, "unit": "p"},
        {"metric": "reliability", "subset": "", "value": 1.0},
        row("nll vs ./base", unit="nats", value=0.5, ci_high=0.625, bound="no worse than ./base by 1", passed=True),
        row("recall[Coat] vs ./base", value=np.nan, n=0, bound="no worse than ./base by 0", passed=None),
    )
    (folder / "suite.toml").unlink()  # which asks for none of these
    page = report.write(folder)
    part, text = section(page.read_text()), document(page).text
    first, second, third = part.partition("<tbody>")[2].split("</tr>")[:3]
    for words in (
        "hardened",
        "pgd (L∞, ε = 8/255)",
        "top-1 accuracy",
        "-1.2 pp",
        "≥ -3.4 pp",
        "by 2 pp",
        "? undecided",
        "0.041",
    ):
        assert words in first
    for words in ("negative log-likelihood", "./base", "+0.5 nats", "≤ +0.625 nats", "passed", ">–<"):
        assert words in second
    for words in ("recall of Coat", "not judged", ">–<"):
        assert words in third
    assert "2 of 7 bounds missed" in text
    assert "difference of top1 vs lenet5 is -1.2 pp (95 % interval ≥ -3.4 pp, 40 images)" in text
    assert "the suite requires no worse than lenet5 by 2 pp" in text


@pytest.mark.slow
def test_a_suite_without_such_bounds_has_no_such_part(folder):
    text = report.write(folder).read_text()
    assert 'id="comparisons"' not in text and "#comparisons" not in text


@pytest.mark.slow
def test_a_bound_on_the_interval_says_so_and_is_never_undecided(folder, document):
    results = tables.read_results(folder / "results.csv")
    first = results["bound"].ne("").idxmax()
    low = results.loc[first, "ci_low"]
    results.loc[first, ["bound", "passed"]] = [f"low >= {low + 0.001:.6f}", False]
    tables.write_results(results, folder / "results.csv")
    (folder / "suite.toml").unlink()  # whose bound counts
    text = document(report.write(folder)).text
    assert f"interval with its low end ≥ {100 * (low + 0.001):.4f}".rstrip("0")[:40] in text
    (line,) = [line for line in text.splitlines() if "the suite requires interval with its low end" in line]
    assert "undecided" not in line
