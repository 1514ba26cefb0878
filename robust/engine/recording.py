"""Write the report folder from finished blocks: both tables, the samples, the provenance, the page."""

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
from robust.core import csv_files, files, remedies
from robust.core.errors import SuiteError, located
from robust.core.types import NewRow, NewTable, Row
from robust.datasets.dataset import Dataset
from robust.report import page
from robust.results import manifest, messages, paired_bounds, reliability, samples
from robust.results import tables as record
from robust.results.evaluation import proportion, without_interval
from robust.results.flags import level, worse
from robust.results.messages import strength, value_with_interval
from robust.results.summaries.corruption_error import RELATIVE_METRICS, corruption_errors
from robust.results.summaries.earlier import one_model, source_key
from robust.results.summaries.pairing import STRENGTH, by_strength
from robust.suite import Evaluation, Suite, bounds
from robust.suite.bounds import Bound

Found = list[tuple[Evaluation, Path]]
_SAMPLE = re.compile(r"\d{4,}\.npz")
_SAMPLES = ["file", "model", "seed", "case", "perturbation", "norm", "eps", "severity"]
_PACKAGES = ("tensorflow", "keras", "tensorflow-datasets", "foolbox", "numpy", "pandas")


def fill(
    out: Path,
    suite: Suite,
    data: Dataset,
    found: Found,
    notes: Iterable[str] = (),
    given: str = "",
    failed: Iterable[NewRow] = (),
) -> pd.DataFrame:
    """Write results.csv, outcomes.parquet, samples/, suite.toml, environment.json, their manifest and index.html.

    notes: what was skipped or guessed when the data was read. given: its fingerprint before a validation split was
    held out, by which reports are compared: a held-out split changes no test image. failed: the rows of the evaluations
    that could not be run.
    """
    tables = [
        _outcomes(evaluation, block).assign(searched=evaluation.case.minimal is not None) for evaluation, block in found
    ]
    outcomes = pd.concat(tables)
    doubts = [*diagnostics.black_box_stronger(outcomes), *diagnostics.smaller_distance_elsewhere(outcomes)]
    judged = [
        row for evaluation, block in found for row in rows(suite, evaluation, block, _own_doubts(evaluation, doubts))
    ]
    finished = {evaluation.id: block for evaluation, block in found}
    for evaluation, _ in found:
        judged += compared(suite, data, evaluation, lambda other: finished.get(other.id), out, doubts)
    results = record.table(judged, record.RESULTS)
    summed = [{**row, "reliability": _level(row, found)} for row in summaries(suite, data, results, outcomes)]
    results = record.table([*judged, *summed, *failed], record.RESULTS)
    environment = _environment(suite, data, found, notes, given or data.fingerprint)
    with manifest.rewritten(out):
        record.write_outcomes(record.table(outcomes, record.OUTCOMES), out / "outcomes.parquet")
        write_samples(out / "samples", found)
        samples.write(out / "samples", found)
        if suite.text:
            files.write(out / "suite.toml", suite.text)
        else:  # of an earlier run
            files.remove(out / "suite.toml")
        files.write(out / "environment.json", json.dumps(environment, indent=2))
        record.write_results(results, out / "results.csv")
    page.write(out, suite.sections)
    return results


def summaries(suite: Suite, data: Dataset, results: pd.DataFrame, outcomes: pd.DataFrame) -> list[NewRow]:
    """The rows that need the whole table."""
    alike = len(data.classes) == 1000 and data.image_shape[:2] == (224, 224)
    imagenet = data.name if alike and re.split("[/:]", data.name)[0] == "imagenet2012" else ""
    baselines = {case.name: case.baseline for case in suite.cases if case.baseline}
    return corruption_errors(results, outcomes, baselines, imagenet)


def _level(row: Row, found: Found) -> str:
    """The reliability level of all numbers of the model of a row, and of the baseline that it is relative to."""
    same_case = [
        (evaluation, _identity(evaluation), block) for evaluation, block in found if evaluation.case.name == row["case"]
    ]
    own = [block for _, of, block in same_case if all(row[k] == v for k, v in of.items())]
    if row["metric"] in RELATIVE_METRICS:
        own += [block for evaluation, of, block in same_case if of["model"] == evaluation.case.baseline]
    return functools.reduce(worse, map(level_of_model, own), "")


def _outcomes(evaluation: Evaluation, block: Path) -> pd.DataFrame:
    data = _read(block / "about.json")["data"]
    return pd.read_parquet(block / "outcomes.parquet").assign(**_identity(evaluation), data=data)


def _own_doubts(evaluation: Evaluation, doubts: Iterable[reliability.Doubt]) -> list[reliability.Doubt]:
    """Of the doubts that follow from several cases, those about this one."""
    return [(where, reason) for where, reason in doubts if all(where[k] == v for k, v in _identity(evaluation).items())]


def rows(suite: Suite, evaluation: Evaluation, block: Path, doubts: Iterable[reliability.Doubt] = ()) -> list[NewRow]:
    """The rows of results.csv of a block, judged by the bounds of its case.

    doubts: those about this case's numbers that follow from other cases.

    Raises SuiteError where a bound names a value that the case did not yield.
    """
    values = _read(block / "values.json")
    values += absent_pairs(evaluation, block, {(bounds.name(row), *_strength(row)) for row in values})
    values = reliability.marked(reliability.joined(values, doubts))
    same = _same(suite, evaluation, block)
    judged = [_judged(evaluation, {**row, **same}) for row in values]
    if missing := set(evaluation.case.expect) - {bounds.name(row) for row in values}:
        names = ", ".join(sorted({bounds.name(row) for row in values}))
        with located(suite.path, evaluation.case.line):
            raise SuiteError(f"expect: {evaluation.id} yielded no {min(missing)!r}; it yielded {names}")
    return judged


def _same(suite: Suite, evaluation: Evaluation, block: Path) -> NewRow:
    """The columns that all rows of a block share."""
    about = _read(block / "about.json")
    weights = about["model"]["weights_sha"]
    run = {"suite": suite.name, "split": "test", **_identity(evaluation), "choice": evaluation.case.choice}
    return {**run, "data": about["data"], "weights_sha": weights}


def compared(
    suite: Suite,
    data: Dataset,
    evaluation: Evaluation,
    find: Callable[[Evaluation], Path | None],
    out: Path,
    doubts: Iterable[reliability.Doubt] = (),
) -> list[NewRow]:
    """The rows of results.csv for the bounds of an evaluation against other models and earlier reports.

    Args:
        find: returns the block of a finished evaluation, None for others. out: the folder of the report.
        doubts: those about numbers that follow from several cases.

    Raises ReportError, with file and line, where the images cannot be paired.
    """
    if not any(paired_bounds.limits(evaluation)) or (block := find(evaluation)) is None:
        return []
    same = _same(suite, evaluation, block)

    def rival(other: Evaluation) -> paired_bounds.CaseOutcomes | None:
        return None if (there := find(other)) is None else _case_outcomes(other, there)

    with located(suite.path, evaluation.case.line, evaluation.id):
        groups = _read(block / "about.json")["groups"] or data.superclasses
        found = [*paired_bounds.compared(evaluation, _case_outcomes(evaluation, block), rival, suite, groups, out)]
        both = [(one, there) for one in (evaluation, *paired_bounds.rivals(suite, evaluation)) if (there := find(one))]
        listed = [rows(suite, one, there, _own_doubts(one, doubts)) for one, there in both]
        seen = levels(row for each in listed for row in each)
        words = (worse(seen.get(_strength(row), ""), row.get("reliability", "")) for row in found)
        return [
            passed(evaluation, {**row, **same, "reliability": word}) for row, word in zip(found, words, strict=True)
        ]


def level_of_model(block: Path) -> str:
    """The reliability level of all numbers of the model; "" where no flag is raised for the model itself."""
    names = reliability.of_model(_read(block / "values.json"))
    return level(names) if names else ""


def levels(judged: Iterable[Row]) -> dict[tuple, str]:
    """The worst reliability level at each strength."""
    found: dict[tuple, str] = {}
    for row in judged:
        found[_strength(row)] = worse(found.get(_strength(row), ""), row["reliability"])
    return found


def _case_outcomes(evaluation: Evaluation, block: Path) -> paired_bounds.CaseOutcomes:
    about = _read(block / "about.json")
    model = one_model(about["model"]["weights_sha"], about["model"])
    return paired_bounds.CaseOutcomes(_outcomes(evaluation, block), model, about["source"])


def absent_pairs(evaluation: Evaluation, block: Path, given: set[tuple]) -> list[NewRow]:
    """The rows of bounded pairs of classes that are not among the most confused of a strength: counted here."""
    keys = [key for key in evaluation.case.expect if key.startswith("confused[")]
    if not keys:
        return []
    rows = []
    for where, part in by_strength(pd.read_parquet(block / "outcomes.parquet")):
        for key in (key for key in keys if (key, *_strength(where)) not in given):
            pair = key.removeprefix("confused[").removesuffix("]")
            label, _, taken_for = pair.partition(" -> ")
            hits = (part.loc[part["label"] == label, "predicted"] == taken_for).to_numpy()
            share = proportion("confused", hits, pair)
            share = without_interval(share) if part.duplicated("example").any() else share
            rows.append({**where, **share._asdict()})
    return rows


def _strength(row: Row) -> tuple:
    return tuple(row[key] for key in STRENGTH)


def brief(suite: Suite, evaluation: Evaluation, block: Path) -> str:
    """The block in one line: top-1 at each strength, or the first value where there is no top-1."""
    values = rows(suite, evaluation, block)
    shown = [row for row in values if row["metric"] == "top1"] or values[:1]
    if len({row["perturbation"] for row in shown}) > 1:  # several corruptions: too many for a line
        worst, mean = min(shown, key=lambda row: row["value"]), sum(row["value"] for row in shown) / len(shown)
        least = (
            f"{worst['value']:.3f} under {worst['perturbation']}{strength(worst)}"  # selected as the worst: no interval
        )
        return f"{worst['metric']} {mean:.3f}, mean of {len(shown)}; least {least}{_balanced_note(shown)}"
    values_at = (
        f"{row['metric']} {value_with_interval(row)}{strength(row)}{reliability.doubt(row, values)}" for row in shown
    )
    return f"{', '.join(values_at)}{_balanced_note(shown)}"


def _balanced_note(shown: Iterable[Row]) -> str:
    return "; balanced: all classes weigh the same" if any(row.get("choice") == "balanced" for row in shown) else ""


def missed(suite: Suite, evaluation: Evaluation, block: Path, against: Iterable[NewRow] = ()) -> list[str]:
    """The missed bounds, one line each: the number with its interval, the bound, the number of images.

    against: the rows of the bounds against others; see `compared`.
    """
    values = [*rows(suite, evaluation, block), *against]
    return [
        f"{messages.missed(row)} "
        f"({row['n']} {_chosen(row)}images, {row['perturbation']}{strength(row)} on {evaluation.model.name})"
        f"{reliability.doubt(row, values)}"
        for row in values
        if row["passed"] is False
    ]


def _chosen(row: Row) -> str:
    return "balanced " if row.get("choice") == "balanced" else ""


def passed_in_doubt(suite: Suite, evaluation: Evaluation, block: Path, against: Iterable[NewRow] = ()) -> list[str]:
    """The bounds that passed on numbers in doubt, one line each; `against` as for `missed`."""
    values = [*rows(suite, evaluation, block), *against]
    return [
        f"{bounds.name(row)} {value_with_interval(row)} passes {row['bound']}{strength(row)}"
        f"{reliability.doubt(row, values)}"
        for row in values
        if row["passed"] and messages.in_doubt(row)
    ]


def doubted(results: pd.DataFrame) -> str:
    """How many numbers of the table are in doubt, in words; "" where none is.

    >>> words = ["suspect", "invalid"]
    >>> doubted(pd.DataFrame({"metric": ["reliability"] * 2, "subset": [""] * 2, "reliability": words}))
    '1 number is suspect, 1 is invalid; the page gives the reasons'
    """
    words = results.loc[(results["metric"] == "reliability") & (results["subset"] == ""), "reliability"].value_counts()
    found = [(int(words[word]), word) for word in ("suspect", "invalid") if word in words]
    if not found:
        return ""
    (first, word), *more = found
    verb = "number is" if first == 1 else "numbers are"
    others = "".join(f", {n} {'is' if n == 1 else 'are'} {other}" for n, other in more)
    return f"{first} {verb} {word}{others}; the page gives the reasons"


def _judged(evaluation: Evaluation, row: Row) -> NewRow:
    """The row with its bound; a bound against others has separate rows, see `compared`."""
    if not isinstance(limit := evaluation.case.expect.get(bounds.name(row)), Bound):
        return {**row, "bound": None, "passed": None}
    return passed(evaluation, {**row, "bound": limit})


def passed(evaluation: Evaluation, row: Row) -> NewRow:
    """The row with its verdict; None where it has no bound, or nothing to compare with."""
    state = bounds.state(row, allow_invalid=evaluation.case.allow_invalid) if row["bound"] is not None else "not judged"
    return {**row, "passed": None if state == "not judged" else state == "passed"}


def _identity(evaluation: Evaluation) -> NewRow:
    return {"model": evaluation.model.name, "seed": evaluation.seed, "case": evaluation.case.name}


def write_samples(folder: Path, found: Found) -> None:
    """Write an .npz of the same few images for each evaluation and strength, and samples/index.csv."""
    stale, index = listed(folder / "index.csv"), []
    for evaluation, block in found:
        for i, where in enumerate(_read(block / "about.json")["strengths"]):
            name = f"{len(index):04d}.npz"  # as `_SAMPLE`; the index lists model and case
            files.write(folder / name, lambda path, source=block / f"samples-{i}.npz": shutil.copyfile(source, path))
            index.append({"file": name, **_identity(evaluation), **where})
    files.write(folder / "index.csv", csv_files.csv(pd.DataFrame(index, columns=_SAMPLES)))
    for name in stale - {row["file"] for row in index}:  # only files of an earlier run
        (folder / name).unlink(missing_ok=True)


def listed(index: Path) -> set[str]:
    """The files that an earlier run wrote, by its index; no other files where the index is damaged or foreign."""
    try:
        names = csv_files.read(index, dtype=str)["file"]
    except (OSError, ValueError, KeyError):
        return set()
    return {name for name in names if isinstance(name, str) and _SAMPLE.fullmatch(name)}


def _environment(suite: Suite, data: Dataset, found: Found, notes: Iterable[str], given: str) -> NewTable:
    blocks = [(evaluation, _read(block / "about.json")) for evaluation, block in found]
    about = {evaluation.model.name: of_block for evaluation, of_block in blocks}
    evaluated = {evaluation.model.name for evaluation in suite.evaluations()}  # others are only sources of transfers
    return {
        "suite": suite.name,
        "summary": suite.summary,
        "seed": suite.seed,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "robust": version("robust"),
        "interface": remedies.current_interface(),
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
        "contents": {evaluation.case.name: of_block["content"] for evaluation, of_block in blocks},
        "cases": {evaluation.case.name: evaluation.case.definition for evaluation, _ in blocks},
        "sources": {
            source_key(*_identity(evaluation).values()): about["source"]
            for evaluation, about in blocks
            if about["source"]
        },
        "groups": {evaluation.case.name: of_block["groups"] for evaluation, of_block in blocks if of_block["groups"]},
        "classes": {
            evaluation.case.name: of_block["classes"]
            for evaluation, of_block in blocks
            if of_block["classes"] != list(data.classes)
        },
        "models": {
            m.name: {**about.get(m.name, {}).get("model", {}), "seeds": list(m.seeds) if m.name in evaluated else []}
            for m in suite.models
        },
    }  # fmt: skip


def _machine() -> NewTable:
    gpus = tf.config.list_physical_devices("GPU")
    return {"cpus": os.cpu_count() or 1, "gpus": len(gpus), "platform": platform.platform()}


def _read(path: Path) -> Any:
    return remedies.formatted_all(json.loads(path.read_text("utf-8")))
