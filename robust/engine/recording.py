"""Filling the report folder from finished blocks: both tables, the samples, the provenance, the page."""

import functools
import json
import os
import platform
import re
import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import tensorflow as tf

from robust.attacks import diagnostics
from robust.core import csv_files, files, interface
from robust.core.errors import SuiteError, located
from robust.core.types import NewRow, NewTable, Row
from robust.datasets.dataset import Dataset
from robust.report import page
from robust.results import messages, paired_bounds, reliability, samples
from robust.results import tables as record
from robust.results.evaluation import proportion, unsure
from robust.results.flags import verdict, worse
from robust.results.messages import strength, value_with_interval
from robust.results.summaries.corruption_error import BESIDE, corruption_errors
from robust.results.summaries.earlier import one_model, source_key
from robust.results.summaries.pairing import STRENGTH, by_strength
from robust.suite import Evaluation, Suite, bounds
from robust.suite.bounds import Bound

Found = list[tuple[Evaluation, Path]]
_SAMPLE = re.compile(r"\d{4,}\.npz")
_SAMPLES = ["file", "model", "seed", "case", "perturbation", "norm", "eps", "severity"]
_PACKAGES = ("tensorflow", "keras", "tensorflow-datasets", "foolbox", "numpy", "pandas")


def fill(
    out: Path, suite: Suite, data: Dataset, found: Found, notes: Iterable[str] = (), given: str = ""
) -> pd.DataFrame:
    """Write results.csv, outcomes.parquet, samples/, suite.toml, environment.json and index.html.

    notes: what was passed by or guessed when the data was read. given: its fingerprint as it was given, by which
    reports are compared: whether a validation split was then taken off its train changes no test image.
    """
    tables = [_outcomes(cell, block).assign(searched=cell.case.minimal is not None) for cell, block in found]
    outcomes = pd.concat(tables)
    doubts = [*diagnostics.black_box_beats(outcomes), *diagnostics.shorter_elsewhere(outcomes)]
    judged = [row for cell, block in found for row in rows(suite, cell, block, _about(cell, doubts))]
    finished = {cell.id: block for cell, block in found}
    for cell, _ in found:
        judged += compared(suite, data, cell, lambda other: finished.get(other.id), out, doubts)
    results = record.table(judged, record.RESULTS)
    summed = [{**row, "reliability": _worst(row, found)} for row in summed_up(suite, data, results, outcomes)]
    results = record.table([*judged, *summed], record.RESULTS)
    record.write_outcomes(record.table(outcomes, record.OUTCOMES), out / "outcomes.parquet")
    write_samples(out / "samples", found)
    samples.write(out / "samples", found)
    if suite.text:
        files.write(out / "suite.toml", suite.text)
    environment = _environment(suite, data, found, notes, given or data.fingerprint)
    files.write(out / "environment.json", json.dumps(environment, indent=2))
    record.write_results(results, out / "results.csv")
    page.write(out, suite.sections)
    return results


def summed_up(suite: Suite, data: Dataset, results: pd.DataFrame, outcomes: pd.DataFrame) -> list[NewRow]:
    """What only the whole table tells."""
    alike = len(data.classes) == 1000 and data.image_shape[:2] == (224, 224)
    imagenet = data.name if alike and re.split("[/:]", data.name)[0] == "imagenet2012" else ""
    baselines = {case.name: case.baseline for case in suite.cases if case.baseline}
    return corruption_errors(results, outcomes, baselines, imagenet)


def _worst(row: Row, found: Found) -> str:
    """The verdict on every number of the model that a row speaks of, and of the baseline in whose errors it is told."""
    whose = [(cell, _whose(cell), block) for cell, block in found if cell.case.name == row["case"]]
    own = [block for _, of, block in whose if all(row[k] == v for k, v in of.items())]
    if row["metric"] in BESIDE:
        own += [block for cell, of, block in whose if of["model"] == cell.case.baseline]
    of = map(trust_of_model, own)
    return functools.reduce(worse, of, "")


def _outcomes(cell: Evaluation, block: Path) -> pd.DataFrame:
    data = _read(block / "about.json")["data"]
    return pd.read_parquet(block / "outcomes.parquet").assign(**_whose(cell), data=data)


def _about(cell: Evaluation, doubts: Iterable[reliability.Doubt]) -> list[reliability.Doubt]:
    """Of the doubts that several cases raise together, those about this one."""
    return [(where, reason) for where, reason in doubts if all(where[k] == v for k, v in _whose(cell).items())]


def rows(suite: Suite, cell: Evaluation, block: Path, doubts: Iterable[reliability.Doubt] = ()) -> list[NewRow]:
    """The rows of results.csv that a block gives, judged by the bounds of its case.

    doubts: what other cases say against this one's numbers.

    Raises SuiteError where a bound speaks of a value that the case did not give.
    """
    values = _read(block / "values.json")
    values += absent_pairs(cell, block, {(bounds.name(row), *_strength(row)) for row in values})
    values = reliability.marked(reliability.joined(values, doubts))
    same = _same(suite, cell, block)
    judged = [_judged(cell, {**row, **same}) for row in values]
    if silent := set(cell.case.expect) - {bounds.name(row) for row in values}:
        gave = ", ".join(sorted({bounds.name(row) for row in values}))
        with located(suite.path, cell.case.line):
            raise SuiteError(f"expect: {cell.id} gave no {min(silent)!r}; it gave {gave}")
    return judged


def _same(suite: Suite, cell: Evaluation, block: Path) -> NewRow:
    """What all rows of a block share."""
    about = _read(block / "about.json")
    weights = about["model"]["weights_sha"]
    whose = {"suite": suite.name, "split": "test", **_whose(cell), "choice": cell.case.choice}
    return {**whose, "data": about["data"], "weights_sha": weights}


def compared(
    suite: Suite,
    data: Dataset,
    cell: Evaluation,
    find: Callable[[Evaluation], Path | None],
    out: Path,
    doubts: Iterable[reliability.Doubt] = (),
) -> list[NewRow]:
    """The rows of results.csv that the bounds of a cell against other models and earlier reports give.

    Args:
        find: gives the block of a cell that is finished, None for another. out: the folder of the report.
        doubts: what several cases say together against numbers.

    Raises ReportError, with file and line, where the images cannot be paired.
    """
    if not any(paired_bounds.limits(cell)) or (block := find(cell)) is None:
        return []
    same = _same(suite, cell, block)

    def rival(other: Evaluation) -> paired_bounds.CaseOutcomes | None:
        return None if (there := find(other)) is None else _answers(other, there)

    with located(suite.path, cell.case.line, cell.id):
        groups = _read(block / "about.json")["groups"] or data.superclasses
        found = [*paired_bounds.compared(cell, _answers(cell, block), rival, suite, groups, out)]
        both = [(one, there) for one in (cell, *paired_bounds.rivals(suite, cell)) if (there := find(one))]
        told = [rows(suite, one, there, _about(one, doubts)) for one, there in both]
        seen = trusts(row for each in told for row in each)
        words = (worse(seen.get(_strength(row), ""), row.get("reliability", "")) for row in found)
        return [passed(cell, {**row, **same, "reliability": word}) for row, word in zip(found, words, strict=True)]


def trust_of_model(block: Path) -> str:
    """The verdict on every number of the model; "" where nothing is known against it."""
    names = reliability.of_model(_read(block / "values.json"))
    return verdict(names) if names else ""


def trusts(judged: Iterable[Row]) -> dict[tuple, str]:
    """The worst verdict on the numbers at each strength."""
    found: dict[tuple, str] = {}
    for row in judged:
        found[_strength(row)] = worse(found.get(_strength(row), ""), row["reliability"])
    return found


def _answers(cell: Evaluation, block: Path) -> paired_bounds.CaseOutcomes:
    about = _read(block / "about.json")
    who = one_model(about["model"]["weights_sha"], about["model"])
    return paired_bounds.CaseOutcomes(_outcomes(cell, block), who, about["source"])


def absent_pairs(cell: Evaluation, block: Path, given: set[tuple]) -> list[NewRow]:
    """A bound may speak of a pair of classes that is not among the most confused of a strength: count it there."""
    keys = [key for key in cell.case.expect if key.startswith("confused[")]
    if not keys:
        return []
    rows = []
    for where, part in by_strength(pd.read_parquet(block / "outcomes.parquet")):
        for key in (key for key in keys if (key, *_strength(where)) not in given):
            pair = key.removeprefix("confused[").removesuffix("]")
            label, _, taken_for = pair.partition(" -> ")
            hits = (part.loc[part["label"] == label, "predicted"] == taken_for).to_numpy()
            share = proportion("confused", hits, pair)
            share = unsure(share) if part.duplicated("example").any() else share
            rows.append({**where, **share._asdict()})
    return rows


def _strength(row: Row) -> tuple:
    return tuple(row[key] for key in STRENGTH)


def brief(suite: Suite, cell: Evaluation, block: Path) -> str:
    """The block in a line: top-1 at each strength, or the first value where there is no top-1."""
    values = rows(suite, cell, block)
    shown = [row for row in values if row["metric"] == "top1"] or values[:1]
    if len({row["perturbation"] for row in shown}) > 1:  # several corruptions: too many for a line
        worst, mean = min(shown, key=lambda row: row["value"]), sum(row["value"] for row in shown) / len(shown)
        least = (
            f"{worst['value']:.3f} under {worst['perturbation']}{strength(worst)}"  # picked: without its own interval
        )
        return f"{worst['metric']} {mean:.3f}, mean of {len(shown)}; least {least}{_levelled(shown)}"
    told = (
        f"{row['metric']} {value_with_interval(row)}{strength(row)}{reliability.doubt(row, values)}" for row in shown
    )
    return f"{', '.join(told)}{_levelled(shown)}"


def _levelled(shown: Iterable[Row]) -> str:
    return "; balanced: all classes count alike" if any(row.get("choice") == "balanced" for row in shown) else ""


def missed(suite: Suite, cell: Evaluation, block: Path, against: Iterable[NewRow] = ()) -> list[str]:
    """The bounds that were missed, one line each: the number with its interval, the bound, from how many.

    against: the rows of the bounds against others; see `compared`.
    """
    values = [*rows(suite, cell, block), *against]
    return [
        f"{messages.missed(row)} "
        f"({row['n']} {_chosen(row)}images, {row['perturbation']}{strength(row)} on {cell.model.name})"
        f"{reliability.doubt(row, values)}"
        for row in values
        if row["passed"] is False
    ]


def _chosen(row: Row) -> str:
    return "balanced " if row.get("choice") == "balanced" else ""


def passed_in_doubt(suite: Suite, cell: Evaluation, block: Path, against: Iterable[NewRow] = ()) -> list[str]:
    """The bounds that passed on numbers in doubt, one line each; `against` as for `missed`."""
    values = [*rows(suite, cell, block), *against]
    return [
        f"{bounds.name(row)} {value_with_interval(row)} passes {row['bound']}{strength(row)}{reliability.doubt(row, values)}"
        for row in values
        if row["passed"] and messages.in_doubt(row)
    ]


def doubted(results: pd.DataFrame) -> str:
    """How many verdicts of the table are in doubt, in words; "" where none is.

    >>> words = ["suspect", "invalid"]
    >>> doubted(pd.DataFrame({"metric": ["reliability"] * 2, "subset": [""] * 2, "reliability": words}))
    '1 number is suspect, 1 is invalid; the page says why'
    """
    words = results.loc[(results["metric"] == "reliability") & (results["subset"] == ""), "reliability"].value_counts()
    found = [(int(words[word]), word) for word in ("suspect", "invalid") if word in words]
    if not found:
        return ""
    (first, word), *more = found
    verb = "number is" if first == 1 else "numbers are"
    rest = "".join(f", {n} {'is' if n == 1 else 'are'} {other}" for n, other in more)
    return f"{first} {verb} {word}{rest}; the page says why"


def _judged(cell: Evaluation, row: Row) -> NewRow:
    """A bound against others has rows of its own; see `compared`."""
    if not isinstance(limit := cell.case.expect.get(bounds.name(row)), Bound):
        return {**row, "bound": None, "passed": None}
    return passed(cell, {**row, "bound": limit})


def passed(cell: Evaluation, row: Row) -> NewRow:
    """The row with its verdict; None where it has no bound, or nothing to be held against."""
    state = bounds.state(row, allow_invalid=cell.case.allow_invalid) if row["bound"] is not None else "not judged"
    return {**row, "passed": None if state == "not judged" else state == "passed"}


def _whose(cell: Evaluation) -> NewRow:
    return {"model": cell.model.name, "seed": cell.seed, "case": cell.case.name}


def write_samples(folder: Path, found: Found) -> None:
    """samples/index.csv names, for each cell and strength, an .npz of the same few images."""
    stale, index = listed(folder / "index.csv"), []
    for cell, block in found:
        for i, where in enumerate(_read(block / "about.json")["strengths"]):
            name = f"{len(index):04d}.npz"  # as `_SAMPLE`; whose it is, the index says
            files.write(folder / name, lambda path, source=block / f"samples-{i}.npz": shutil.copyfile(source, path))
            index.append({"file": name, **_whose(cell), **where})
    files.write(folder / "index.csv", csv_files.csv(pd.DataFrame(index, columns=_SAMPLES)))
    for name in stale - {row["file"] for row in index}:  # only what an earlier run has written
        (folder / name).unlink(missing_ok=True)


def listed(index: Path) -> set[str]:
    """The files that an earlier run has written, by its index; of one that is damaged, or a stranger's, none others."""
    try:
        names = csv_files.read(index, dtype=str)["file"]
    except (OSError, ValueError, KeyError):
        return set()
    return {name for name in names if isinstance(name, str) and _SAMPLE.fullmatch(name)}


def _environment(suite: Suite, data: Dataset, found: Found, notes: Iterable[str], given: str) -> NewTable:
    told = [(cell, _read(block / "about.json")) for cell, block in found]
    about = {cell.model.name: of_block for cell, of_block in told}
    asked = {cell.model.name for cell in suite.cells()}  # the others only lend their images
    return {
        "suite": suite.name,
        "summary": suite.summary,
        "seed": suite.seed,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "robust": version("robust"),
        "interface": interface.in_force(),
        "sections": [call.name for call in suite.sections],
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
        "machine": _machine(),
        "data": {
            "name": data.name, "split": "test", "classes": list(data.classes), "images": data.size("test"),
            "fingerprint": given,
            "superclasses": {k: list(v) for k, v in data.superclasses.items()}, "image_shape": list(data.image_shape),
            "notes": list(notes),
        },
        "contents": {cell.case.name: of_block["content"] for cell, of_block in told},
        "cases": {cell.case.name: cell.case.definition for cell, _ in told},
        "sources": {source_key(*_whose(cell).values()): about["source"] for cell, about in told if about["source"]},
        "groups": {cell.case.name: of_block["groups"] for cell, of_block in told if of_block["groups"]},
        "classes": {
            cell.case.name: of_block["classes"] for cell, of_block in told if of_block["classes"] != list(data.classes)
        },
        "models": {
            m.name: {**about.get(m.name, {}).get("model", {}), "seeds": list(m.seeds) if m.name in asked else []}
            for m in suite.models
        },
    }  # fmt: skip


def _machine() -> NewTable:
    gpus = tf.config.list_physical_devices("GPU")
    return {"cpus": os.cpu_count() or 1, "gpus": len(gpus), "platform": platform.platform()}


def _read(path: Path) -> Any:
    return interface.worded_all(json.loads(path.read_text("utf-8")))
