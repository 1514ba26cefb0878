"""A report folder as `run` fills it, made by hand: three models, a clean case, attacks, a bound missed."""

import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from robust.core.statistics import bounded_mean, clopper_pearson
from robust.report.conditions import Condition, TrainedModel
from robust.report.folder import Folder
from robust.results import manifest, tables

CLASSES = ["T-shirt/top", "Trouser", "Coat", "Shirt"]
SHAPE = (12, 10, 1)
SKILL = {  # how often a model is right under each condition
    "lenet5": {"clean": 0.9, "fgsm": 0.3, "pgd2": 0.6, "pgd8": 0.05, "fog": 0.5},
    "resnet20": {"clean": 0.95, "fgsm": 0.35, "pgd2": 0.55, "pgd8": 0.0, "fog": 0.7},
    "hardened": {"clean": 0.85, "fgsm": 0.75, "pgd2": 0.8, "pgd8": 0.7, "fog": 0.6, "survives": 0.7},
}
CONDITIONS = {
    "clean": ("clean", "clean", "", np.nan, None),
    "fgsm": ("fgsm", "fgsm", "linf", 8 / 255, None),
    "pgd2": ("pgd", "pgd", "linf", 2 / 255, None),
    "pgd8": ("pgd", "pgd", "linf", 8 / 255, None),
    "fog": ("weather", "fog", "", np.nan, 3),
    "survives": ("survives", "pgd", "linf", 8 / 255, None),
}
BOUNDS = {"clean": ("top1", 0.8), "survives": ("top1", 0.95)}
SUITE = """summary = "A fake"

[model.lenet5]
architecture = "lenet5"
[model.resnet20]
architecture = "resnet20"
[model.hardened]
architecture = "resnet20"

[case.clean]
expect = { top1 = ">= 0.8" }
[case.fgsm]
[case.pgd]
[case.weather]
[case.survives]
models = ["hardened"]
expect = { top1 = ">= 0.95" }
"""
FIELDS = ["case", "perturbation", "norm", "eps", "severity"]


def outcomes(run: dict, condition: dict, skill: float, classes: list[str], n: int) -> list[dict]:
    """What a model with this skill would say of n examples; the wrong answers are mostly the next class."""
    random = np.random.default_rng([n, *map(ord, run["model"] + condition["case"])])
    rows = []
    for i in range(n):
        label = i % len(classes)
        said = label if random.random() < skill else (label + 1 + int(random.random() < 0.2)) % len(classes)
        row = {"example": str(i), "label": classes[label], "predicted": classes[said], "target": ""}
        sure = 0.5 + random.random() / 2
        cost = -np.log(sure if said == label else (1 - sure) / 2)
        rows.append({**run, **condition, **row, "confidence": sure, "nll": cost, "in_top5": True})
    return rows


def results(run: dict, condition: dict, asked: list[dict], bound: tuple[str, float] | None) -> list[dict]:
    """The rows of results.csv that belong to these outcomes: top1, recall of each class, nll."""
    common = {
        **run,
        **condition,
        "suite": "quick",
        "data": "fake",
        "split": "test",
        "weights_sha": "abc",
        "seconds": 1.5,
    }
    common |= {"n_forward": 20.0, "n_backward": 19.0, "occupancy": 0.925}
    found = [{**common, **_share("top1", "", [o["label"] == o["predicted"] for o in asked], bound)}]
    for name in dict.fromkeys(o["label"] for o in asked):
        right = [o["predicted"] == name for o in asked if o["label"] == name]
        found.append({**common, **_share("recall", name, right, None)})
    nll = float(np.mean([np.float32(o["nll"]) for o in asked], dtype=np.float64))
    low = bounded_mean(np.array([o["nll"] for o in asked]), 0, 9)[0]
    found.append(
        {**common, "metric": "nll", "value": nll, "ci_low": low, "ci_high": 9.0, "unit": "nats", "n": len(asked)}
    )
    return found


def _share(metric: str, group: str, right: list[bool], bound: tuple[str, float] | None) -> dict:
    low, high = clopper_pearson(sum(right), len(right))
    value = sum(right) / len(right)
    row = {"metric": metric, "subset": group, "value": value, "ci_low": low, "ci_high": high, "n": len(right)}
    row |= {"ci_method": "exact 95 %", "unit": "proportion"}
    return row | ({"bound": f">= {bound[1]}", "passed": value >= bound[1]} if bound else {})


def fill(folder: Path, classes: list[str], n: int, images: np.ndarray) -> Path:
    """Write a whole report folder."""
    (folder / "samples").mkdir(parents=True)
    rows, asked, index = [], [], []
    for model, skills in SKILL.items():
        for name, skill in skills.items():
            run, condition = {"model": model, "seed": 0}, dict(zip(FIELDS, CONDITIONS[name], strict=True))
            said = outcomes(run, condition, skill, classes, n)
            asked += said
            rows += results(run, condition, said, BOUNDS.get(name))
            if name != "clean":
                file = f"{model}-{name}.npz"
                save_sample(folder / "samples" / file, images, condition["eps"])
                index.append({"file": file, **run, **condition})
    with manifest.rewritten(folder):
        tables.write_results(table(rows, tables.RESULTS), folder / "results.csv")
        tables.write_outcomes(table(asked, tables.OUTCOMES), folder / "outcomes.parquet")
        pd.DataFrame(index).to_csv(folder / "samples" / "index.csv", index=False)
        (folder / "suite.toml").write_text(SUITE)
        (folder / "environment.json").write_text(json.dumps(environment(classes, n, images.shape[1:])))
    return folder


def table(rows: list[dict], columns: dict[str, str]) -> pd.DataFrame:
    """Rows as the table that `record` writes; what a row does not say is "" or 0."""
    empty = {name: {"str": "", "int32": 0, "float32": 0, "bool": False}.get(kind) for name, kind in columns.items()}
    return pd.DataFrame([{**empty, **row} for row in rows])[list(columns)].astype(columns)


def save_sample(path: Path, images: np.ndarray, eps: float) -> None:
    """The original images and their perturbation by a random sign, as far as [0, 1] goes."""
    random = np.random.default_rng(0)
    eps = 0.1 if np.isnan(eps) else eps
    perturbed = np.clip(images + eps * random.choice([-1, 1], images.shape), 0, 1).astype(np.float32)
    ids = np.array([str(i) for i in range(len(images))])
    np.savez(path, ids=ids, targets=np.full(len(images), ""), original=images, perturbed=perturbed)


def environment(classes: list[str], n: int, shape: tuple[int, ...]) -> dict:
    """What environment.json says."""
    about = {
        "architecture": "resnet20",
        "parameters": 61706,
        "weights_sha": "abc",
        "training_seconds": 6.2,
        "seeds": [0],
    }
    data = {"name": "fake", "split": "test", "classes": classes, "superclasses": {}}
    return {
        "suite": "quick", "summary": "Do they survive?", "seed": 0, "made": "2026-01-02T03:04:05+00:00",
        "robust": "0.1.0", "python": "3.12.3", "packages": {"keras": "3.8.0"},
        "machine": {"cpus": 2, "gpus": 0, "platform": "Linux"},
        "data": {**data, "image_shape": list(shape), "images": n},
        "models": {name: {**about, "history": None} for name in SKILL},
    }  # fmt: skip


def pictures(shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Three images whose pixels are whole steps of 8 bits."""
    return np.random.default_rng(1).integers(0, 256, (3, *shape)).astype(np.float32) / np.float32(255)


class Document(HTMLParser):
    """A page taken apart: its tags with their attributes, its text, and the data of its charts."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.specs, self._inside = "", [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = dict(attrs).get("type", tag) if tag in ("script", "style") else ""

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside == "application/json":
            self.specs.append(json.loads(data))
        elif not self._inside:
            self.text += data

    def attributes(self, tag: str, name: str) -> list[str | None]:
        return [attributes.get(name) for found, attributes in self.tags if found == tag]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small and whole report folder."""
    return fill(tmp_path / "quick", CLASSES, 40, pictures())


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """How numbers are shown that a test has made up: they are not recounted from the outcomes."""
    monkeypatch.setattr("robust.report.folder._recounted", lambda *_: {})


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """A function that makes a report folder of other classes, of n examples, with other images."""
    return lambda classes, n=40, shape=SHAPE: fill(tmp_path / "made", classes, n, pictures(shape))


@pytest.fixture
def document() -> Callable[[Path], Document]:
    """A function that takes a page apart."""
    return lambda path: Document(path.read_text(encoding="utf-8"))


@pytest.fixture
def page_of(tmp_path: Path) -> Callable[..., Folder]:
    """A function that makes a folder, as it is when it was read, of these rows of values and of outcomes."""

    def page_of(rows: list[dict], asked: list[dict] = ()) -> Folder:
        known = environment(CLASSES, 40, SHAPE)
        known["models"] = {row["model"]: {"seeds": [0]} for row in [*rows, *asked]}
        cells = {}
        for key, part in table(list(asked), tables.OUTCOMES).groupby(FIELDS, dropna=False, sort=False) if asked else ():
            for model, own in part.groupby("model", sort=False):
                where = dict(zip(FIELDS, key, strict=True))
                severity = None if pd.isna(where["severity"]) else int(where["severity"])
                eps = None if pd.isna(where["eps"]) else float(f"{where['eps']:.9g}")
                cells[TrainedModel(str(model), 0), Condition(**{**where, "eps": eps, "severity": severity})] = own
        return Folder(tmp_path, known, table(rows, tables.RESULTS), cells, {}, "")

    return page_of
