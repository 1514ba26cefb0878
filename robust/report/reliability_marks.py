"""The mark of an unreliable number next to a name: one rule for every section that shows numbers of a model."""

from functools import reduce

import pandas as pd
from markupsafe import Markup, escape

from robust.results.flags import doubted, worse


class Named(str):
    """A name, or a title, with the worst reliability of the numbers that are shown with it."""

    __slots__ = ("reliability",)
    reliability: str


def named(name: str, *rows: pd.DataFrame | None) -> Named:
    """The name of a model, or the title of a card, and the rows of results.csv whose numbers are shown with it.

    >>> named("net", pd.DataFrame({"reliability": ["", "suspect", "reliable"]})).reliability
    'suspect'
    """
    found = Named(name)
    found.reliability = reduce(
        worse, (word for each in rows if each is not None for word in each["reliability"].unique()), ""
    )
    return found


def marked(name: str) -> Markup:
    """The same as HTML, with a mark where the numbers are not reliable.

    >>> marked(named("<net>", pd.DataFrame({"reliability": ["invalid"]})))
    Markup('&lt;net&gt; <span class="mark missed">invalid</span>')
    """
    word = getattr(name, "reliability", "")
    mark = Markup(' <span class="mark missed">{}</span>').format(word) if doubted(word) else Markup()
    return escape(name) + mark
