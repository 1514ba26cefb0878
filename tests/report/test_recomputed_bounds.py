"""What a forger may write into a report folder is not believed: `reliability`, `bound`, `passed`, a share of 1.7."""

import json

import numpy as np
import pandas as pd
import pytest

from robust import report
from robust.api.cli.report import report as command
from robust.core.errors import ReportError
from robust.core.statistics import clopper_pearson
from robust.report import bound_states
from robust.report.folder import read
from robust.results import tables
from robust.results.summaries import comparison
from robust.suite.bounds import parse

ATTACKED = """[case.pgd]
attack = { name = "pgd", eps = ["2/255", "8/255"] }
models = ["hardened"]
expect = { top1 = ">= 0.3", reliability = ">= 0.5" }
"""


def asked(suite):
    """The suite of the folder with bounds on the attack, and a lower one on clean images."""
    found = suite.replace(">= 0.8", ">= 0.7").replace("[case.pgd]\n", ATTACKED)
    return found.replace('expect = { top1 = ">= 0.95" }\n', "")


@pytest.fixture
def gate(folder, monkeypatch):
    """`gate(change)`: the exit code of `robust report`, after the rows of results.csv were changed.

    The page is drawn where a test reads it only.
    """
    draw = report.write
    own = asked((folder / "suite.toml").read_text())
    path = folder / "results.csv"
    results = tables.read_results(path)
    of = (results["case"] == "pgd") & (results["model"] == "hardened") & (results["metric"] == "nll")
    checked = results[of].assign(metric="reliability", value=1.0, unit="", reliability="reliable")
    results = pd.concat([results, checked])
    results.loc[results["case"].isin(["clean", "pgd"]) & (results["metric"] == "top1"), "reliability"] = "reliable"

    def gate(change=lambda table: table, suite=own, *, page=False):
        monkeypatch.setattr(report, "write", draw if page else lambda folder, _: folder / "index.html")
        (folder / "suite.toml").write_text(suite)
        tables.write_results(tables.table(change(results.copy()), tables.RESULTS), path)
        return command(folder)

    gate.folder, gate.suite = folder, own
    return gate


def reasons(*names, eps=8 / 255):
    """Rows of the reliability checks on the hardened model, with the column `reliability` forged: reliable."""

    def change(table):
        of = table[(table["metric"] == "reliability") & np.isclose(table["eps"].astype(float), eps)].iloc[0].to_dict()
        more = [{**of, "subset": name, "value": 0.5, "unit": "proportion"} for name in names]
        return pd.concat([table, pd.DataFrame(more)])

    return change


def top1(table):
    return (table["metric"] == "top1") & (table["case"] == "pgd") & (table["model"] == "hardened")


@pytest.mark.slow
def test_an_honest_folder_passes(gate, capsys):
    assert gate() == 0
    assert "7 of 7 bounds passed" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("unbounded_fails", 1, "unsupported: hardened on pgd (L∞, ε = 8/255): top-1 accuracy is"),
        ("too_few_steps", 0, "passed: hardened on pgd (L∞, ε = 8/255): top-1 accuracy is"),
        ("of_a_later_version", 0, "passed: hardened on pgd (L∞, ε = 8/255): top-1 accuracy is"),
        ("wrong_preprocessing", 1, "unsupported: hardened on pgd (L∞, ε = 8/255): top-1 accuracy is"),
    ],
)
def test_the_verdict_follows_from_the_recorded_checks(gate, capsys, name, code, says):
    assert gate(reasons(name), page=True) == code
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith(says))
    assert line.endswith("(invalid)" if code else "(suspect)")
    page = (gate.folder / "index.html").read_text()
    beside = f'<span class="mark missed">{"invalid" if code else "suspect"}</span>'
    mark = "⊘ unsupported" if code else "✓ passed"
    assert page.count(f"{mark}</span> {beside}") == (2 if code else 4), "of each bound in the verdict and in the table"


@pytest.mark.slow
def test_a_bound_on_the_verdict_is_held_against_the_verdict_computed_anew(gate, capsys):
    assert gate(reasons("unbounded_fails")) == 1
    assert "missed: hardened on pgd (L∞, ε = 8/255): reliability is 0" in capsys.readouterr().out


@pytest.mark.slow
def test_who_allows_it_may_pass_on_it(gate):
    allowing = gate.suite.replace('reliability = ">= 0.5" }', "allow_invalid = true }")
    assert gate(reasons("unbounded_fails"), allowing) == 0


@pytest.mark.slow
def test_checks_that_are_not_on_record_support_nothing(gate, capsys):
    assert gate(lambda table: table[table["metric"] != "reliability"]) == 1
    said = capsys.readouterr().out
    assert said.count("unsupported: hardened on pgd") == 2 and "(unverified)" in said
    assert "absent: hardened on pgd" in said, "the bound on the reliability itself"


@pytest.mark.parametrize("whole", [False, True], ids=["without suite.toml", "with it"])
def test_an_attack_is_known_by_its_own_row(gate, capsys, whole):
    """Neither the checks nor the suite say that the images were attacked; norm, radius and name of the row do."""

    def change(table):
        table = table[table["metric"] != "reliability"].assign(reliability="")
        return table.assign(bound=table["bound"].where(~top1(table), ">= 0.3"), passed=True)

    attack = 'attack = { name = "pgd", eps = ["2/255", "8/255"] }'
    suite = gate.suite.replace(attack, "").replace(', reliability = ">= 0.5"', "") if whole else ""
    assert gate(change, suite) == 1
    assert capsys.readouterr().out.count("unsupported: hardened on pgd") == 2


@pytest.mark.slow
def test_a_worse_verdict_on_record_stands(gate):
    def change(table):
        return table.assign(reliability=table["reliability"].where(~top1(table), "invalid"))

    assert gate(change) == 1


@pytest.mark.slow_after_first
@pytest.mark.parametrize("bound", ["", ">= 0.01", "<= 1"])
def test_the_bound_is_that_of_the_suite(gate, capsys, bound):
    def change(table):
        return table.assign(bound=table["bound"].where(~top1(table), bound), passed=True)

    assert gate(change, gate.suite.replace('">= 0.3"', '">= 0.99"')) == 1
    assert capsys.readouterr().out.count("missed: hardened on pgd") == 2


@pytest.mark.slow
def test_passed_is_computed_anew(gate):
    assert gate(lambda table: table.assign(passed=False)) == 0
    judged = read(gate.folder).results
    assert set(judged.loc[judged["bound"] != "", "passed"]) == {True}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lost", "said"),
    [
        (
            lambda t: t[~((t["metric"] == "top1") & (t["case"] == "clean") & (t["model"] == "lenet5"))],
            "lenet5 on clean",
        ),
        (lambda t: t[~(top1(t) & (t["eps"] > 0.02))], "hardened on pgd"),
        (lambda t: t[t["model"] != "resnet20"], "resnet20 on clean"),
    ],
    ids=["a case", "one of two strengths", "a model"],
)
def test_a_bound_without_its_row_is_not_passed(gate, capsys, lost, said):
    assert gate(lost, page=True) == 1
    assert f"absent: {said}: the suite requires top1" in capsys.readouterr().out
    page = (gate.folder / "index.html").read_text()
    assert "∅ absent" in page and "Not every bound was judged" in page and "1 absent" in page


@pytest.mark.slow
def test_a_bound_whose_row_was_taken_away_at_one_strength_is_absent(gate, capsys):
    asked = gate.suite.replace('reliability = ">= 0.5"', 'reliability = ">= 0.5", "recall[Coat]" = ">= 0"')
    gate(suite=asked)
    assert "absent" not in capsys.readouterr().out

    def lost(table):
        coats = (table["metric"] == "recall") & (table["subset"] == "Coat") & (table["model"] == "hardened")
        return table[~(coats & (table["case"] == "pgd") & (table["eps"] > 0.02))]

    assert gate(lost, asked) == 1
    assert "absent: hardened on pgd: the suite requires recall[Coat]" in capsys.readouterr().out


@pytest.mark.slow
def test_a_bound_that_was_added_to_the_suite_is_absent(gate, capsys):
    asked = gate.suite.replace(
        "[case.fgsm]\n", '[case.fgsm]\nmodels = ["lenet5"]\nexpect = { "recall[Boot]" = "> 0" }\n'
    )
    assert gate(suite=asked) == 1
    assert "absent: lenet5 on fgsm: the suite requires recall[Boot]" in capsys.readouterr().out
    assert gate(suite=asked.replace("Boot", "Coat")) in (0, 1), "which is there"
    assert "absent" not in capsys.readouterr().out


@pytest.mark.slow_after_first
@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("value", 1.7, r"results.csv: pgd\[hardened\] top1: value is 1.7, and must be in \[0, 1\]"),
        ("value", -0.1, "value is -0.1"),
        ("ci_high", np.inf, "high is inf"),
        ("ci_low", 0.99, "its interval ends at .*, before it begins at 0.99"),
        ("value", 0.999, "top1 is 0.999 of .*, and .* by outcomes.parquet"),
        ("value", np.nan, "top1 is nan of .*, and .* by outcomes.parquet"),
        ("n", 100_000, "of 100000 images, and .* by outcomes.parquet"),
        ("ci_low", 0.0001, "top1: ci_low is 0.0001, and .* by outcomes.parquet"),
        ("ci_high", 1.0, "top1: ci_high is 1, and .* by outcomes.parquet"),
    ],
)
def test_a_value_that_cannot_be_is_refused(gate, column, value, says):
    def change(table):
        return table.assign(**{column: table[column].where(~top1(table), value)})

    with pytest.raises(ReportError, match=says):
        gate(change)


@pytest.mark.slow
@pytest.mark.parametrize(("metric", "group"), [("top1_error", ""), ("recall", "Shirt")])
def test_every_share_that_the_outcomes_count_is_counted_again(gate, metric, group):
    """Right is what the outcomes give; a hundredth more is refused."""

    def change(table, more=0.0):
        told = read(gate.folder).outcomes
        outcomes = next(of for (run, what), of in told.items() if (run.model, what.case) == ("lenet5", "clean"))
        of = outcomes if metric == "top1_error" else outcomes[outcomes["label"] == group]
        hits = (of["label"] == of["predicted"]) == (metric == "recall")
        ends = clopper_pearson(int(hits.sum()), len(hits))
        row = table[(table["model"] == "lenet5") & (table["case"] == "clean") & (table["metric"] == "top1")].iloc[:1]
        share = {"value": hits.mean() + more, "ci_low": ends[0], "ci_high": ends[1], "n": len(hits), "bound": ""}
        own = (table["model"] == "lenet5") & (table["metric"] == metric) & (table["subset"] == group)
        return pd.concat([table[~own], row.assign(metric=metric, subset=group, **share)])

    assert gate(change) == 0
    with pytest.raises(ReportError, match=rf"lenet5\] {metric}.* by outcomes.parquet"):
        gate(lambda table: change(table, 0.01))


def differences(folder):
    """The rows that the bound of the hardened model against lenet5 gives."""
    asked, text = tables.read_outcomes(folder / "outcomes.parquet"), "no worse than lenet5 by 1"
    ours, theirs = (asked[(asked["model"] == model) & (asked["case"] == "pgd")] for model in ("hardened", "lenet5"))
    same = {
        "model": "hardened",
        "seed": 0,
        "case": "pgd",
        "data": "fake",
        "weights_sha": "abc",
        "reliability": "reliable",
    }
    for row in comparison.judged("top1", parse(text), ours, theirs, {}, same=True):
        yield {**same, **row}


@pytest.mark.slow
def test_what_compares_two_models_is_as_doubtful_as_the_worse(gate, capsys):
    asked = gate.suite.replace('">= 0.3", reliability = ">= 0.5"', '"no worse than lenet5 by 1"')
    asked = asked.replace('["hardened"]', '["hardened", "lenet5"]')

    def change(table):
        table = reasons("unbounded_fails")(table)
        table = table.assign(model=table["model"].where(table["metric"] != "reliability", "lenet5"))
        own = table[table["metric"] == "reliability"].assign(model="hardened", reliability="reliable")
        return pd.concat([table, own[own["subset"] == ""], pd.DataFrame(differences(gate.folder))])

    assert gate(change, asked) == 1
    said = capsys.readouterr().out
    assert "unsupported: hardened on pgd (L∞, ε = 8/255)" in said and "(invalid)" in said
    assert "hardened on pgd (L∞, ε = 2/255)" not in said, "there it passes"


@pytest.mark.parametrize("expect", ["1", "[1]", "{ top1 = 1 }", '{ top1 = "=> 1" }'])
def test_expectations_that_cannot_be_read_are_refused(gate, expect):
    with pytest.raises(ReportError, match=r"suite.toml: "):
        gate(suite=gate.suite.replace('{ top1 = ">= 0.7" }', expect))


@pytest.mark.slow
def test_the_record_of_a_folder_without_bounds_has_no_gate(folder, capsys):
    (folder / "suite.toml").write_text('[model.lenet5]\narchitecture = "lenet5"\n[case.clean]\n')
    assert command(folder) in (0, 1)
    known = json.loads((folder / "environment.json").read_text())
    assert known["suite"] == "quick" and bound_states.headline([]) == "Measured without bounds"
    assert report.of_architectures(folder) is False
