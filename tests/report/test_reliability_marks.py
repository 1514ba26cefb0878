"""Every section of the page that shows numbers of a model in doubt says so beside its name."""

import re

import pytest

from robust.report import page
from robust.report.reliability_marks import marked, named

CLEAN = {"case": "clean", "perturbation": "clean", "eps": float("nan"), "severity": None}
FAR = {"case": "far", "perturbation": "fab", "norm": "linf", "eps": 0.1, "severity": None}
SENT = {"case": "sent", "perturbation": "pgd", "norm": "linf", "eps": 0.1, "severity": None}
CORRUPTED = [
    {"case": "weather", "perturbation": name, "eps": float("nan"), "severity": 1, "metric": "top1_error"}
    for name in ("fog", "snow")
]
SHARE = {"value": 0.5, "ci_low": 0.4, "ci_high": 0.6, "unit": "proportion", "ci_method": "exact 95 %", "n": 40}
NUMBER = {**SHARE, "unit": "", "ci_method": ""}
ROWS = [
    {**CLEAN, **SHARE, "metric": "top1"},
    {**CLEAN, **SHARE, "metric": "worst_class"},
    {**CLEAN, **NUMBER, "metric": "ece"},
    {**CLEAN, **SHARE, "metric": "ood_auroc", "subset": "energy"},
    {**CLEAN, **SHARE, "metric": "ood_fpr95", "subset": "energy"},
    {**CLEAN, **SHARE, "metric": "cluster_recall", "subset": "Coat #1"},
    {**CLEAN, **NUMBER, "metric": "parameters", "unit": "parameters", "value": 10.0},
    {**CLEAN, **NUMBER, "metric": "output_gradient", "subset": "first"},
    {**CLEAN, **NUMBER, "metric": "output_gradient_ratio"},
    {**FAR, **NUMBER, "metric": "median_distance"},
    {**FAR, **SHARE, "metric": "censored"},
    *({**FAR, **NUMBER, "metric": "distance_quartile", "subset": group} for group in ("lower", "upper")),
    {**SENT, **SHARE, "metric": "sent", "subset": "Coat -> Shirt"},
    *({**row, **SHARE} for row in CORRUPTED),
]
SECTIONS = ("sizes", "corruptions", "distances", "targetability", "gradients", "confusion", "structure", "calibration")


@pytest.fixture
def sections(page_of):
    """The sections of a page of two models: of each its text between two names."""
    trust = {"doubtful": "invalid", "sound": "reliable"}
    rows = [{**row, "model": model, "seed": 0, "reliability": word} for model, word in trust.items() for row in ROWS]
    said = {**CLEAN, "norm": "", "label": "Coat", "predicted": "Shirt", "seed": 0, "confidence": 0.5}
    folder = page_of(rows, [{**said, "model": model, "example": "0"} for model in trust])
    text = page.render(folder)
    return {name: re.search(rf'<section id="{name}".*?</section>', text, re.DOTALL)[0] for name in SECTIONS}


MARK = '<span class="mark missed">invalid</span>'


@pytest.mark.slow
@pytest.mark.parametrize("name", SECTIONS)
def test_each_section_marks_the_model_whose_numbers_are_in_doubt_and_no_other(name, sections):
    shown = sections[name]
    heads = re.findall(r'<th scope="row">((?:doubtful|sound).*?)</th>', shown)
    assert all((MARK in head) == head.startswith("doubtful") for head in heads)
    cards = shown.split("<summary>")[1:]  # a model's own, with its titles
    of_model = {card.split("<")[0].split(",")[0].strip(): card for card in cards}
    assert all((MARK in card) == (model == "doubtful") for model, card in of_model.items())
    cells = re.findall(r'<span class="prediction".*?>(doubtful|sound)( <span.*?</span>)? <strong>', shown)
    assert all(mark == (f" {MARK}" if model == "doubtful" else "") for model, mark in cells)
    assert len([*heads, *cards, *cells]) >= 2


def test_a_name_that_looks_like_a_mark_stays_text():
    assert marked(named("<b>", None)) == "&lt;b&gt;" == marked("<b>")
