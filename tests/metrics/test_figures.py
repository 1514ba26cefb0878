"""A suite is run, and each figure computed again: from the outcomes, or from the stored logits and features."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import log_softmax, logsumexp, softmax
from sklearn.cluster import KMeans
from sklearn.metrics import roc_auc_score

import robust
from robust.core.store import Store
from robust.engine import blocks
from robust.results import tables
from robust.suite import load, read_case

pytestmark = pytest.mark.usefixtures("without_diagnostics")

SUITE = """
data = { name = "fashion_mini" }

[model.small]
architecture = { name = "lenet5", width = 0.5 }
train = { recipe = "short", epochs = 1 }

[case.clean]
max_images = 300
ood = { name = "digits" }
metrics = ["accuracy", "confusion", "hierarchy", "structure", "clusters", "calibration", "temperature", "outliers"]
expect = { worst_class = ">= 0", "ood_auroc[energy]" = ">= 0" }

[case.fgsm]
attack = { name = "fgsm", eps = "8/255" }
max_images = 300
metrics = ["confusion", "hierarchy", "structure", "clusters", "calibration"]
"""


class Report:
    """The tables, and what the blocks of both cases and the store hold."""

    def __init__(self, tmp):
        (tmp / "figures.toml").write_text(SUITE)
        self.suite, store = load(tmp / "figures.toml"), Store(tmp / "store")
        robust.run(self.suite, tmp / "out", store=store)
        self.out = tmp / "out"
        self.results = tables.read_results(self.out / "results.csv")
        self.outcomes = pd.read_parquet(self.out / "outcomes.parquet")
        self.data = self.suite.data()
        folders = (tmp / "store/blocks").glob("*/")
        self.blocks = {json.loads((each / "key.json").read_text())["case"]["name"]: each for each in folders}
        self.store = tmp / "store"
        known = list((tmp / "store/answers").glob("*/"))
        self.answers = {
            json.loads((a / "key.json").read_text())["split"]: {p.stem: np.load(p) for p in a.glob("*.npy")}
            for a in known
        }

    def value(self, metric, case, group=""):
        return robust.value(self.results, metric, subset=group, case=case, allow_invalid=True).value

    def evidence(self, kind, name):
        """An array of all shards, in the order of the outcomes."""
        found = {}
        for folder in (self.store / kind).glob("*/"):
            ids = json.loads((folder / "key.json").read_text())["ids"]
            found.update(zip(ids, np.load(folder / f"{name}.npy"), strict=True))
        ids = self.outcomes.loc[self.outcomes["case"] == "fgsm", "example"]
        return np.array([found[each] for each in ids])

    def logits(self, case):
        return self.evidence("clean", "clean") if case == "clean" else self.evidence("perturbed", "logits")

    def features(self, case):
        kind = "features" if case == "clean" else "perturbed"
        return self.evidence(kind, "features").astype(np.float64)

    def labels(self, case):
        rows = self.outcomes[self.outcomes["case"] == case]
        return rows["label"].map({name: i for i, name in enumerate(self.data.classes)}).to_numpy()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return Report(tmp_path_factory.mktemp("figures"))


CASES = pytest.mark.parametrize("case", ["clean", "fgsm"])


@pytest.mark.slow
@CASES
def test_what_the_outcomes_tell(report, case):
    rows = report.outcomes[report.outcomes["case"] == case]
    right = rows["label"] == rows["predicted"]
    recalls = right.groupby(rows["label"]).mean()
    assert report.value("worst_class", case) == pytest.approx(recalls.min())
    assert report.value("recall_std", case) == pytest.approx(recalls.std(ddof=0))
    matrix = pd.crosstab(rows["label"], rows["predicted"]).reindex(columns=recalls.index, fill_value=0)
    shares = matrix.div(matrix.sum(axis=1), axis=0).to_numpy()
    assert report.value("worst_pair", case) == pytest.approx((shares * (1 - np.eye(10))).max())
    told = report.results[(report.results["metric"] == "precision") & (report.results["case"] == case)]
    for name, value in right.groupby(rows["predicted"]).mean().items():
        assert told.set_index("subset")["value"][name] == pytest.approx(value)
    shirt = rows.loc[rows["label"] == "Shirt", "predicted"].value_counts(normalize=True)
    assert report.value("prediction_entropy", case, "Shirt") == pytest.approx(-(shirt * np.log(shirt)).sum())
    above = {name: group for group, members in report.data.superclasses.items() for name in members}
    same = rows["label"].map(above) == rows["predicted"].map(above)
    assert report.value("superclass_accuracy", case) == pytest.approx(same.mean())
    for group, value in same.groupby(rows["label"].map(above)).mean().items():
        assert report.value("superclass_recall", case, group) == pytest.approx(value)
    assert report.value("within_superclass_error_share", case) == pytest.approx(same[~right].mean())
    assert report.value("mistake_severity", case) == pytest.approx((2 - same[~right]).mean())
    confused = report.results[(report.results["metric"] == "confused") & (report.results["case"] == case)]
    for row in confused.itertuples():
        label, _, other = row.subset.partition(" -> ")
        assert round(row.value * row.n) == matrix.loc[label, other]


@pytest.mark.slow
@CASES
def test_what_the_features_tell(report, case):
    features, labels = report.features(case), report.labels(case)
    means = np.array([features[labels == c].mean(axis=0) for c in range(10)])
    inner, outer = features - means[labels], means - means.mean(axis=0)
    within, between = inner.T @ inner / len(labels), outer.T @ outer / 10
    assert report.value("within_scatter", case) == pytest.approx(np.trace(within))
    assert report.value("between_scatter", case) == pytest.approx(np.trace(between))
    shirts = features[labels == report.data.classes.index("Shirt")]
    assert report.value("class_scatter", case, "Shirt") == pytest.approx(shirts.var(axis=0).sum())
    assert report.value("fisher_ratio", case) == pytest.approx(np.trace(between) / np.trace(within))
    nc1 = np.trace(within @ np.linalg.pinv(between, rcond=1e-12, hermitian=True)) / 10
    assert report.value("nc1", case) == pytest.approx(nc1, rel=1e-6)
    train = report.answers["train"]
    centres = np.array([train["features"][train["labels"] == c].astype(float).mean(axis=0) for c in range(10)])
    nearest = ((features[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
    agrees = (nearest == report.logits(case).argmax(axis=1)).mean()
    assert report.value("ncc_agreement", case) == pytest.approx(agrees)


@pytest.mark.slow
@CASES
def test_what_the_clusters_tell(report, case):
    features, labels, train = report.features("clean"), report.labels(case), report.answers["train"]
    right, worst = report.logits(case).argmax(axis=1) == labels, 1.0
    for c, name in enumerate(report.data.classes):
        found = KMeans(3, n_init=4, random_state=0).fit(train["features"][train["labels"] == c].astype(float))
        order = np.argsort(-np.bincount(found.labels_), kind="stable")
        places = found.predict(features[labels == c])
        for i, place in enumerate(order, 1):
            if (own := places == place).any():
                share = right[labels == c][own].mean()
                assert report.value("cluster_recall", case, f"{name} #{i}") == pytest.approx(share)
                worst = min(worst, share) if own.sum() >= 10 else worst
    assert report.value("worst_cluster", case) == pytest.approx(worst)


@pytest.mark.slow
@CASES
def test_what_the_logits_tell(report, case):
    logits, labels = report.logits(case).astype(float), report.labels(case)
    probabilities = softmax(logits, axis=1)
    confidence, right = probabilities.max(axis=1), logits.argmax(axis=1) == labels
    place = np.ceil(confidence * 15)
    ece = sum((place == b).mean() * abs((right - confidence)[place == b].mean()) for b in np.unique(place))
    assert report.value("ece", case) == pytest.approx(ece)
    assert report.value("brier", case) == pytest.approx(((probabilities - np.eye(10)[labels]) ** 2).sum(axis=1).mean())
    risks = np.cumsum(~right[np.argsort(-confidence)]) / np.arange(1, len(right) + 1)
    assert report.value("aurc", case) == pytest.approx(risks.mean(), abs=1e-3)  # up to ties
    for metric, sum_ in (("bin_accuracy", right.sum()), ("bin_confidence", confidence.sum())):
        bins = report.results[(report.results["metric"] == metric) & (report.results["case"] == case)]
        assert bins["n"].sum() == 300 and (bins["n"] * bins["value"]).sum() == pytest.approx(sum_)
    truth, places = np.eye(10)[labels], np.ceil(probabilities * 15)
    gaps = [_gaps(probabilities[:, c], truth[:, c], places[:, c]) for c in range(10)]
    assert report.value("ece_classwise", case) == pytest.approx(np.mean([(gap * n).sum() / 300 for gap, n in gaps]))
    mass = np.arange(300) // 20  # 15 bins of 20 images each
    gap, n = _gaps(*_sorted(confidence, right), mass)
    assert report.value("ece_adaptive", case) == pytest.approx((gap * n).sum() / 300)
    gaps = [_gaps(*_sorted(probabilities[:, c], truth[:, c]), mass)[0] for c in range(10)]
    assert report.value("ace", case) == pytest.approx(np.mean(gaps), abs=1e-4)  # up to ties


def _sorted(confidence, right):
    order = np.argsort(confidence)
    return confidence[order], right[order]


def _gaps(confidence, right, place):
    """|accuracy - mean confidence| of each bin that holds an image, and how many it holds."""
    own = [place == b for b in np.unique(place)]
    return np.array([abs((right - confidence)[o].mean()) for o in own]), np.array([o.sum() for o in own])


@pytest.mark.slow
def test_the_temperature_is_the_best_on_the_validation_split(report):
    held, t = report.answers["validation"], report.value("temperature", "clean")
    rows = np.arange(len(held["labels"]))

    def nll(by):
        return -log_softmax(held["logits"].astype(float) / by, axis=1)[rows, held["labels"]].mean()

    assert len(rows) == report.data.size("validation")
    assert nll(t) <= min(nll(t * 1.01), nll(t / 1.01))
    logits, labels = report.logits("clean").astype(float), report.labels("clean")
    scaled = -log_softmax(logits / t, axis=1)[np.arange(300), labels].mean()
    assert report.value("nll_scaled", "clean") == pytest.approx(scaled)
    squares = ((softmax(logits / t, axis=1) - np.eye(10)[labels]) ** 2).sum(axis=1)
    assert report.value("brier_scaled", "clean") == pytest.approx(squares.mean())


@pytest.mark.slow
def test_what_the_images_from_outside_tell(report):
    outside = np.load(report.blocks["clean"] / "ood" / "logits.npy").astype(float)
    inside = report.logits("clean").astype(float)
    truth = np.repeat([1, 0], [len(inside), len(outside)])
    assert len(outside) == 1797
    for name, score in (("energy", logsumexp), ("max softmax", lambda x, axis: softmax(x, axis).max(axis))):
        area = roc_auc_score(truth, np.concatenate([score(inside, axis=1), score(outside, axis=1)]))
        assert report.value("ood_auroc", "clean", name) == pytest.approx(area)
        at = np.sort(score(inside, axis=1))[15]  # 285 of the 300 reach it
        let_in = (score(outside, axis=1) >= at).mean()
        assert report.value("ood_fpr95", "clean", name) == pytest.approx(let_in, abs=2 / 1797)


@pytest.mark.slow
def test_the_page_shows_it_all(report):
    page = (report.out / "index.html").read_text()
    for section in ("structure", "calibration", "confusion"):
        assert f'<section id="{section}"' in page
    for words in (
        "Clusters within each class",
        "to a class of the same superclass",
        "Reliability, clean",
        "mahalanobis",
    ):
        assert words in page
    shown = pd.read_csv(report.out / "samples/shown.csv")
    assert set(shown["case"]) == {"clean", "fgsm"} and set(shown["metric"]) == {"cluster_recall"}
    for file, rows in shown.groupby("file"):
        with np.load(report.out / "samples" / file) as arrays:
            assert set(rows["example"]) == set(arrays["ids"].tolist())
    assert page.count('class="face wrong"') > 10


@pytest.mark.slow
def test_the_report_says_which_images_and_whose_groups(report):
    told = json.loads((report.out / "environment.json").read_text())
    assert told["contents"] == {"clean": report.data.content, "fgsm": report.data.content}  # outside is no part of it
    assert told["groups"] == {}  # the data's own
    tree = {"name": "hierarchy", "tree": {"a": list(report.data.classes[:4]), "b": list(report.data.classes[4:])}}
    found = blocks.own_groups(read_case("c", {"metrics": [tree]}), report.data)
    assert {name: len(members) for name, members in found.items()} == {"a": 4, "b": 6}


@pytest.mark.slow
def test_features_are_computed_once_a_model_and_only_where_a_measure_asks(report):
    assert set(report.answers) == {"train", "validation"}
    assert not (report.blocks["fgsm"] / "ood").exists()
