"""A template and its context, rendered as one file of HTML that works offline."""

import base64
import hashlib
from functools import cache
from importlib import resources

import altair
import jinja2
import vl_convert
from markupsafe import Markup

from robust.core.types import NewTable, Table
from robust.report.reliability_marks import marked


def render(template: str, context: Table) -> str:
    """The page as text: a template of `robust/report/templates`, filled; style and scripts are inline."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("robust.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["marked"] = marked
    environment.policies["json.dumps_kwargs"] = {"sort_keys": True, "allow_nan": False}
    return environment.get_template(template).render(**context, **assets())


@cache  # the bundle takes a second to make
def assets() -> NewTable:
    """Style and scripts, all inline; nothing but exactly these scripts may run in the page."""
    templates = resources.files("robust.report") / "templates"
    script = (templates / "page.js").read_text(encoding="utf-8")
    version = ".".join(altair.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    scripts = [vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", version), script]
    return {
        "style": Markup((templates / "page.css").read_text(encoding="utf-8")),
        "scripts": [Markup(text) for text in scripts],
        "hashes": Markup(" ".join(f"'sha256-{_digest(text)}'" for text in scripts)),
    }


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
