"""Finding one value of a table again."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest

from robust.api.lookup import value
from robust.core.errors import ModelError, SuiteError
from robust.results.tables import RESULTS, read_results, table, write_results


@pytest.mark.parametrize(
    ("metric", "where", "found"),
    [
        ("nll", {}, 0.3),
        ("recall", {"subset": "Shirt"}, 0.7),
        ("top1", {"case": "pgd", "eps": "8/255"}, 0.2),
        ("top1", {"case": "pgd", "eps": 8 / 255}, 0.2),
        ("top1", {"case": "pgd", "eps": np.float64(2 / 255)}, 0.6),
        ("top1", {"eps": "2/255"}, 0.6),
        ("top1", {"severity": 3}, 0.4),
        ("top1", {"model": "resnet20", "seed": 1}, 0.96),
        ("top1", {"model": "lenet5", "eps": None, "severity": None}, 0.9),
        ("top1", {"model": "lenet5", "case": "clean", "norm": ""}, 0.9),
    ],
)
def test_a_value_is_found_by_any_column(metric, where, found, results):
    one = value(results, metric, **where)
    assert (one.value, one.ci_low, one.ci_high, one.metric, one.n) == (found, 0.4, 0.6, metric, 1000)


def test_a_value_is_found_again_in_the_file(tmp_path, results):
    again = read_results(write_results(results, tmp_path / "results.csv"))
    assert value(again, "top1", case="pgd", eps="8/255").value == 0.2
    assert value(again, "top1", severity=3).case == "fog"


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_radius_that_is_listed_finds_its_value(norm):
    sizes = [0.5 / 255, 0.03, 1 / 3, 0.5]
    rows = [{"metric": "top1", "subset": "", "case": "pgd", "norm": norm, "eps": e, "value": e} for e in sizes]
    found = pd.DataFrame([{**dict.fromkeys(RESULTS, ""), "reliability": "reliable", **row} for row in rows])
    with pytest.raises(LookupError) as error:
        value(found, "top1")
    listed = str(error.value).rpartition("eps = ")[2].split(", ")
    assert [value(found, "top1", eps=word).value for word in listed] == sorted(sizes)


@pytest.mark.parametrize(
    ("metric", "where", "says"),
    [
        ("top2", {}, "no value 'top2' with subset ''; did you mean 'top1'?"),
        ("recal", {"subset": "Shirt"}, "no value 'recal' with subset 'Shirt'; did you mean 'recall'?"),
        ("recall", {}, "no value 'recall' with subset ''; allowed: Coat, Shirt"),
        ("recall", {"subset": "Shirts"}, "no value 'recall' with subset 'Shirts'; did you mean 'Shirt'?"),
        ("top1", {"modle": "lenet5"}, "no column 'modle'; did you mean 'model'?"),
        ("top1", {"case": "pgd"}, "2 values 'top1' fit {'case': 'pgd'}; say which eps: eps = 2/255, 8/255"),
        ("top1", {"model": "resnet20"}, "2 values 'top1' fit {'model': 'resnet20'}; say which seed: seed = 0, 1"),
        ("top1", {"seed": 0}, "5 values 'top1' fit {'seed': 0}; ... : model = 'lenet5', 'resnet20', "
                         "case = 'clean', 'fog', 'pgd', eps = 2/255, 8/255, severity = 3"),
        ("top1", {"case": "pdg"}, "0 values 'top1' fit {'case': 'pdg'}; there are case = 'clean', 'fog', 'pgd'"),
        ("top1", {"case": "clean", "eps": 0}, "0 values 'top1' fit {'case': 'clean', 'eps': 0}; there are "
                                              "case = 'clean', 'fog', 'pgd', eps = 2/255, 8/255"),
    ],
)  # fmt: skip
def test_what_is_not_one_value_is_told(metric, where, says, results):
    with pytest.raises(LookupError) as error:
        value(results, metric, **where)
    assert re.fullmatch(".*".join(map(re.escape, says.split(" ... "))), error.value.args[0])


def test_values_of_two_suites_are_told_apart(results):
    both = pd.concat([results, results.assign(suite="other")])
    with pytest.raises(LookupError, match=r"2 values 'nll' fit \{\}; say which suite"):
        value(both, "nll")
    assert value(both, "nll", suite="other").suite == "other"


def test_an_eps_that_is_no_number_is_told(results):
    with pytest.raises(SuiteError, match="eps = '8/x': not a number"):
        value(results, "top1", eps="8/x")


@pytest.fixture
def judged(results):
    """`judged(reason)`: the table with this reason found against one of two strengths of the attack."""

    def judged(name, word):
        about = results[results["case"].eq("pgd") & np.isclose(results["eps"], 8 / 255)].iloc[0].to_dict()
        reason = {**about, "metric": "reliability", "subset": name, "value": 0.25, "n": 60, "reliability": word}
        verdict = {**reason, "subset": "", "value": 0.0 if word == "invalid" else 0.5}
        marked = results.copy()
        marked.loc[results["case"].eq("pgd") & np.isclose(results["eps"], 8 / 255), "reliability"] = word
        return pd.concat([marked, table([reason, verdict], RESULTS)], ignore_index=True)

    return judged


def test_an_invalid_value_is_handed_out_only_where_that_is_said(judged):
    found = judged("noise_beats_attack", "invalid")
    with pytest.raises(ModelError) as error:
        value(found, "top1", case="pgd", eps="8/255")
    assert str(error.value).startswith("top1 of the case 'pgd' on 'lenet5' is invalid:\n  ten random points")
    assert "25.0 % of 60 images" in str(error.value) and str(error.value).endswith("allow_invalid=True")
    (typed,) = re.findall(r"attacks=(\{.*?\})", str(error.value))
    assert eval(typed) == {"name": "square", "n_queries": 5000, "eps": "8/255"}
    assert value(found, "top1", case="pgd", eps="8/255", allow_invalid=True).value == 0.2
    assert value(found, "top1", case="pgd", eps="2/255").value == 0.6  # the other strength is not in doubt
    assert value(found, "reliability", case="pgd").value == 0.0


def test_a_suspect_value_is_handed_out_with_a_warning(judged):
    found = judged("too_few_steps", "suspect")
    with pytest.warns(UserWarning, match="is suspect:\n  the same attack with twice the steps") as told:
        assert value(found, "top1", case="pgd", eps="8/255").value == 0.2
    assert told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert value(found, "top1", case="pgd", eps="8/255", allow_invalid=True).value == 0.2


def test_an_ill_of_the_model_is_told_at_every_strength(judged):
    found = judged("wrong_preprocessing", "invalid")
    found.loc[found["model"].eq("lenet5") & found["case"].eq("pgd"), "reliability"] = "invalid"
    with pytest.raises(ModelError, match="with another one than with its own"):
        value(found, "top1", case="pgd", eps="2/255")
