"""Reading a suite file: all of it is checked, by the signatures of what it names, before anything runs.

Nothing here imports TensorFlow. Every error says file and line.
"""

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from robust import bound, catalog
from robust.bound import Bound
from robust.errors import SuiteError, suggest
from robust.quantities import Count, Eps, Seed, Severity, Target
from robust.schema import Call, bind, convert, metrics
from robust.suite import data as suite_data
from robust.suite import source
from robust.suite.lines import Lines
from robust.suite.nouns import Case, Model, Suite
from robust.suite.training import training

_NAME = r"\w[\w.+-]*"
_MODEL = (*source.KINDS, "train", "seeds", "pixels")
_CASE = ("attack", "corrupt", "data", "measure", "inspect", "images", "models", "expect")
_SWEPT = {"attack": ("attacks", "eps", Eps), "corrupt": ("corruptions", "severity", Severity)}


def load(path: str | Path, *, trust: bool = False) -> Suite:
    """Read and check a suite file.

    Args:
        path: the TOML file.
        trust: may names like "their.module:function", which run somebody's code, stand in it?

    Raises SuiteError as `file:line: what is wrong; what was probably meant`.
    """
    path = Path(path)
    text = _text(path)
    if trust:
        for folder in (str(path.parent.resolve()), str(Path.cwd())):
            sys.path.extend([folder] if folder not in sys.path else [])  # where "module:function" is looked for
    if not re.fullmatch(_NAME, path.stem, re.ASCII):
        raise SuiteError(
            f"{path}: the file names the suite, so it has letters, digits and _, and after the first . + -"
        )
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # the latter: lists in lists in lists ...
        line = re.search(r"at line (\d+)", str(error))
        raise SuiteError(f"{path}:{line[1] if line else text.count(chr(10)) + 1}: not TOML: {error}") from None
    return _Reader(path, text, trust).suite(table)


def read_case(name: str, table: dict[str, Any]) -> Case:
    """A case from a table, as it would stand under [case.NAME]; from Python, so what it names is trusted.

    Raises SuiteError for what is wrong with it.

    >>> read_case("pgd", {"attack": {"name": "pgd", "eps": ["8/255", "2/255"]}}).perturbations[0].arguments["eps"]
    0.00784313725490196
    """
    reader = _Reader(Path(name), "", trust=True)
    try:
        return reader.case(name, table, ())
    except SuiteError as error:
        error.where = ""  # there is no file
        raise


def read_model(name: str, table: dict[str, Any], seed: int = 0) -> Model:
    """A model from a table, as it would stand under [model.NAME]; from Python, so what it names is trusted.

    Raises SuiteError for what is wrong with it.

    >>> read_model("net", {"architecture": "lenet5", "train": {"recipe": "short", "epochs": 3}}).seeds
    (0,)
    """
    try:
        return _Reader(Path(name), "", trust=True).model(name, table, seed)
    except SuiteError as error:
        error.where = ""  # there is no file
        raise


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        near = [str(p) for p in path.parent.glob("*.toml")] if path.parent.is_dir() else []
        raise SuiteError(f"{path}: there is no such file{suggest(str(path), near)}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SuiteError(f"{path}: cannot be read ({error})") from None


class _Reader:
    """Reads the tables of one file and knows where they stand."""

    def __init__(self, path: Path, text: str, trust: bool):
        self.path, self.text, self.trust, self.lines = path, text, trust, Lines(path, text)

    def suite(self, table: dict[str, Any]) -> Suite:
        with self.lines.at():
            if not table:
                raise SuiteError("the file is empty; it needs data, a [model.NAME] and a [case.NAME]")
            _known(table, ("summary", "seed", "data", "model", "case"), "a suite")
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
            suite = Suite(self.path.stem, models, cases, data, seed, summary, self.path, self.text)
            _distinct([cell.id for cell in suite.cells()], "model")  # "a" with seeds [0, 1] beside "a-0"
        return suite

    def data(self, value: Any) -> Call:
        return suite_data.data(value, self.call, self.path.parent)

    def tables(self, value: Any, key: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, table in convert(value, dict, key).items():
            with self.lines.at(key, name):
                if not re.fullmatch(_NAME, name, re.ASCII):
                    raise SuiteError(
                        f"{key} {name!r}: a name has letters, digits and _, and after the first also . + -"
                    )
                checked = convert(table, dict, f"{key}.{name}")
            yield name, checked

    def model(self, name: str, table: dict[str, Any], seed: int) -> Model:
        with self.lines.at("model", name):
            _known(table, _MODEL, "a model")
            given = [key for key in source.KINDS if key in table]
            if len(given) != 1:
                has = " and ".join(given) or "none"
                raise SuiteError(f"a model is one of {', '.join(source.KINDS)}; this one has {has}")
            if "train" in table and given == ["python"]:
                raise SuiteError("train: a model that somebody's code makes is not trained here", "train")
            if "seeds" in table and "train" not in table and given != ["architecture"]:
                raise SuiteError(f"seeds: this model is {given[0]} without train, so all would be the same", "seeds")
            found = source.source(given[0], table[given[0]], self.call, self.path.parent)
            train = training(table["train"], self.call) if "train" in table else None
            seeds = _distinct(convert(table.get("seeds", [seed]), list[Seed], "seeds"), "seeds")
            pixels = source.pixels(table["pixels"]) if "pixels" in table else None
            return Model(name, given[0], found, train, tuple(seeds), pixels)  # type: ignore[arg-type]

    def case(self, name: str, table: dict[str, Any], models: tuple[Model, ...]) -> Case:
        with self.lines.at("case", name):
            _known(table, _CASE, "a case")
            if "attack" in table and "corrupt" in table:
                raise SuiteError("a case has attack or corrupt, not both", "corrupt")
            key = next((key for key in _SWEPT if key in table), None)
            perturbations, target = self.perturbations(key, table[key]) if key else ((), None)
            default = [] if "inspect" in table and not key else ["accuracy"]
            measures = self.calls("measures", table, "measure", default)
            inspections = self.calls("inspections", table, "inspect", [])
            return Case(
                name,
                perturbations,
                target,
                self.data(table["data"]) if "data" in table else None,
                measures,
                inspections,
                convert(table["images"], Count, "images") if "images" in table else None,
                _models(table["models"], models) if "models" in table else None,
                _expect(table.get("expect", {}), (*measures, *inspections), target),
                self.lines.find("case", name),
            )

    def perturbations(self, key: str, value: Any) -> tuple[tuple[Call, ...], Any]:
        kind, swept, quantity = _SWEPT[key]
        table = {"name": value} if isinstance(value, str) else dict(convert(value, dict, key))
        target = (
            convert(table.pop("target"), Target, f"{key}.target") if kind == "attacks" and "target" in table else None
        )
        if swept not in table:
            return (self.call(kind, table, key),), target
        given, where = table[swept], f"{key}.{swept}"
        listed: list = given if isinstance(given, list) else [convert(given, quantity, where)]
        upward = sorted(_distinct(convert(listed, list[quantity], where), where))
        return tuple(self.call(kind, {**table, swept: strength}, key) for strength in upward), target

    def calls(self, kind: str, table: Mapping[str, Any], key: str, default: list[str]) -> tuple[Call, ...]:
        found = [self.call(kind, v, key) for v in convert(table.get(key, default), list, key)]
        return tuple(_distinct(found, key)) if key in table else tuple(found)

    def call(self, kind: str, value: Any, key: str) -> Call:
        name = value.get("name") if isinstance(value, Mapping) else value
        if not isinstance(name, str):
            raise SuiteError(f"{key} = {value!r}: must be a name, or a table with a name", key)
        if catalog.is_foreign(name) and not self.trust:
            raise SuiteError(
                f"{key} = {name!r} runs somebody's code; if you trust this suite, say so with --trust", key
            )
        try:
            return bind(kind, value)
        except SuiteError as error:
            raise SuiteError(str(error), f"{key}.{error.key}" if error.key else key) from None


def _known(table: Mapping[str, Any], allowed: tuple[str, ...], what: str) -> None:
    for key in table:
        if key not in allowed:
            raise SuiteError(f"{what} has no {key!r}{suggest(key, allowed)}", key)


def _distinct(values: list, key: str) -> list:
    if not values:
        raise SuiteError(f"{key} = []: the list is empty", key)
    if len(set(map(repr, values))) < len(values):
        raise SuiteError(f"{key}: the same one stands there twice", key)
    return values


def _models(value: Any, models: tuple[Model, ...]) -> tuple[str, ...]:
    known = [model.name for model in models]
    for name in _distinct(convert(value, list[str], "models"), "models"):
        if name not in known:
            raise SuiteError(f"models: there is no model {name!r}{suggest(name, known)}", "models")
    return tuple(value)


def _expect(value: Any, calls: tuple[Call, ...], target: Any) -> dict[str, Bound]:
    known = [name for call in calls for name in metrics(call) if target is not None or name != "target_reached"]
    bounds = {}
    for key, text in convert(value, dict, "expect").items():
        if not (named := re.fullmatch(r"([^\[\]]+)(\[.+\])?", key)) or named[1] not in known:
            hint = (
                "; it needs an attack with a target"
                if key == "target_reached"
                else suggest(key.partition("[")[0], known)
            )
            raise SuiteError(f"expect: this case measures no {key!r}{hint}", f"expect.{key}")
        try:
            bounds[key] = bound.parse(text)
        except SuiteError as error:
            raise SuiteError(f"expect.{key}: {error}", f"expect.{key}") from None
    return bounds
