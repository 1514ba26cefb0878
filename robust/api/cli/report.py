"""`robust report`."""

from pathlib import Path


def report(folder: Path) -> int:
    """Draw the page of a report folder again, from the folder alone, and judge its bounds anew.

    TensorFlow is not needed. Exit code 1 where a bound is missed, unsupported, undecided, or has no value.

    Parameters
    ----------
    folder
        What `robust run` has filled: results.csv, outcomes.parquet, samples/, environment.json. Or what
        `robust describe --all` has: architectures.csv, vgg16.csv.
    """
    from robust import report as page

    print(page.write(folder))
    return 0 if page.of_architectures(folder) else _gate(folder)


def _gate(folder: Path) -> int:
    from robust.report import folder as folders
    from robust.report import verdict

    judged = [one for one in verdict.judgements(folders.read(folder)) if one.state != "not judged"]
    for one in judged:
        if one.state != "passed" or one.doubted or one.as_recorded:
            print(f"{one.state}: {one.place}: {one.words}{one.doubted}{one.taken}")
    if taken := verdict.taken(judged):
        print(taken)
    passed = sum(one.state == "passed" for one in judged)
    print(f"{passed} of {len(judged)} bounds passed" if judged else "no bounds to judge")
    return 1 if passed < len(judged) else 0
