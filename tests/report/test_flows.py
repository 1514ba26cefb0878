"""The flows of a report folder: which clean images a perturbed case is held against."""

from dataclasses import replace

from robust.report.flows import flows

SUITE = '[case.shifted]\ndata = { arrays = "other.npz" }\n[case.clean]\n[case.fog]\n'


def _case(case, perturbation, predicted, metric):
    where = {"model": "m", "seed": 0, "case": case, "perturbation": perturbation}
    value = {**where, "metric": metric, "value": 0.5, "n": 4, "data": "arrays"}
    answers = [{**where, "example": str(i), "label": "a", "predicted": predicted} for i in range(4)]
    return value, answers


def test_clean_images_are_those_of_the_same_data_though_another_set_has_its_name(page_of):
    cases = [
        _case("shifted", "clean", "b", "worst_class"),
        _case("clean", "clean", "a", "worst_class"),
        _case("fog", "fog", "b", "recall"),
    ]
    folder = page_of([value for value, _ in cases], [row for _, answers in cases for row in answers])
    (found,) = flows(replace(folder, suite=SUITE))
    assert found.said == "4 of 4 images that were right are lost"
    assert found.rows == [("a", "100.0 %", "0.0 %", "b 4")]
