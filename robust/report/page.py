"""Put the page together: what the folder says, through the template, into one file."""

import base64
import hashlib
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import altair
import jinja2
import vl_convert
from markupsafe import Markup

from robust import files
from robust.report import charts, confusion, gallery, grid, values, verdict, wording
from robust.report.folder import Folder, read

CELLS = 60_000  # of all confusion matrices together, so that the page opens at once


def write(path: Path) -> Path:
    """Draw `index.html` from the folder; see `robust.report.write`."""
    return files.write(path / "index.html", render(read(path)).encode("utf-8", "replace"))


def render(folder: Folder) -> str:
    """The page as text."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("robust.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.policies["json.dumps_kwargs"] = {"sort_keys": True, "allow_nan": False}
    return environment.get_template("page.html.j2").render(**_context(folder), **_assets())


def _context(folder: Folder) -> dict[str, Any]:
    judged = verdict.judgements(folder)
    listed = values.listed(folder.results)
    return {
        "about": folder.environment,
        "suite": folder.suite,
        "headline": verdict.headline(judged),
        "judgements": judged,
        "suspect": _suspect(folder),
        "accuracy": grid.accuracy(folder, judged),
        "costs": grid.costs(folder),
        "curves": charts.curves(folder),
        "confusions": _confusions(folder),
        "galleries": gallery.galleries(folder),
        "wording": wording,
        "enlarged": _enlarged(folder.environment["data"]["image_shape"]),
        "columns": values.columns(listed),
        "values": values.rows(listed),
        "left_out": len(folder.results) - len(listed),
    }


def _suspect(folder: Folder) -> list[dict[str, str]]:
    """The cells whose number the trust checks doubt."""
    return [
        {"place": f"{folder.name(run)} on {wording.title(condition)}", "trust": trust}
        for (run, condition), rows in folder.values.items()
        for trust in rows["trust"].unique()
        if trust not in ("", "reliable")
    ]


def _confusions(folder: Folder) -> dict[str, list[dict[str, Any]]]:
    """For each model its matrices and worst pairs; no matrix where the classes or the cells are too many."""
    cards: dict[str, list[dict[str, Any]]] = {}
    cells = 0
    for one in confusion.confusions(folder):
        cells += len(one.counts)
        drawn = len(folder.classes) <= charts.DRAWN and cells <= CELLS
        card = {
            "title": wording.title(one.condition),
            "right": one.right,
            "images": one.images,
            "chart": charts.matrix(one, folder.classes) if drawn else None,
            "pairs": one.worst(3 if drawn else 10).to_dict("records"),
        }
        cards.setdefault(one.model, []).append(card)
    return cards


def _enlarged(shape: list[int]) -> int:
    """How wide a picture is shown, in pixels of the page: small images in whole steps."""
    side = max(shape[:2])
    return shape[1] * max(1, round(84 / side)) if side <= gallery.SMALL else 128


@cache  # the bundle takes a second to make
def _assets() -> dict[str, Any]:
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
