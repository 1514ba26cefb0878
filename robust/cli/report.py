"""`robust report`."""

from pathlib import Path


def report(folder: Path) -> int:
    """Draw the page of a report folder again, from the folder alone; TensorFlow is not needed.

    Parameters
    ----------
    folder
        What `robust run` has filled: results.csv, outcomes.parquet, samples/, environment.json. Or what
        `robust describe --all` has: architectures.csv, vgg16.csv.
    """
    from robust import report as page

    print(page.write(folder))
    return 0
