"""The sections that the page shows, in their order, and the blocks of third-party ones."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources

import altair as alt
import pandas as pd
from pandas.api.types import is_numeric_dtype

from robust.core import registry
from robust.core.declared import of_section
from robust.core.errors import ReportError
from robust.core.signature import Call
from robust.report import wording
from robust.report.charts import Chart
from robust.report.folder import Folder

GENERIC = "section.html.j2"


@dataclass(frozen=True)
class Shown:
    """A section: the id of its heading, its entry among the links, its template and its content."""

    id: str
    title: str
    template: str
    content: object


@dataclass(frozen=True)
class Text:
    """A sentence or more, shown as plain text: no HTML."""

    text: str
    kind: str = "text"


@dataclass(frozen=True)
class Frame:
    """A DataFrame as the page shows it."""

    heads: list[str]
    rows: list[list[str]]
    numeric: list[bool]
    kind: str = "table"


@dataclass(frozen=True)
class Figure(Chart):
    """An Altair chart of a third-party section."""

    kind: str = "chart"


def sections(folder: Folder, third_party: Iterable[Call] = ()) -> list[Shown]:
    """Every section with content: built-in and third-party ones, in the order that their `after` gives."""
    calls = [Call("sections", name) for name in registry.names("sections")]
    shown = [section(folder, call) for call in ordered([*calls, *third_party])]
    return [one for one in shown if one.content]


def ordered(calls: Sequence[Call]) -> list[Call]:
    """Each after the one that it names in `after`; those that name none, or one that does not exist, in their order.

    >>> names = [call.name for call in ordered([Call("sections", n) for n in ("sizes", "comparisons", "diagnostics")])]
    >>> names
    ['sizes', 'diagnostics', 'comparisons']
    """
    names = {call.name for call in calls}
    after = {call.name: of_section(call.name).after for call in calls}
    found: list[Call] = []

    def place(call: Call) -> None:
        found.append(call)
        for other in calls:
            if after[other.name] == call.name and other not in found:
                place(other)

    for call in calls:
        if after[call.name] not in names and call not in found:
            place(call)
    return [*found, *(call for call in calls if call not in found)]


def section(folder: Folder, call: Call) -> Shown:
    """One section; an error in a third-party one is shown in its place, and does not stop the page."""
    title, template = of_section(call.name).title, f"sections/{call.name}.html.j2"
    if (resources.files("robust.report") / "templates" / template).is_file():
        return Shown(call.name, title, template, call(folder))
    try:
        content = [block(value, call.name) for value in call(folder) or ()]
    except Exception as error:  # whatever third-party code raises
        content = [Text(f"{call.name} could not be drawn: {type(error).__name__}: {error}")]
    return Shown(re.sub(r"\W", "-", call.name), title, GENERIC, content)


def block(value: object, name: str) -> Text | Frame | Figure:
    """A value that a third-party section yields, as the page shows it.

    Raises ReportError for anything but a sentence, a DataFrame or an Altair chart.

    >>> block(pd.DataFrame({"model": ["net"], "top1": [0.5]}), "mine").rows
    [['net', '0.5']]
    """
    if isinstance(value, str):
        return Text(value)
    if isinstance(value, pd.DataFrame):
        numeric = [is_numeric_dtype(value[column]) for column in value]
        return Frame([str(column) for column in value], [[_text(v) for v in row] for row in value.values], numeric)
    if isinstance(value, alt.TopLevelMixin):
        return Figure(name, f"A chart of {name}", value.to_dict())
    raise ReportError(f"{name}: a section yields sentences, DataFrames and Altair charts, not {type(value).__name__}")


def _text(value: object) -> str:
    return wording.number(value) if isinstance(value, int | float) else str(value)
