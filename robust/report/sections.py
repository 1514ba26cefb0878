"""The sections of the page.

The contract: `section(folder) -> content`, where `folder` is a `robust.report.folder.Folder`; what is empty or None is
left out. Built-in ones are rendered by `templates/sections/NAME.html.j2`, with their content under the same name. The
content of any other is a list of what the page shows in order: sentences, DataFrames and Altair charts.

The decorator `@section(title=..., after=...)` gives its entry among the links at the top, and the section before it.
"""

from typing import TYPE_CHECKING

from robust.core import registry

if TYPE_CHECKING:
    from robust.report.accuracy_tables import sizes as sizes
    from robust.report.charts import curves as curves
    from robust.report.clusters import clusters as clusters
    from robust.report.comparisons import comparisons as comparisons
    from robust.report.corruptions import corruptions as corruptions
    from robust.report.diagnostics import diagnostics as diagnostics
    from robust.report.distances import distances as distances
    from robust.report.flows import flows as flows
    from robust.report.gallery import pictures as pictures
    from robust.report.gradients import gradients as gradients
    from robust.report.matrices import confusion as confusion
    from robust.report.published_errors import published as published
    from robust.report.structure import calibration as calibration
    from robust.report.structure import outliers as outliers
    from robust.report.structure import structure as structure
    from robust.report.success_by import success_by as success_by
    from robust.report.targetability import targetability as targetability
    from robust.report.trainings import trainings as trainings

registry.contents(__name__)
