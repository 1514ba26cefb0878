import pytest

from robust.core.errors import SuiteError
from robust.suite import read_case


def test_a_case_names_images_from_outside():
    case = read_case("clean", {"ood": {"name": "digits"}, "metrics": ["outliers"]})
    assert case.ood.name == "digits" and case.ood.arguments == {"size": 28}


def test_outliers_without_images_from_outside_are_refused():
    with pytest.raises(SuiteError, match=r"outliers needs images of no class: in a suite, ood = "):
        read_case("clean", {"metrics": ["outliers"]})


def test_images_from_outside_that_nobody_looks_at_are_refused():
    with pytest.raises(SuiteError, match='no metric uses these images; add "outliers" to metrics'):
        read_case("clean", {"ood": {"name": "digits"}})


def test_outside_is_bound_like_data():
    with pytest.raises(SuiteError, match="digits takes no 'sise'; did you mean 'size'"):
        read_case("clean", {"ood": {"name": "digits", "sise": 8}, "metrics": ["outliers"]})


def test_bounds_speak_of_the_worst_and_of_scores():
    measures = ["confusion", "clusters", "outliers"]
    bounds = {"worst_class": ">= 0.5", "worst_cluster": ">= 0.1", "ood_auroc[energy]": ">= 0.9"}
    assert set(read_case("c", {"ood": "digits", "metrics": measures, "expect": bounds}).expect) == set(bounds)
    with pytest.raises(SuiteError, match="this case has no metric 'worst_clas'"):
        read_case("c", {"metrics": ["confusion"], "expect": {"worst_clas": ">= 0.5"}})
