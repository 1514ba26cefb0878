"""Write docs/coverage.md: the coverage of each interval, and how often "no worse than" errs.

    nice python tools/measure_coverage.py [--out docs/coverage.md] [--samples 200] [--most 800]

Shares, medians and differences of shares are summed over all outcomes; for all else samples of images are drawn, from a
seed, in the situations of coverage_kinds.py, coverage_models.py and coverage_measures.py: `--samples`, and more where
the estimate is near the required coverage. It takes about ten minutes of one core.
"""

import argparse
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import coverage_kinds
import coverage_measures
import coverage_models
import numpy as np
from coverage_kinds import Ends, Held, Kind, Sample, skewed
from scipy.stats import binom

from robust.core import statistics
from robust.results.summaries.comparison import ONE_SIDED, TWO_SIDED

SIZES = (20, 100, 1000)
SHARES = (0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
LEAST, MOST = {20: 0.90, 100: 0.93, 1000: 0.93}, 0.055
MEDIANS = "median_distance, latency, throughput"
"""The metrics with intervals of order statistics."""
ABOUT = """# Coverage of the intervals

Written by `{command}`. The nominal coverage of an interval is 95 %; required are 93 % from 100 images on, and 90 % at
20. "No worse than" errs where it is passed though the true difference is exactly what is allowed: nominally 5 % of the
time, at most 5.5 % from 100 images on. Rows that are summed over all outcomes are exact; for the others the last column
gives the number of samples at each number of images: samples are added until the estimate is two standard errors from
the limit, or `--most` are drawn. "A share" represents every metric whose interval is called exact. Where a metric has
several groups (the bins of `bin_confidence`, the corruptions of `corruption_error`) all of them count; for `confused` a
sample counts if the intervals of all reported pairs hold simultaneously. An image shown under several corruptions is
one image. All in percent.
"""


class Row(NamedTuple):
    """A line of a table: by number of images a probability, the mean width of the intervals, and the samples drawn."""

    metric: str
    situation: str
    found: dict[int, float]
    width: dict[int, float]
    samples: dict[int, int]


def shares() -> Iterator[Row]:
    """The exact coverage of a share's interval, and the lowest over all true shares."""
    ends = {n: np.array([statistics.clopper_pearson(k, n) for k in range(n + 1)]) for n in SIZES}
    for share in SHARES:
        found = {n: float(_weights(n, share)[_hold(ends[n], share)].sum()) for n in SIZES}
        width = {n: float(_weights(n, share) @ (ends[n][:, 1] - ends[n][:, 0])) for n in SIZES}
        yield Row("a share", f"share {share:g} or {1 - share:g}", found, width, {})
    least = {n: min(float(_weights(n, s)[_hold(ends[n], s)].sum()) for s in _corners(ends[n])) for n in SIZES}
    yield Row("a share", "the lowest over all shares", least, {}, {})


def medians() -> Iterator[Row]:
    """From the ranks: valid for any distribution without ties."""
    for metric, quantile in ((MEDIANS, 0.5), ("distance_quartile", 0.25), ("distance_quartile", 0.75)):
        found = {}
        for n in SIZES:
            low, high = statistics.order_statistics(np.arange(1, n + 1), quantile)
            found[n] = float(binom.cdf(high - 1, n, quantile) - binom.cdf(low - 1, n, quantile))
        yield Row(metric, f"any, {quantile:g} below", found, {}, {})


def _weights(n: int, share: float) -> np.ndarray:
    return binom.pmf(np.arange(n + 1), n, share)


def _hold(ends: np.ndarray, share: float) -> np.ndarray:
    return (ends[:, 0] <= share) & (share <= ends[:, 1])


def _corners(ends: np.ndarray) -> np.ndarray:
    """Coverage is lowest just beyond an end."""
    return np.unique(np.clip(np.concatenate([ends.ravel() - 1e-9, ends.ravel() + 1e-9]), 1e-12, 1 - 1e-12))


def drawn(kind: Kind, samples: int, most: int) -> list[Row]:
    """Rows of one situation, one for each metric. Samples are added until all are settled, or there are `most`."""
    rows: dict[str, Row] = {}
    for n in SIZES:
        random, found = np.random.default_rng(n), dict[str, list[Held]]()
        taken = 0
        while not taken or (taken < most and not all(settled(share(of), LEAST[n], len(of)) for of in found.values())):
            for one in (each for _ in range(samples) for each in kind.draw(random, n)):
                found.setdefault(one.metric, []).append(one)
            taken += samples
        for metric, of in found.items():
            row = rows.setdefault(metric, Row(metric, kind.situation, {}, {}, {}))
            row.found[n], row.samples[n] = share(of), taken
            row.width[n] = float(np.mean([one.high - one.low for one in of]))
    return list(rows.values())


def share(of: list[Held]) -> float:
    """The share of intervals that hold the true value."""
    return float(np.mean([one.low - 1e-9 <= one.true <= one.high + 1e-9 for one in of]))


def settled(found: float, limit: float, samples: int) -> bool:
    """Is the limit at least two standard errors from the estimate?"""
    return abs(found - limit) >= 2 * (limit * (1 - limit) / samples) ** 0.5


def differences() -> Iterator[Row]:
    """The two-sided intervals of paired differences of shares, exactly, and of log-likelihoods."""
    for by, back in ((0, 0.01), (0.01, 0), (0.01, 0.05), (0.05, 0), (0.1, 0.01), (0.1, 0.05)):
        found = {n: _chance(n, by, back, partial(_two_sided, -by)) for n in SIZES}
        yield Row("difference of shares", f"{by:g} worse; {back + by:g} lost, {back:g} won", found, {}, {})


def differing() -> Iterator[Kind]:
    """Two-sided intervals of differences of log-likelihoods."""
    for name, mean, sample in skewed():
        yield Kind(name, partial(_nll, mean, sample))


def _nll(mean: float, sample: Sample, random: np.random.Generator, n: int) -> Iterator[Held]:
    _, low, high = statistics.paired_difference(sample(random, n), np.zeros(n), TWO_SIDED)
    yield Held("difference of nll", low, mean, high)


def _two_sided(true: float, n: int, lost: int, won: int) -> bool:
    low, high = _ends(n, lost, won, TWO_SIDED)
    return low <= true <= high


def _passes(by: float, n: int, lost: int, won: int) -> bool:
    return _ends(n, lost, won, ONE_SIDED)[0] >= -by


def no_worse_share(by: float, back: float) -> Row:
    """How often a share that is worse by exactly `by` passes; `back` of the images are right with us alone. Exact."""
    found = {n: _chance(n, by, back, partial(_passes, by)) for n in SIZES}
    return Row("a share", f"{by:g} worse; {back + by:g} lost, {back:g} won", found, {}, {})


def _chance(n: int, by: float, back: float, holds: Callable[[int, int, int], bool]) -> float:
    """How often it holds for the numbers of images that are right with them alone, and with us alone."""
    total = 0.0
    for lost in np.flatnonzero(_weights(n, back + by) > 1e-7):
        won = binom.pmf(np.arange(n - lost + 1), n - lost, back / (1 - back - by))
        held = sum(won[k] for k in np.flatnonzero(won > 1e-6) if holds(n, int(lost), int(k)))
        total += float(_weights(n, back + by)[lost]) * held
    return float(total)


@cache
def _ends(n: int, lost: int, won: int, tail: float) -> Ends:
    ours = np.repeat([True, False], [won, n - won])
    return statistics.paired_proportions(ours, np.arange(n) >= n - lost, tail)[1:]


def no_worse_nll(samples: int, most: int) -> Iterator[Row]:
    """How often a log-likelihood that is worse by exactly what is allowed passes."""
    for name, mean, draw in skewed():
        found, counts = {}, {}
        for n in SIZES:
            random, nothing, passed = np.random.default_rng(n), np.zeros(n), list[bool]()
            while not passed or (len(passed) < most and not settled(float(np.mean(passed)), MOST, len(passed))):
                ends = [statistics.paired_difference(draw(random, n), nothing, ONE_SIDED) for _ in range(samples)]
                passed += [high <= mean for _, _, high in ends]
            found[n], counts[n] = float(np.mean(passed)), len(passed)
        yield Row("nll", name, found, {}, counts)


def all_kinds() -> list[Kind]:
    """Every situation in which samples are drawn."""
    return [*coverage_kinds.kinds(), *coverage_models.kinds(), *coverage_measures.kinds(), *differing()]


def coverage(samples: int, most: int) -> list[Row]:
    """All rows of intervals."""
    rows = [*shares(), *medians(), *differences()]
    for kind in all_kinds():
        rows += drawn(kind, samples, most)
        print(table(rows[-1:], kind.situation).splitlines()[-1], flush=True)  # it takes a while
    return sorted(rows, key=lambda row: row.metric)


def errors(samples: int, most: int) -> list[Row]:
    """All rows of "no worse than"."""
    pairs = [(by, back) for by in (0.01, 0.02, 0.05, 0.1) for back in (0, 0.002, 0.01, 0.05)]
    return [*(no_worse_share(by, back) for by, back in pairs), *no_worse_nll(samples, most)]


def table(rows: list[Row], head: str) -> str:
    """In Markdown: coverage or errors in percent, the mean width at 100 images, how many samples were drawn."""
    sizes = " | ".join(f"n = {n}" for n in SIZES)
    lines = [f"| {head} | situation | {sizes} | width at 100 | samples |", "|---|---|--:|--:|--:|--:|--:|"]
    for row in rows:
        shares = " | ".join(f"{100 * row.found[n]:.1f}" if n in row.found else "–" for n in SIZES)
        width = f"{row.width[100]:.3f}" if row.width else ""
        drawn_of = "exact" if not row.samples else " / ".join(str(row.samples.get(n, "–")) for n in SIZES)
        lines.append(f"| {row.metric} | {row.situation} | {shares} | {width} | {drawn_of} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs/coverage.md")
    parser.add_argument("--samples", type=int, default=200, help="for each situation and number of images, initially")
    parser.add_argument("--most", type=int, default=800, help="where the estimate is near the required coverage")
    args = parser.parse_args()
    about = ABOUT.format(command=f"python tools/measure_coverage.py --samples {args.samples} --most {args.most}")
    held = table(coverage(args.samples, args.most), "interval of")
    erred = table(errors(args.samples, args.most), "no worse")
    args.out.parent.mkdir(exist_ok=True)
    args.out.write_text(f"{about}\n{held}\n\n## No worse than\n\n{erred}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
