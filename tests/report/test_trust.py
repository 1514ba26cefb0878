import pandas as pd

from robust import record, report
from robust.report import trust
from robust.report.folder import read


def doubted(folder):
    """The folder, in which pgd on lenet5 at 8/255 is suspect and on resnet20 reliable."""
    path = folder / "results.csv"
    results = record.read_results(path)
    of = results[(results["case"] == "pgd") & (results["eps"] > 0.02) & (results["metric"] == "nll")]
    rows = []
    for row in of.to_dict("records"):
        word, level = ("suspect", 0.5) if row["model"] == "lenet5" else ("reliable", 1.0)
        rows.append({**row, "metric": "trust", "value": level, "unit": "", "n": 100, "trust": word})
        if word == "suspect":
            rows.append({**rows[-1], "group": "zero_gradients", "value": 0.25, "unit": "proportion"})
            rows.append({**rows[-1], "group": "of_a_later_version", "value": 0.5})
    record.write_results(record.table(pd.concat([results, pd.DataFrame(rows)]), record.RESULTS), path)
    return folder


def test_doubts_come_first_with_their_reasons_and_remedies(folder):
    first, *others = trust.judged(read(doubted(folder)))
    assert (first.model, first.condition, first.verdict, first.n) == ("lenet5", "pgd (L∞, ε = 8/255)", "suspect", "100")
    assert first.doubts[0].words.startswith("no gradient reaches 25.0 % of 100 images")
    assert first.doubts[0].remedy.startswith("attack it with square")
    assert first.doubts[1] == ("of a later version: 50.0 %", "")
    assert {one.verdict for one in others} == {"reliable"} and all(one.doubts == [] for one in others)


def test_the_page_has_the_section_where_there_are_verdicts(folder, document):
    report.write(folder)
    assert "Can these numbers be believed?" not in document(folder / "index.html").text
    report.write(doubted(folder))
    page = document(folder / "index.html")
    assert "Can these numbers be believed?" in page.text and "no gradient reaches 25.0 % of 100 images" in page.text
    assert "#trust" in page.attributes("a", "href")
