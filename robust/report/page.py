"""Render the page: the contents of the folder, through the template, into one file."""

from collections.abc import Iterable
from pathlib import Path

from robust.core import files
from robust.core.signature import Call
from robust.core.types import NewTable
from robust.report import accuracy_tables, blocks, bound_states, diagnostics, gallery, html, markdown, values, wording
from robust.report.folder import Folder, read
from robust.results.flags import doubted


def write(path: Path, sections: Iterable[Call] = ()) -> Path:
    """Render `index.html`, and `summary.md`, from the folder; see `robust.report.write`."""
    folder = read(path)
    markdown.write(folder, path / "summary.md")
    return files.write(path / "index.html", render(folder, sections).encode("utf-8", "replace"))


def render(folder: Folder, sections: Iterable[Call] = ()) -> str:
    """The page as text, with third-party sections."""
    return html.render("page.html.j2", _context(folder, [*sections]))


def _context(folder: Folder, sections: list[Call]) -> NewTable:
    judged = bound_states.judgements(folder)
    listed = values.listed(folder.results)
    shown, drawn = blocks.sections(folder, sections), {call.name for call in sections}
    return {
        **{one.id: one.content for one in shown if one.template != blocks.GENERIC},
        "sections": shown,
        "elsewhere": [name for name in folder.environment.get("sections", []) if name not in drawn],
        "about": folder.environment,
        "suite": folder.suite,
        "headline": bound_states.headline(judged),
        "judgements": judged,
        "taken": bound_states.taken(judged),
        "changes": folder.changes,
        "failed": [(f"{case} on {folder.name(run)}", why) for (run, case), why in folder.failed.items()],
        "suspect": suspect(folder),
        "checked": any(one.id == diagnostics.diagnostics.__name__ for one in shown),
        "accuracy": accuracy_tables.accuracy(folder, judged),
        "costs": accuracy_tables.costs(folder),
        "wording": wording,
        "enlarged": enlarged(folder.environment["data"]["image_shape"]),
        "columns": values.columns(listed),
        "values": values.rows(listed),
        "left_out": len(folder.results) - len(listed),
    }


def suspect(folder: Folder) -> list[dict[str, str]]:
    """The cells whose number is not reliable by the checks."""
    return [
        {"place": f"{folder.name(run)} on {wording.title(condition)}", "reliability": word}
        for (run, condition), rows in folder.values.items()
        for word in rows["reliability"].unique()
        if doubted(word)
    ]


def enlarged(shape: list[int]) -> int:
    """How wide a picture is shown, in pixels of the page: small images in whole steps."""
    side = max(shape[:2])
    return shape[1] * max(1, round(84 / side)) if side <= gallery.SMALL else 128
