"""Write docs/coverage.md: how often each interval holds what is true, and how often "no worse than" errs.

    nice python tools/measure_coverage.py [--out docs/coverage.md] [--samples 200]

Shares and "no worse than" on them are summed over all outcomes; for the rest samples of images are drawn, from a
seed, in the situations of coverage_kinds.py. It takes about four minutes of one core.
"""

import argparse
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from coverage_kinds import Kind, kinds, skewed
from scipy.stats import binom

from robust import statistics
from robust.summaries.comparison import ONE_SIDED

SIZES = (20, 100, 1000)
SHARES = (0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
LEAST, MOST = {20: 0.90, 100: 0.93, 1000: 0.93}, 0.055
ABOUT = """# How often the intervals hold what is true

Written by `{command}`. An interval of 95 % ought to hold what is true 95 times of 100; it must 93 times from 100 images
on and 90 times at 20. "No worse than" errs where it is passed though the true difference is just what is allowed: 5
times of 100 are stated, 5.5 are the limit from 100 images on. Rows that are summed over all outcomes are exact; of the
others each figure is of {samples} samples (of log-likelihoods 600), and by chance alone uncertain by
{uncertain:.1f} points (two standard errors at 95 %). Below: percent.
"""


class Row(NamedTuple):
    """A line of a table: a probability for each number of images, and the mean width of the intervals."""

    metric: str
    situation: str
    found: dict[int, float]
    width: dict[int, float]


def shares() -> Iterator[Row]:
    """The exact coverage of a share's interval, and the least of all true shares."""
    ends = {n: np.array([statistics.clopper_pearson(k, n) for k in range(n + 1)]) for n in SIZES}
    for share in SHARES:
        found = {n: float(_weights(n, share)[_hold(ends[n], share)].sum()) for n in SIZES}
        width = {n: float(_weights(n, share) @ (ends[n][:, 1] - ends[n][:, 0])) for n in SIZES}
        yield Row("a share", f"share {share:g} or {1 - share:g}", found, width)
    least = {n: min(float(_weights(n, s)[_hold(ends[n], s)].sum()) for s in _corners(ends[n])) for n in SIZES}
    yield Row("a share", "the least of all shares", least, {})


def medians() -> Iterator[Row]:
    """Of the ranks: that of any distribution without ties."""
    found = {}
    for n in SIZES:
        low, high = statistics.order_statistics(np.arange(1, n + 1))
        found[n] = float(binom.cdf(high - 1, n, 0.5) - binom.cdf(low - 1, n, 0.5))
    yield Row("median_distance", "any", found, {})


def _weights(n: int, share: float) -> np.ndarray:
    return binom.pmf(np.arange(n + 1), n, share)


def _hold(ends: np.ndarray, share: float) -> np.ndarray:
    return (ends[:, 0] <= share) & (share <= ends[:, 1])


def _corners(ends: np.ndarray) -> np.ndarray:
    """Coverage is least just beyond an end."""
    return np.unique(np.clip(np.concatenate([ends.ravel() - 1e-9, ends.ravel() + 1e-9]), 1e-12, 1 - 1e-12))


def drawn(kind: Kind, samples: int) -> Iterator[Row]:
    """Of one kind: a row for each metric."""
    truth, held, width = kind.truth(), {}, {}
    for n in SIZES:
        random = np.random.default_rng(n)
        found = [kind.draw(random, n) for _ in range(samples)]
        for metric, true in truth.items():
            ends = np.array([one[metric] for one in found])
            held.setdefault(metric, {})[n] = float(((ends[:, 0] <= true + 1e-9) & (true - 1e-9 <= ends[:, 1])).mean())
            width.setdefault(metric, {})[n] = float((ends[:, 1] - ends[:, 0]).mean())
    yield from (Row(metric, kind.situation, held[metric], width[metric]) for metric in truth)


def no_worse_share(by: float, back: float) -> Row:
    """How often a share is passed that is worse by just `by`; `back` of the images count with us alone. Exact."""
    found = {n: _passed(n, by, back) for n in SIZES}
    return Row("a share", f"{by:g} worse; {back + by:g} lost, {back:g} won", found, {})


def _passed(n: int, by: float, back: float) -> float:
    total = 0.0
    for lost in np.flatnonzero(_weights(n, back + by) > 1e-7):
        won = binom.pmf(np.arange(n - lost + 1), n - lost, back / (1 - back - by))
        total += float(_weights(n, back + by)[lost]) * sum(
            won[k] for k in np.flatnonzero(won > 1e-6) if _low(n, int(lost), int(k)) >= -by
        )
    return float(total)


@cache
def _low(n: int, lost: int, won: int) -> float:
    ours = np.repeat([True, False], [won, n - won])
    return statistics.paired_proportions(ours, np.arange(n) >= n - lost, ONE_SIDED)[1]


def no_worse_nll(samples: int = 600) -> Iterator[Row]:
    """How often a log-likelihood is passed that is worse by just what is allowed."""
    for name, mean, draw in skewed():
        found = {}
        for n in SIZES:
            random, nothing = np.random.default_rng(n), np.zeros(n)
            ends = [statistics.paired_difference(draw(random, n), nothing, ONE_SIDED) for _ in range(samples)]
            found[n] = float(np.mean([high <= mean for _, _, high in ends]))
        yield Row("nll", name, found, {})


def coverage(samples: int) -> list[Row]:
    """All rows of intervals."""
    rows = [*shares(), *medians(), *(row for kind in kinds() for row in drawn(kind, samples))]
    return sorted(rows, key=lambda row: row.metric)


def errors() -> list[Row]:
    """All rows of "no worse than"."""
    pairs = [(by, back) for by in (0.01, 0.02, 0.05, 0.1) for back in (0, 0.002, 0.01, 0.05)]
    return [*(no_worse_share(by, back) for by, back in pairs), *no_worse_nll()]


def table(rows: list[Row], head: str) -> str:
    """In Markdown; coverage and errors in percent, then the mean width at 100 images."""
    lines = [f"| {head} | situation | n = 20 | n = 100 | n = 1000 | width at 100 |", "|---|---|--:|--:|--:|--:|"]
    for row in rows:
        said = " | ".join(f"{100 * row.found[n]:.1f}" for n in SIZES)
        width = f"{row.width[100]:.3f}" if row.width else ""
        lines.append(f"| {row.metric} | {row.situation} | {said} | {width} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs/coverage.md")
    parser.add_argument("--samples", type=int, default=200, help="of each situation and number of images")
    asked = parser.parse_args()
    uncertain = 200 * (0.95 * 0.05 / asked.samples) ** 0.5
    command = f"python tools/measure_coverage.py --samples {asked.samples}"
    about = ABOUT.format(command=command, samples=asked.samples, uncertain=uncertain)
    held, erred = table(coverage(asked.samples), "interval of"), table(errors(), "no worse")
    asked.out.parent.mkdir(exist_ok=True)
    asked.out.write_text(f"{about}\n{held}\n\n## No worse than\n\n{erred}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
