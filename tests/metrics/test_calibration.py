import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, log_softmax, logit, logsumexp, softmax
from scipy.stats import binom, binomtest, norm
from sklearn.metrics import brier_score_loss, roc_auc_score

from robust.core import statistics
from robust.core.errors import DataError
from robust.core.zero_probability import NEVER
from robust.metrics import binning, calibration, outliers, roc, temperature
from robust.metrics.outliers import CHOSEN, ROUNDED, SHIFTED, mahalanobis
from robust.metrics.temperature import UNITS, fit, interval
from robust.results.evaluation import IMPOSSIBLE, EvaluationResult, Predictions

random = np.random.default_rng(0)


def _result(logits, labels, **more):
    ids = np.array([str(i) for i in range(len(labels))])
    return EvaluationResult(tuple("abcdefghij"[: logits.shape[1]]), ids, labels, logits, **more)


def _sampled(n, classes=4, scale=2.0, seed=0):
    """Logits, and labels drawn from exactly the probabilities that they say."""
    own = np.random.default_rng(seed)
    logits = scale * own.normal(size=(n, classes))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return logits, (own.random(n)[:, None] > probabilities.cumsum(axis=1)).sum(axis=1)


def _values(measure, result, **arguments):
    return {(v.metric, v.subset): v for v in measure(result, **arguments)}


def test_a_model_that_says_90_and_is_right_on_70_has_an_ece_of_20_percent():
    logits = np.tile(np.log([0.9, 0.1]), (1000, 1))
    labels = (np.arange(1000) % 10 >= 7).astype(int)
    values = _values(calibration, _result(logits, labels))
    for metric in ("ece", "ece_adaptive", "ece_classwise", "ace"):
        assert values[metric, ""].value == pytest.approx(0.2, abs=5e-3), metric
    assert values["ece", ""].ci_low < 0.2 < values["ece", ""].ci_high
    assert values["brier", ""].value == pytest.approx(0.7 * 2 * 0.01 + 0.3 * 2 * 0.81)
    assert values["aurc", ""].value == pytest.approx(0.3)  # nothing to tell the images apart by
    assert values["bin_accuracy", "(0.867, 0.933]"].value == 0.7


def test_a_calibrated_model_has_a_small_error_that_shrinks_with_more_images():
    few, many = (binning.ece(*_confidence(*_sampled(n))).value for n in (500, 50_000))
    assert many < 0.01 and many < few / 2


def _confidence(logits, labels):
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return probabilities.max(axis=1), probabilities.argmax(axis=1) == labels


def _written_out(confidence, right, edges):
    """The definition, bin by bin."""
    total = 0.0
    for low, high in itertools.pairwise(edges):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            total += inside.sum() * abs(right[inside].mean() - confidence[inside].mean())
    return total / len(confidence)


@pytest.mark.parametrize("bins", [5, 15])
def test_errors_agree_with_their_definitions_written_out(bins):
    logits, labels = _sampled(600, scale=4.0)
    logits = 1.7 * logits
    probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    values = _values(calibration, _result(logits, labels), bins=bins)
    edges = np.linspace(-1e-12, 1, bins + 1)
    edges[1:] = np.arange(1, bins + 1) / bins
    assert values["ece", ""].value == pytest.approx(_written_out(confidence, right, edges))
    one_by_one = [_written_out(probabilities[:, c], labels == c, edges) for c in range(4)]
    assert values["ece_classwise", ""].value == pytest.approx(np.mean(one_by_one))
    order, total = np.argsort(confidence), 0.0
    for part in np.array_split(order, bins):  # 600 is a multiple of both
        total += len(part) / 600 * abs(right[part].mean() - confidence[part].mean())
    assert values["ece_adaptive", ""].value == pytest.approx(total)
    gaps = [
        abs((labels[part] == c).mean() - probabilities[part, c].mean())
        for c in range(4)
        for part in np.array_split(np.argsort(probabilities[:, c]), bins)
    ]
    assert values["ace", ""].value == pytest.approx(np.mean(gaps))
    assert values["brier", ""].value == pytest.approx(brier_score_loss(labels, probabilities, scale_by_half=False))


@pytest.mark.parametrize("n", [25, 7, 60])
def test_cells_of_equal_mass_count_alike_however_many_images_they_hold(n):
    """Of 25 images in ten bins some hold two and some three; of 7 three bins are empty and do not count."""
    random = np.random.default_rng(n)
    probabilities, labels = softmax(random.normal(size=(n, 3)), axis=1), random.integers(0, 3, n)
    gaps = []
    for c in range(3):
        order = np.argsort(probabilities[:, c])
        place = np.arange(n) * 10 // n
        for one in np.unique(place):
            rows = order[place == one]
            gaps.append(abs((labels[rows] == c).mean() - probabilities[rows, c].mean()))
    assert binning.ace(probabilities, labels, 10).value == pytest.approx(np.mean(gaps))


def test_the_area_under_risk_and_coverage_by_hand():
    confidence, right = np.array([0.9, 0.8, 0.8, 0.6]), np.array([True, True, False, False])
    # accepted together, the two of 0.8 count half an error each
    assert binning.aurc(confidence, right) == pytest.approx((0 + 0.5 / 2 + 1 / 3 + 2 / 4) / 4)


def test_reliability_counts_every_image_once():
    logits, labels = _sampled(300)
    values = _values(calibration, _result(logits, labels))
    bins = [v for (metric, _), v in values.items() if metric == "bin_accuracy"]
    assert sum(v.n for v in bins) == 300
    right = (logits.argmax(axis=1) == labels).sum()
    assert sum(v.n * v.value for v in bins) == pytest.approx(right)


@pytest.mark.parametrize("wrong_by", [0.4, 2.5])
def test_the_temperature_is_recovered_from_scaled_logits(wrong_by):
    logits, labels = _sampled(20_000, seed=1)
    assert fit(wrong_by * logits, labels) == pytest.approx(wrong_by, rel=0.03)


@pytest.mark.parametrize("scale", [10, 20, 40, 80, 1e4])
def test_where_all_are_right_no_temperature_is_best_and_the_end_of_the_range_says_so(scale):
    labels = np.arange(60) % 4
    logits = scale * np.eye(4)[labels] + np.random.default_rng(0).normal(0, 0.5, (60, 4))
    values = list(
        temperature(_result(logits, labels, get_predictions=lambda split: Predictions(labels, logits, logits)))
    )
    assert values[0].value == pytest.approx(1 / 50) and np.isnan(values[0].ci_low) and np.isnan(values[0].ci_high)
    assert all("no T in [0.02, 50] is best" in value.ci_method for value in values)
    assert [(v.metric, v.n) for v in values[1:]] == [(metric, 0) for metric in UNITS]
    assert all(np.isnan(value.value) for value in values[1:])


def test_logits_that_know_less_than_nothing_have_no_best_temperature_either():
    labels = np.arange(60) % 4
    assert fit(-np.eye(4)[labels], labels) == pytest.approx(50)


def test_one_mistake_gives_a_temperature_that_doubles_where_the_logits_do():
    labels, logits = np.arange(60) % 4, 8 * np.eye(4)[np.arange(60) % 4]
    labels[0] = 1
    assert fit(2 * logits, labels) == pytest.approx(2 * fit(logits, labels), rel=1e-6)
    rows = np.arange(60)
    best = fit(logits, labels)
    own = [-(log_softmax(logits / t, axis=1)[rows, labels]).mean() for t in (best, 0.999 * best, 1.001 * best)]
    assert own[0] < min(own[1:])


def test_scaling_mends_what_scaling_broke_and_never_sees_the_test_images():
    logits, labels = _sampled(1500, seed=1)
    held, of_held = _sampled(1500, seed=2)
    asked = []

    def ask(split):
        asked.append(split)
        return Predictions(of_held, 3 * held, held)

    result = _result(3 * logits, labels, get_predictions=ask)
    values, before = _values(temperature, result), _values(calibration, result)
    assert asked == ["validation"]
    assert values["temperature", ""].value == fit(3 * held, of_held) == pytest.approx(3, rel=0.1)
    assert values["temperature", ""].ci_low < 3 < values["temperature", ""].ci_high
    assert before["ece", ""].value > 0.15 and values["ece_scaled", ""].value < 0.05
    assert values["nll_scaled", ""].value < result.nll.mean()
    assert values["brier_scaled", ""].value < before["brier", ""].value


@pytest.mark.parametrize("over", [0.5, 3.0])
def test_the_interval_of_a_temperature_is_where_the_mean_score_may_be_0(over):
    logits, labels = _sampled(400, seed=4)
    low, high = interval(over * logits, labels)
    assert low < fit(over * logits, labels) < high and low < over < high
    wide = [end / over for end in interval(logits * over, labels)]
    assert wide == pytest.approx(interval(logits, labels), rel=3e-3)  # it doubles where the logits do
    assert high / low < 2
    few = interval(over * logits[:50], labels[:50])
    assert few[0] < low and few[1] > high


def test_a_calibrated_model_has_an_error_of_0_in_its_interval_and_a_boaster_not():
    logits, labels = _sampled(1000, seed=6)
    calibrated, boaster = (_values(calibration, _result(by * logits, labels)) for by in (1, 4))
    for metric in ("ece", "ece_adaptive", "ece_classwise", "ace"):
        assert calibrated[metric, ""].ci_low == 0 < calibrated[metric, ""].value < calibrated[metric, ""].ci_high
        assert 0 < boaster[metric, ""].ci_low < boaster[metric, ""].value < boaster[metric, ""].ci_high
        assert boaster[metric, ""].ci_method == binning.INTERVAL


def test_the_chance_gaps_of_a_calibrated_model_are_what_the_low_end_allows_for():
    """Drawn anew from its own probabilities, 97.5 of 100 errors lie below the allowance."""
    logits, _ = _sampled(300, seed=7)
    own, above = np.random.default_rng(0), []
    probabilities = softmax(logits, axis=1)
    confidence = probabilities.max(axis=1)
    for _ in range(400):
        right = own.random(300) < confidence
        above.append(binning.ece(confidence, right).low > 0)
    assert np.mean(above) <= 0.05


@pytest.mark.slow_after_first
@pytest.mark.parametrize(("n", "least"), [(20, 0.9), (100, 0.93), (1000, 0.93)])
def test_an_error_of_one_bin_is_covered_at_every_share_that_is_right(n, least):
    """All as sure, in one bin, summed over how many may be right: where all are, the bin must not seem certain."""
    for sure in (0.95, 0.97, 0.99):
        ends = np.array([binning.ece(np.full(n, sure), np.arange(n) < k)[1:] for k in range(n + 1)])
        for share in (0.9, 0.95, 0.965, 0.975, 0.98, 0.99, 0.998):
            true = abs(share - sure)
            held = (ends[:, 0] <= true + 1e-9) & (true - 1e-9 <= ends[:, 1])
            assert binom.pmf(np.arange(n + 1), n, share)[held].sum() >= least, (sure, share)


def test_each_image_adds_its_part_of_the_area_under_risk_and_coverage():
    confidence, right = np.random.default_rng(0).random(50).round(1), np.random.default_rng(1).random(50) < 0.7
    assert binning.refused(confidence, right).mean() == pytest.approx(binning.aurc(confidence, right))


def test_data_without_a_validation_split_is_refused():
    from robust.datasets.dataset import from_arrays

    data = from_arrays(np.zeros((2, 4, 4, 1)), [0, 1])
    result = _result(np.eye(2), np.array([0, 1]), get_predictions=lambda split: data.size(split))
    with pytest.raises(DataError, match="has no split 'validation'"):
        next(temperature(result))


def _asking(inside, outside, train):
    known = {"ood": outside, "train": train}
    return _result(
        inside.logits, inside.labels, get_features=lambda: inside.features, get_predictions=known.__getitem__
    )


def _answers(n, shift, seed):
    logits, labels = _sampled(n, classes=3, seed=seed)
    own = np.random.default_rng(seed + 9)
    means = np.array([[4.0, 0, 0], [0, 4, 0], [0, 0, 4]])
    return Predictions(labels, logits, means[labels] + own.normal(size=(n, 3)) + shift)


def test_outliers_agree_with_scikit_learn_and_with_the_definition():
    from scipy.spatial.distance import mahalanobis as theirs
    from sklearn.covariance import EmpiricalCovariance

    train, inside, outside = _answers(400, 0, 1), _answers(120, 0, 2), _answers(80, 3, 3)
    values = _values(outliers, _asking(inside, outside, train))
    means = np.array([train.features[train.labels == c].mean(axis=0) for c in range(3)])
    precision = EmpiricalCovariance(assume_centered=True).fit(train.features - means[train.labels]).precision_
    scores = {
        "max softmax": lambda a: softmax(a.logits, axis=1).max(axis=1),
        "energy": lambda a: logsumexp(a.logits, axis=1),
        "mahalanobis": lambda a: [-min(theirs(f, m, precision) for m in means) for f in a.features],
    }
    for name, score in scores.items():
        one, other = np.array(score(inside)), np.array(score(outside))
        expected = roc_auc_score(np.repeat([1, 0], [120, 80]), np.concatenate([one, other]))
        assert values["ood_auroc", name].value == pytest.approx(expected), name
        assert values["ood_auroc", name].ci_low <= expected <= values["ood_auroc", name].ci_high
        let_in = max(t for t in one if (one >= t).mean() >= 0.95)
        assert values["ood_fpr95", name].value == pytest.approx((other >= let_in).mean()), name
    assert values["ood_auroc", "mahalanobis"].value > 0.9


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_energy_of_log_probabilities_is_none(dtype):
    """Softmax forgets what is added to all logits: energy is that alone, here the rounding of 0."""
    import ml_dtypes

    rounded = ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype
    train, inside, outside = _answers(400, 0, 1), _answers(120, 0, 2), _answers(80, 3, 3)
    logged = [
        each._replace(logits=log_softmax(each.logits, axis=1).astype(rounded).astype("float32"))
        for each in (inside, outside)
    ]
    values, whole = _values(outliers, _asking(*logged, train)), _values(outliers, _asking(inside, outside, train))
    for metric in ("ood_auroc", "ood_fpr95"):
        none = values[metric, "energy"]
        assert math.isnan(none.value) and math.isnan(none.ci_low) and none.ci_method == SHIFTED
        assert values[metric, "max softmax"].value == pytest.approx(whole[metric, "max softmax"].value, abs=0.02)
        assert whole[metric, "energy"].ci_method != SHIFTED
    small = [each._replace(logits=each.logits / 1e6) for each in (inside, outside)]  # small, and no probabilities
    scaled = _values(outliers, _asking(*small, train))["ood_auroc", "energy"].value
    means = [each.logits.mean(axis=1) for each in (inside, outside)]  # what energy is in the limit
    assert scaled == pytest.approx(roc.auroc(*means), abs=0.01)


def test_what_bfloat16_leaves_of_a_sum_of_a_thousand_probabilities():
    import ml_dtypes

    logp = log_softmax(np.random.default_rng(0).normal(size=(400, 1000)) * np.linspace(0, 8, 400)[:, None], axis=1)
    assert 0.001 < np.abs(logsumexp(logp.astype(ml_dtypes.bfloat16).astype(float), axis=1)).max() < ROUNDED


@pytest.mark.parametrize("form", [lambda z: (0 * z, z), lambda z: (z, 0 * z)])
def test_energy_of_one_logit_for_two_classes_is_none(form):
    """0 and z, -z and 0, -z/2 and z/2 are one model."""
    own = np.random.default_rng(0)
    labels = [np.arange(n) % 2 for n in (90, 60)]
    given = [Predictions(each, np.stack(form(own.normal(size=len(each))), 1), np.eye(2)[each]) for each in labels]
    value = _values(outliers, _asking(given[0], given[1], given[0]))["ood_auroc", "energy"]
    assert math.isnan(value.value) and value.ci_method == CHOSEN


def test_images_of_the_same_kind_cannot_be_told_apart():
    train = _answers(300, 0, 1)
    values = _values(outliers, _asking(_answers(500, 0, 2), _answers(500, 0, 3), train))
    for name in ("max softmax", "energy", "mahalanobis"):
        assert abs(values["ood_auroc", name].value - 0.5) < 4 * 0.0183, (
            name
        )  # its standard error at 0.5: sqrt(1001 / 12) / 500


def test_scores_that_lie_apart_have_an_interval_below_1():
    """40 of each that do not overlap say that the area is large, and not that it is 1."""
    labels = np.arange(40) % 2
    inside, outside = (
        Predictions(labels, np.eye(2)[labels] * 9, np.eye(2)[labels]),
        Predictions(labels, np.zeros((40, 2)), np.zeros((40, 2))),
    )
    values = _values(outliers, _asking(inside, outside, inside))
    assert values["ood_auroc", "energy"].value == 1 == values["ood_auroc", "energy"].ci_high
    assert 0.85 < values["ood_auroc", "energy"].ci_low < 0.97
    assert (values["ood_fpr95", "energy"].ci_low, values["ood_fpr95", "energy"].ci_high) == (
        0,
        1,
    )  # 2 of 40 may lie anywhere
    many = roc.fpr95_interval(np.arange(200.0) + 1, -np.arange(200.0))
    assert many[0] == 0 < many[1] < 0.03


def test_the_interval_of_an_area_holds_delongs_on_the_logit_scale():
    """Written out by pairs of images: unlike spreads, so that the ranks of one side alone carry the variance."""
    own = np.random.default_rng(3)
    inside, outside = own.normal(1, 1, 60), own.normal(0, 4, 40)
    wins = (inside[:, None] > outside) + 0.5 * (inside[:, None] == outside)
    area = wins.mean()
    spread = wins.mean(axis=1).var(ddof=1) / 60 + wins.mean(axis=0).var(ddof=1) / 40
    half = norm.isf(0.025) * np.sqrt(spread) / (area * (1 - area))
    ends = roc.delong(area, roc._beaten(inside, outside))
    assert roc.auroc(inside, outside) == pytest.approx(area)
    assert ends == pytest.approx(expit(logit(area) + np.array([-half, half])), abs=1e-12)
    low, high = roc.area_interval(inside, outside)
    assert low <= ends[0] and ends[1] <= high


def test_an_area_that_hangs_on_a_few_scores_on_the_wrong_side_is_covered():
    random, wrong, samples = np.random.default_rng(0), 0.02, 100
    covered = 0
    for _ in range(samples):
        outside = np.where(random.random(100) < wrong, 20.0, 0.0) + random.normal(0, 1, 100)
        low, high = roc.area_interval(random.normal(10, 1, 100), outside)
        covered += low <= 1 - wrong <= high
    assert covered >= 0.93 * samples  # DeLong's and Newcombe's alone: .82


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5])
def test_an_area_of_refusals_is_covered_where_the_errors_are_the_least_sure(share):
    random, covered, samples = np.random.default_rng(0), 0, 100
    true = share + (1 - share) * np.log1p(-share)  # the mean of max(0, 1 - (1 - share) / covered share)
    for _ in range(samples):
        confidence = random.random(100)
        low, high = binning.aurc_interval(confidence, confidence >= share)
        covered += low <= true <= high
    assert covered >= 0.93 * samples  # of what the images add alone: .86 to .89


@pytest.mark.parametrize("area", [0.5, 0.8, 1.0])
def test_newcombes_ends_are_where_the_variance_of_hanley_and_mcneil_reaches_the_value(area):
    low, high = roc.newcombe(area, 30, 50)
    for end in {low, high} - {1.0}:
        q1, q2 = end / (2 - end), 2 * end**2 / (1 + end)
        variance = (end * (1 - end) + 39 * (q1 - end**2) + 39 * (q2 - end**2)) / (30 * 50)
        assert abs(area - end) == pytest.approx(norm.isf(0.025) * np.sqrt(variance), rel=1e-6)
    assert high == 1 or area < 1


def test_the_share_let_in_is_told_by_ranks_inside_and_exact_shares_outside():
    inside, outside = np.arange(100.0), np.arange(-50.0, 50.0)
    fell = binom(100, 0.95)
    best, worst = inside[::-1][int(fell.ppf(0.0125)) - 1], inside[::-1][int(fell.isf(0.0125))]
    low = binomtest(int((outside >= best).sum()), 100).proportion_ci(0.975, method="exact").low
    high = binomtest(int((outside >= worst).sum()), 100).proportion_ci(0.975, method="exact").high
    assert roc.fpr95_interval(inside, outside) == pytest.approx((low, high))


@pytest.mark.parametrize("area", [roc.area_interval, roc.fpr95_interval])
def test_one_score_says_nearly_nothing(area):
    low, high = area(np.array([2.0]), np.array([1.0]))
    assert 0 <= low < 0.5 and high > 0.97


def test_directions_of_little_variance_count_as_in_scikit_learn():
    from scipy.spatial.distance import mahalanobis as theirs
    from sklearn.covariance import EmpiricalCovariance

    own = np.random.default_rng(0)
    spread = np.arange(1.0, 65) ** -3  # of deviations: the least variance is 1e-11 of the largest
    labels = np.repeat([0, 1], 500)
    features = (own.normal(size=(1000, 64)) * spread).astype(np.float32)
    train = Predictions(labels, np.zeros((1000, 2)), features)
    means = np.array([features[labels == c].mean(axis=0, dtype=float) for c in (0, 1)])
    precision = EmpiricalCovariance(assume_centered=True).fit(features - means[labels]).precision_
    expected = [-min(theirs(f, m, precision) ** 2 for m in means) for f in features[::50].astype(float)]
    assert mahalanobis(train)(features[::50]) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("right", [0.0, 0.02, 1.0])
@pytest.mark.parametrize("n", [5, 100])
def test_no_interval_of_an_error_leaves_0_to_1(n, right):
    own = np.random.default_rng(n)
    result = _result(own.normal(size=(n, 3)), own.integers(0, 3, n))
    wrong = replace(result, labels=np.where(own.random(n) < right, result.predicted, (result.predicted + 1) % 3))
    for value in calibration(wrong):
        assert value.metric == "brier" or (value.ci_low >= 0 and value.ci_high <= 1 and str(value.ci_low) != "-0.0"), (
            value
        )


def test_a_label_of_probability_0_has_no_temperature():
    never = np.array([[0.0, NEVER], [1.0, 0.0]], np.float32)
    values = _values(
        temperature,
        _result(never, np.array([1, 0]), get_predictions=lambda _: Predictions(np.array([1, 0]), never, never)),
    )
    assert all(math.isnan(value.value) and value.ci_method == IMPOSSIBLE for value in values.values())


@pytest.mark.parametrize("least", [1e-4, 1e-14])
def test_a_probability_of_0_stays_0_at_every_temperature(least):
    own, labels = np.random.default_rng(0), np.zeros(400, int)
    p = np.zeros((400, 100))
    wrong = own.random(400) < 0.2
    p[:, 0], p[:, 1] = np.where(wrong, least, 1 - least), np.where(wrong, 1 - least, least)
    logits = np.where(p > 0, np.log(np.maximum(p, 1e-30)), NEVER).astype(np.float32)
    two = _values(
        temperature, _result(logits[:, :2], labels, get_predictions=lambda _: Predictions(labels, logits[:, :2], p))
    )
    result = EvaluationResult(
        tuple(map(str, range(100))),
        labels.astype(str),
        labels,
        logits,
        get_predictions=lambda _: Predictions(labels, logits, p),
    )
    all_of_them = _values(temperature, result)
    for name in ("temperature", "nll_scaled"):
        assert all_of_them[name, ""].value == pytest.approx(two[name, ""].value, rel=1e-3)


def test_directions_without_variance_do_not_count():
    found = _answers(200, 0, 1)
    padded = found._replace(features=np.hstack([found.features, np.ones((200, 2))]))
    one, two = mahalanobis(found)(found.features), mahalanobis(padded)(padded.features)
    assert one == pytest.approx(two)


def test_of_equal_confidences_the_bins_take_the_first_first():
    rank = np.stack([np.arange(500), np.arange(500, 1000)], axis=1).ravel()
    _, place = binning.equal_mass(np.tile([0.5, 0.6], 500), np.ones(1000), 7)
    assert np.array_equal(place, rank * 7 // 1000)


@pytest.mark.parametrize(("n", "most"), [(1, 1), (2, 3 / 2), (4, 25 / 12)])
def test_no_image_adds_more_to_the_area_than_the_surest_of_all_errors(n, most, monkeypatch):
    seen = []
    monkeypatch.setattr(binning.statistics, "bounded_mean", lambda values, low, high: seen.append(high) or (0.0, 1.0))
    sure, wrong = np.linspace(1, 0.5, n), np.zeros(n, bool)
    binning.aurc_interval(sure, wrong)
    assert seen == pytest.approx([most]) and binning.refused(sure, wrong).max() == pytest.approx(most)


def _gaps_in_one_array(confidence, truth, place, bins, equal_weight):
    """Value and high end of the definition, with all cells at once."""
    n, columns = confidence.shape
    cell = (place + bins * np.arange(columns)).ravel()
    counts = np.bincount(cell, minlength=bins * columns)
    weight = n / np.maximum(counts, 1) / (counts > 0).sum() if equal_weight else np.full(len(counts), 1 / columns)
    residual = (truth - confidence).ravel()
    found = np.bincount(cell, residual, minlength=len(counts)) / n * weight
    each = ((np.where(found < 0, -1, 1) * weight)[cell] * residual).reshape(n, columns).sum(axis=1)
    top = min(2, columns) * float(weight[counts > 0].max())
    return np.abs(found).sum(), min(statistics.highest_mean(each, top, statistics.TAIL), 1.0)


@pytest.mark.parametrize("digits", [1, 15], ids=["many equal", "all different"])
def test_errors_by_class_taken_column_by_column_are_those_of_the_whole_array(digits):
    random = np.random.default_rng(digits)
    probabilities = random.dirichlet(np.full(70, 0.3), 301).round(digits)  # more classes than are copied at a time
    labels, n = random.integers(0, 70, 301), 301
    truth = labels[:, None] == np.arange(70)
    order = np.argsort(probabilities, axis=0, kind="stable")
    rank = np.argsort(order, axis=0, kind="stable")
    level = [[truth[probabilities[:, c] == p, c].mean() for c, p in enumerate(row)] for row in probabilities]
    mass = _gaps_in_one_array(probabilities, np.array(level), rank * 15 // n, 15, equal_weight=True)
    width = _gaps_in_one_array(
        probabilities, truth, np.clip(np.ceil(probabilities * 15) - 1, 0, 14).astype(int), 15, equal_weight=False
    )
    assert binning.ace(probabilities, labels)[::2] == pytest.approx(mass, rel=1e-10)
    assert binning.ece_classwise(probabilities, labels)[::2] == pytest.approx(width, rel=1e-10)
