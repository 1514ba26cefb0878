"""Reading a suite file: all of it is checked, by the signatures of what it names, before anything runs.

Nothing here imports TensorFlow. Every error states file and line.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from robust.core import files, registry, suite_folder, toml
from robust.core.errors import SuiteError, located, suggest
from robust.core.remedies import of_a_suite, setting
from robust.core.signature import Call, bind, convert
from robust.core.types import AttackPrecision, Count, Eps, NewTable, Seed, Severity, Table, Target
from robust.suite import bound_checks, comparison_checks, corruption_cases, metric_checks, source, transfer
from robust.suite import data as suite_data
from robust.suite.lines import Lines
from robust.suite.schema import Case, Model, Suite
from robust.suite.tables import distinct, known
from robust.suite.training import training

_NAME = r"\w[\w.+-]*"
_MODEL = (*source.KINDS, "train", "seeds", *source.CALL_OPTIONS, "attack_precision")
_CASE = (
    "attack", "corruption", "minimal", "data", "restrict", "ood", "metrics", "profile", "max_images", "balanced",
    "models", "expect", "baseline",
)  # fmt: skip
_SWEPT = {
    "attack": ("attacks", "eps", Eps),
    "corruption": ("corruptions", "severity", Severity),
    "minimal": ("attacks", "eps", Eps),
}


@of_a_suite()
def load(path: str | Path, *, allow_code: bool = False) -> Suite:
    """Read and check a suite file.

    Args:
        path: the TOML file.
        allow_code: may it contain names like "their.module:function", which run third-party code? They are searched
            next to the file, in the current folder, and on Python's path, see `robust.core.suite_folder`.

    Raises SuiteError as `file:line: what is wrong; a suggestion`.
    """
    path = Path(path)
    text = _text(path)
    if not re.fullmatch(_NAME, path.stem, re.ASCII):
        raise SuiteError(
            f"{path}: the file name is the suite's name: letters, digits and _, and after the first also . + -"
        )
    try:
        table = toml.loads(text)
    except ValueError as error:
        line = re.search(r"at line (\d+)", str(error))
        with located(path, int(line[1]) if line else text.count("\n") + 1):
            raise SuiteError(f"not TOML: {error}") from None
    theirs = (path.parent.resolve(), Path.cwd()) if allow_code else ()
    with suite_folder.importable(theirs):
        return replace(_Reader(path, text, allow_code).suite(table), folders=theirs)


def read_case(name: str, table: NewTable) -> Case:
    """A case from a table, as under [case.NAME]; it comes from Python, so the code it names is trusted.

    Raises SuiteError for an invalid table.

    >>> read_case("pgd", {"attack": {"name": "pgd", "eps": ["8/255", "2/255"]}}).perturbations[0].arguments["eps"]
    0.00784313725490196
    """
    reader = _Reader(Path(name), "", allow_code=True)
    try:
        return reader.case(name, table, ())
    except SuiteError as error:
        error.where = ""  # there is no file
        raise


def read_model(name: str, table: NewTable, seed: int = 0, *, allow_code: bool = False) -> Model:
    """A model from a table, as under [model.NAME]; it comes from Python, so the code it names is trusted.

    allow_code: may the file that it names also run third-party code?

    Raises SuiteError for an invalid table.

    >>> read_model("net", {"architecture": "lenet5", "train": {"recipe": "short", "epochs": 3}}).seeds
    (0,)
    """
    try:
        return replace(_Reader(Path(name), "", allow_code=True).model(name, table, seed), allow_code=allow_code)
    except SuiteError as error:
        error.where = ""  # there is no file
        raise


def _text(path: Path) -> str:
    try:
        return files.text(path)
    except FileNotFoundError:
        near = [str(p) for p in path.parent.glob("*.toml")] if path.parent.is_dir() else []
        raise SuiteError(f"{path}: there is no such file{suggest(str(path), near)}") from None
    except (OSError, ValueError) as error:
        raise SuiteError(f"{path}: cannot be read ({error})") from None


class _Reader:
    """Reads the tables of one file and knows their lines."""

    def __init__(self, path: Path, text: str, allow_code: bool):
        self.path, self.text, self.allow_code, self.lines = path, text, allow_code, Lines(path, text)

    def suite(self, table: NewTable) -> Suite:
        with self.lines.at():
            if not table:
                raise SuiteError("the file is empty; it needs data, a [model.NAME] and a [case.NAME]")
            known(table, ("summary", "seed", "data", "model", "case", "sections"), "a suite")
            for key, write in (
                ("data", 'data = { name = "fashion_mini" }'),
                ("model", "[model.NAME]"),
                ("case", "[case.NAME]"),
            ):
                if not table.get(key):
                    raise SuiteError(f"there is no {key}; write {write}", key)
            seed = convert(table.get("seed", 0), Seed, "seed")
            summary = convert(table.get("summary", ""), str, "summary")
            data = self.data(table["data"])
            models = tuple(self.model(n, t, seed) for n, t in self.tables(table["model"], "model"))
            cases = tuple(self.case(n, t, models) for n, t in self.tables(table["case"], "case"))
            sections = tuple(self.call("sections", each, "sections") for each in self.sections(table))
            suite = Suite(self.path.stem, models, cases, data, seed, summary, self.path, self.text, sections)
            distinct([cell.id for cell in suite.evaluations()], "model")  # "a" with seeds [0, 1] clashes with "a-0"
        return suite

    def sections(self, table: Table) -> list[Any]:
        found = convert(table.get("sections", []), list, "sections")
        if ours := [each for each in found if isinstance(each, str) and not registry.is_foreign(each)]:
            raise SuiteError(
                f'sections: {ours[0]!r} must be "their.module:function"; others are always included', "sections"
            )
        return found

    def data(self, value: object) -> Call:
        return suite_data.data(value, self.call, self.path.parent)

    def tables(self, value: object, key: str) -> Iterator[tuple[str, NewTable]]:
        for name, table in convert(value, dict, key).items():
            with self.lines.at(key, name):
                if not re.fullmatch(_NAME, name, re.ASCII):
                    raise SuiteError(
                        f"{key} {name!r}: a name has letters, digits and _, and after the first also . + -"
                    )
                checked = convert(table, dict, f"{key}.{name}")
            yield name, checked

    def model(self, name: str, table: NewTable, seed: int) -> Model:
        with self.lines.at("model", name):
            known(table, _MODEL, "a model")
            given = [key for key in source.KINDS if key in table]
            if len(given) != 1:
                has = " and ".join(given) or "none"
                raise SuiteError(f"a model is one of {', '.join(source.KINDS)}; this one has {has}")
            if "train" in table and given[0] in ("python", "tflite"):
                what = "created by third-party code" if given == ["python"] else "of a TFLite file"
                raise SuiteError(f"train: a model {what} cannot be trained", "train")
            if "seeds" in table and "train" not in table and given != ["architecture"]:
                raise SuiteError(f"seeds: this model is {given[0]} without train, so all would be the same", "seeds")
            found = source.source(given[0], table[given[0]], self.call, self.path.parent)
            if not self.allow_code and (why := source.foreign(found)):
                raise SuiteError(f"{why}; if you trust this suite, set {setting('allow_code', True)}", given[0])
            train = training(table["train"], self.call) if "train" in table else None
            seeds = distinct(convert(table.get("seeds", [seed]), list[Seed], "seeds"), "seeds")
            attack_precision = convert(table.get("attack_precision", "float32"), AttackPrecision, "attack_precision")
            return Model(
                name,
                found,
                train,
                tuple(seeds),
                attack_precision=attack_precision,
                allow_code=self.allow_code,
                **source.call_options(table),
            )

    def case(self, name: str, table: NewTable, models: tuple[Model, ...]) -> Case:
        with self.lines.at("case", name):
            known(table, _CASE, "a case")
            given = [key for key in _SWEPT if key in table]
            if len(given) > 1:
                has = " and ".join(given)
                raise SuiteError(f"a case has attack, corruption or minimal; this one has {has}", given[1])
            key = next(iter(given), None)
            calls, target = self.perturbations(key, table[key]) if key else ((), None)
            searches = key == "minimal"
            default = [] if "profile" in table and not key else metric_checks.default(key, target)
            metrics = self.calls("metrics", table, "metrics", default)
            metric_checks.check(metrics, key, target)
            metric_checks.check_outside(metrics, "ood" in table)
            metric_checks.check_baseline(metrics, baseline := corruption_cases.baseline(table, models))
            profile = self.calls("profile", table, "profile", [])
            found = Case(
                name,
                perturbations=() if searches else calls,
                minimal=calls[0] if searches else None,
                target=target,
                data=self.data(table["data"]) if "data" in table else None,
                restrict=restricts(table),
                ood=self.data(table["ood"]) if "ood" in table else None,
                baseline=baseline,
                metrics=metrics,
                profile=profile,
                **choice(table),
                models=_models(table["models"], models) if "models" in table else None,
                expect=bound_checks.bounds(table, (*metrics, *profile), target),
                allow_invalid=bound_checks.allows_invalid(table),
                line=self.lines.find("case", name),
            )
            comparison_checks.check(found, models)
            if models:  # from Python a case is read before the models are known
                transfer.source(found, models)
            return found

    def perturbations(self, key: str, value: object) -> tuple[tuple[Call, ...], Target | None]:
        kind, swept, quantity = _SWEPT[key]
        table = {"name": value} if isinstance(value, str) else dict(convert(value, dict, key))
        target = (
            convert(table.pop("target"), Target, f"{key}.target") if kind == "attacks" and "target" in table else None
        )
        tables = corruption_cases.tables(kind, table)
        if swept not in table:
            return tuple(self.call(kind, one, key) for one in tables), target
        given, where = table[swept], f"{key}.{swept}"
        if key == "minimal" and isinstance(given, list):
            raise SuiteError(f"{where} = {given!r}: must be one number, the largest change searched", where)
        listed: list = given if isinstance(given, list) else [convert(given, quantity, where)]
        upward = sorted(distinct(convert(listed, list[quantity], where), where))
        return tuple(self.call(kind, {**one, swept: strength}, key) for one in tables for strength in upward), target

    def calls(self, kind: str, table: Table, key: str, default: list[str]) -> tuple[Call, ...]:
        found = [self.call(kind, v, key) for v in convert(table.get(key, default), list, key)]
        found = [metric_checks.with_tree_read(call, self.path.parent) for call in found]
        if key in table:  # results of the same name could not be distinguished
            distinct([call.name for call in found], key)
        return tuple(found)

    def call(self, kind: str, value: Any, key: str) -> Call:
        name = value.get("name") if isinstance(value, Mapping) else value
        if not isinstance(name, str):
            raise SuiteError(f"{key} = {value!r}: must be a name, or a table with a name", key)
        if registry.is_foreign(name) and not self.allow_code:
            what = f"{key} = {name!r} runs third-party code"
            raise SuiteError(f"{what}; if you trust this suite, set {setting('allow_code', True)}", key)
        try:
            found = bind(kind, value)
            if found.name == transfer.NAME and kind == "attacks":
                self.call(kind, transfer.inner(found.arguments), "attack")
            return found
        except SuiteError as error:
            raise SuiteError(str(error), f"{key}.{error.key}" if error.key else key) from None


def choice(table: Table) -> NewTable:
    """How many images of the test split, and in which proportions."""
    balanced = convert(table.get("balanced", False), bool, "balanced")
    if balanced and "max_images" not in table:
        balanced, many = setting("balanced", True), setting("max_images", 100)
        raise SuiteError(f"{balanced} sets how images are chosen; also set how many, as in {many}", "balanced")
    return {
        "max_images": convert(table["max_images"], Count, "max_images") if "max_images" in table else None,
        "balanced": balanced,
    }


def restricts(table: Table) -> bool:
    """Is the prediction restricted to the classes of the case's own data?"""
    restrict = convert(table.get("restrict", False), bool, "restrict")
    if restrict and "data" not in table:
        what = setting("restrict", True)
        raise SuiteError(f"{what} restricts predictions to the classes of a case's own data: add data", "restrict")
    return restrict


def _models(value: Any, models: tuple[Model, ...]) -> tuple[str, ...]:
    known = [model.name for model in models]
    for name in distinct(convert(value, list[str], "models"), "models"):
        if name not in known:
            raise SuiteError(f"models: there is no model {name!r}{suggest(name, known)}", "models")
    return tuple(value)
