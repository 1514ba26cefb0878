"""Verdicts where a user meets them: the table, the line of a cell, a failing test, the page."""

import pandas as pd
import pytest

import robust
from robust.core.errors import SuiteError
from robust.core.progress import Silent
from robust.core.store import Store
from robust.engine import recording
from robust.engine.session import Session
from robust.suite import load

SUITE = """
data = { name = "fashion_mini" }

[model.small]
architecture = { name = "lenet5", width = 0.5 }
train = { recipe = "short", epochs = 1 }

[case.clean]
max_images = 100

[case.sound]
attack = { name = "pgd", eps = ["2/255", "8/255"] }
max_images = 100
expect = { reliability = ">= 1" }

[case.slow]
attack = { name = "pgd", eps = "16/255", step_size = "1/2550" }
max_images = 100
expect = { top1 = "<= 0.1", reliability = ">= 1" }

[case.square]
attack = { name = "square", eps = "16/255", n_queries = 200 }
max_images = 100
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory, remembering):
    path, said = tmp_path_factory.mktemp("suites") / "s.toml", remembering()
    path.write_text(SUITE)
    store = Store(tmp_path_factory.mktemp("store"))
    out = tmp_path_factory.mktemp("out")
    return path, store, out, robust.run(path, out, store=store, progress=said), said.lines


@pytest.mark.slow
def test_every_row_of_an_attack_has_its_verdict_and_no_other_row(ran):
    table = ran[3]
    words = {key: set(rows["reliability"]) for key, rows in table.fillna({"eps": 0}).groupby(["case", "eps"])}
    assert words == {
        ("clean", 0): {""},
        ("sound", 2 / 255): {"reliable"}, ("sound", 8 / 255): {"reliable"},
        ("slow", 16 / 255): {"suspect"}, ("square", 16 / 255): {"suspect"},  # pgd leaves far fewer than 200 queries
    }  # fmt: skip


@pytest.mark.slow
def test_the_verdict_is_a_value_that_a_bound_is_held_against(ran):
    table = ran[3]
    level = robust.value(table, "reliability", case="slow")
    assert (level.value, level.passed, level.n) == (0.5, False, 100)
    assert [robust.value(table, "reliability", case="sound", eps=e).passed for e in ("2/255", "8/255")] == [True, True]


@pytest.mark.slow
def test_its_reasons_are_rows_and_one_comes_from_another_case(ran):
    rows = ran[3].query("metric == 'reliability' and case == 'slow' and subset != ''").set_index("subset")
    assert "incomplete" in rows.index and "black_box_stronger" in rows.index
    outcomes = pd.read_parquet(ran[2] / "outcomes.parquet").set_index("example")
    is_adv = {c: (part.label != part.predicted) for c, part in outcomes.groupby("case")}
    assert rows.value["black_box_stronger"] == pytest.approx((is_adv["square"] & ~is_adv["slow"]).mean())


@pytest.mark.slow
def test_the_checks_are_no_part_of_what_the_attack_cost(ran):
    assert (ran[3].query("case == 'sound'").n_forward <= 41).all()  # two runs of 20 steps and a last look


@pytest.mark.slow
def test_the_line_of_a_cell_and_a_failing_test_say_so(ran):
    path, store, _, _, lines = ran
    (line,) = [line for line in lines if line.startswith("slow")]
    assert line.endswith("at eps 16/255 (suspect: incomplete)") or "(suspect: incomplete, " in line
    assert "suspect" not in next(line for line in lines if line.startswith("sound"))
    session = Session(load(path), store, Silent())
    cell = next(cell for cell in session.suite.evaluations() if cell.case.name == "slow")
    missed = recording.missed(session.suite, cell, session.find(cell))
    assert len(missed) == 2 and all("on small) (suspect: incomplete" in line for line in missed)
    assert missed[1].startswith("reliability 0.5 is not >= 1 (100 images, pgd at eps 16/255")


@pytest.mark.slow
def test_the_run_ends_with_how_many_are_in_doubt(ran):
    assert recording.doubted(ran[3]) == "2 numbers are suspect; the page gives the reasons"
    assert recording.doubted(ran[3].query("case == 'sound'")) == ""


@pytest.mark.slow
def test_the_page_says_why(ran):
    page = (ran[2] / "index.html").read_text()
    assert "Reliability of these numbers" in page and "give it more steps, as in" in page


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "max_images = 100\n\n[case.sound]",
            'expect = { reliability = ">= 1" }\n\n[case.sound]',
            "has no metric 'reliability'",
        ),
        ('{ reliability = ">= 1" }', '{ "reliability[incomplete]" = "<= 0" }',
         "reliability is one value, of all images"),
    ],
)  # fmt: skip
def test_a_bound_on_trust_needs_an_attack_and_speaks_of_the_verdict(tmp_path, old, new, message):
    (tmp_path / "s.toml").write_text(SUITE.replace(old, new, 1))
    with pytest.raises(SuiteError, match=message):
        Session(load(tmp_path / "s.toml"), Store(tmp_path), Silent())
