"""The flows of a report folder: to which classes images go, and in whose groups."""

from dataclasses import replace

from robust.report.flows import flows


def _case(case, perturbation, predicted, metric):
    where = {"model": "m", "seed": 0, "case": case, "perturbation": perturbation}
    value = {**where, "metric": metric, "value": 0.5, "n": 4, "data": "arrays"}
    answers = [{**where, "example": str(i), "label": "a", "predicted": predicted} for i in range(4)]
    return value, answers


def test_each_case_is_told_by_the_hierarchy_that_it_was_judged_by(page_of):
    cases = [
        _case("clean", "clean", "a", "worst_class"),
        _case("fog", "fog", "b", "recall"),
        _case("snow", "snow", "b", "recall"),
    ]
    folder = page_of([value for value, _ in cases], [row for _, answers in cases for row in answers])
    data = {**folder.environment["data"], "superclasses": {"ci_low": ["a"], "ci_high": ["b"]}}
    folder = replace(folder, environment={**folder.environment, "data": data, "groups": {"fog": {"all": ["a", "b"]}}})
    fog, snow = flows(folder)
    for line, share in ((fog, "4 of them (100.0 %)"), (snow, "0 of them (0.0 %)")):
        assert all(
            part in line.summary for part in ("4 of 4 images ", "misclassified", share, "of the same superclass")
        )
    assert fog.leaving == "" and "ci_low" in snow.leaving and "ci_high" in snow.leaving
    assert fog.rows == [("a", "100.0 %", "0.0 %", "b 4")]
