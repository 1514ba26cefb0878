"""The sections of the page.

The contract: `section(folder) -> content`, where `folder` is a `robust.report.folder.Folder`; what is empty or None is
left out. Ours are drawn by `templates/sections/NAME.html.j2`, with their content under the same name. The content of
any other is a list of what the page shows one after the other: sentences, DataFrames and Altair charts.

Beside each stands `@section(title=..., after=...)`: its entry among the links at the top, and the section before it.
"""

from typing import TYPE_CHECKING

from robust.core import registry

if TYPE_CHECKING:
    from robust.report.charts import curves
    from robust.report.clusters import clusters
    from robust.report.comparisons import comparisons
    from robust.report.corruptions import corruptions
    from robust.report.diagnostics import diagnostics
    from robust.report.distances import distances
    from robust.report.felled import felled
    from robust.report.flows import flows
    from robust.report.gallery import pictures
    from robust.report.gradients import gradients
    from robust.report.grid import sizes
    from robust.report.matrices import confusion
    from robust.report.published_errors import published
    from robust.report.structure import calibration, outliers, structure
    from robust.report.targetability import targetability
    from robust.report.trainings import trainings

__all__ = [
    "calibration",
    "clusters",
    "comparisons",
    "confusion",
    "corruptions",
    "curves",
    "diagnostics",
    "distances",
    "felled",
    "flows",
    "gradients",
    "outliers",
    "pictures",
    "published",
    "sizes",
    "structure",
    "targetability",
    "trainings",
]
registry.contents(__name__)
