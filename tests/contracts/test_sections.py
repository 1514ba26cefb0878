"""The exam of every section of the page: it says where it stands, and it shows what it found or is left out."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import robust
from robust.core import declared, registry
from robust.core.signature import Call
from robust.report import blocks, page
from robust.report.folder import read

NAMES = registry.names("sections")
every = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, build, problem):
    """What `robust.evaluate` has filled for a toy model, with an attack at two strengths."""
    out, data = tmp_path_factory.mktemp("sections"), problem(40)
    metrics = ["accuracy", "confusion", "calibration"]
    robust.evaluate(build(), (data.images, data.labels), ["fgsm"], eps=[0.02, 0.1], metrics=metrics, out=out)
    return read(out)


@pytest.mark.slow_after_first
@every
def test_it_shows_something_or_nothing(name, folder):
    shown = blocks.section(folder, Call("sections", name))
    assert shown.id == name and shown.title == declared.of_section(name).title
    drawn = page.render(folder)
    assert (f'<section id="{name}"' in drawn) == bool(shown.content) == (f'<a href="#{name}">' in drawn)


@every
def test_an_empty_folder_has_none(name, folder):
    nothing = replace(folder, results=folder.results.iloc[:0], outcomes={}, samples={})
    assert not blocks.section(nothing, Call("sections", name)).content


@every
def test_its_title_and_its_place_are_its_own(name):
    about = {other: declared.of_section(other) for other in NAMES}
    assert [one.title for one in about.values()].count(about[name].title) == 1
    assert about[name].after in {"", *NAMES} - {name}


def test_each_stands_behind_the_one_it_names():
    order = [call.name for call in blocks.ordered([Call("sections", name) for name in NAMES])]
    assert sorted(order) == NAMES
    for name in NAMES:
        assert (after := declared.of_section(name).after) == "" or order.index(after) < order.index(name)


def test_what_others_yield_is_shown_as_text_tables_and_charts():
    import altair as alt

    frame = pd.DataFrame({"model": ["<b>"], "top1": [0.5]})
    text, table, chart = (blocks.block(each, "x") for each in ("a & b", frame, alt.Chart(frame).mark_bar()))
    assert (text.kind, table.kind, chart.kind) == ("text", "table", "chart")
    assert (table.heads, table.rows, table.numeric) == (["model", "top1"], [["<b>", "0.5"]], [False, True])
    with pytest.raises(robust.RobustError, match="DataFrames and Altair charts, not ndarray"):
        blocks.block(np.zeros(3), "x")
