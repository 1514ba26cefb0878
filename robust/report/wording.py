"""The text of numbers and conditions on the page."""

from math import inf, isfinite, isnan

from robust.core.types import Row, radius
from robust.report.conditions import Condition
from robust.suite.bounds import Bound, NoWorse

_NORMS = {"linf": "L∞", "l2": "L2", "l1": "L1", "l0": "L0"}
_METRICS = {
    "top1": "top-1 accuracy", "top5": "top-5 accuracy", "top1_error": "top-1 error",
    "top5_error": "top-5 error", "nll": "negative log-likelihood", "macs": "multiply-accumulates",
    "forward_memory": "memory an image, forward", "training_memory": "memory an image, training",
    "weights_size": "size of the weights",
}  # fmt: skip
_SCALED = {"MACs", "values", "bytes"}  # counts whose last digits do not matter


def percent(proportion: float, digits: int = 1) -> str:
    """One digit after the point, as a sample of a thousand images supports it, or more.

    >>> percent(0.8741)
    '87.4 %'
    """
    return "–" if isnan(proportion) else f"{100 * proportion:.{digits}f} %"


def quantity(value: float, unit: str) -> str:
    """A value with its unit; proportions are percentages.

    >>> quantity(61706, "parameters"), quantity(0.41237, "nats")
    ('61,706 parameters', '0.4124 nats')
    """
    if unit == "proportion":
        return percent(value)
    if unit == "bytes":
        return size(value)
    return f"{amount(value, unit)} {unit}".rstrip() if isfinite(value) else amount(value, unit)


def size(value: float) -> str:
    """A number of bytes; a megabyte is a million of them.

    >>> size(60_950_432), size(9118)
    ('61.0 MB', '9,118 B')
    """
    text = scaled(value)
    return f"{text}B" if text[-1].isalpha() else f"{text} B"


def amount(value: float, unit: str) -> str:
    """A value whose unit is shown elsewhere: large counts and sizes with three digits; infinite distances as text.

    >>> amount(15_470_264_320, "MACs"), amount(60_950_432, "bytes"), amount(9118, "values"), amount(61706, "parameters")
    ('15.5 G', '61.0 M', '9,118', '61,706')
    >>> amount(inf, "distance")
    'not found up to eps'
    """
    if value == inf and unit == "distance":
        return "not found up to eps"
    return scaled(value) if unit in _SCALED else number(value)


def scaled(value: float) -> str:
    """Three digits and k, M or G, from ten thousand upward.

    >>> scaled(9_999), scaled(56_510_400), scaled(999_950_000), scaled(475_703_653_280)
    ('9,999', '56.5 M', '1.00 G', '476 G')
    """
    if not 10_000 <= abs(value) < inf:
        return number(value)
    mantissa, exponent = f"{value:.2e}".split("e")
    over = int(exponent) % 3
    return f"{float(mantissa) * 10**over:.{2 - over}f} {' kMGTP'[int(exponent) // 3]}"


def number(value: float, digits: int = 4) -> str:
    """A number without a unit: whole ones in full, others with four digits, or `digits` of them.

    >>> number(1000.0), number(0.05)
    ('1,000', '0.05')
    """
    if isnan(value):
        return "–"
    return f"{value:,.0f}" if isfinite(value) and value == int(value) else f"{value:.{digits}g}"


def images(row: Row) -> str:
    """The number of images of a row of results.csv, and whether classes were sampled in equal numbers.

    >>> images({"n": 1000, "choice": "all"}), images({"n": 150, "choice": "balanced"})
    ('1,000', '150 balanced')
    """
    return f"{number(row['n'])} balanced" if row.get("choice") == "balanced" else number(row["n"])


def scientific(value: float) -> str:
    """Two digits, and the power of ten where the number is far from 1.

    >>> scientific(0.0171), scientific(1.93e-12), scientific(float("nan"))
    ('0.017', '1.9e-12', '–')
    """
    return "–" if isnan(value) else f"{value:.2g}"


def interval(low: float, high: float, unit: str, digits: int = 1) -> str:
    """The two ends of an interval, "" where there is none; digits: of percentages, after the point.

    >>> interval(0.852, 0.893, "proportion")
    '85.2 – 89.3 %'
    """
    if isnan(low) or isnan(high):
        return ""
    if unit == "proportion":
        return f"{100 * low:.{digits}f} – {percent(high, digits)}"
    return f"{amount(low, unit)} – {amount(high, unit)}"


def change(value: float, unit: str, digits: int = 1) -> str:
    """A difference with its sign; of proportions in percentage points. digits: of those, after the point.

    >>> change(0.0123, "proportion"), change(-0.5, "nats"), change(0.0, "proportion")
    ('+1.2 pp', '-0.5 nats', '0.0 pp')
    """
    if isnan(value):
        return "–"
    scaled = f"{100 * value:+.{digits}f} pp" if unit == "proportion" else f"{value:+.{digits + 3}g} {unit}".rstrip()
    return scaled[1:] if not float(scaled.split()[0]) else scaled


def changes(low: float, high: float, unit: str, digits: int = 1) -> str:
    """The two ends of a difference, or the one that it has; "" where there is none. digits: as for `change`.

    >>> changes(-0.021, 0.013, "proportion"), changes(-0.02, float("nan"), "proportion")
    ('-2.1 to +1.3 pp', '≥ -2.0 pp')
    """
    if isnan(low) and isnan(high):
        return ""
    if isnan(low) or isnan(high):
        return f"≥ {change(low, unit, digits)}" if isnan(high) else f"≤ {change(high, unit, digits)}"
    return f"{change(low, unit, digits).split()[0]} to {change(high, unit, digits)}"


def bound(limits: Bound | NoWorse, unit: str) -> str:
    """A bound in the unit of its value.

    >>> from robust.suite.bounds import parse
    >>> bound(parse(">= 0.8"), "proportion")
    '≥ 80 %'
    >>> bound(parse("in [0, 3e6]"), "parameters")
    'between 0 and 3,000,000'
    >>> bound(parse("low >= 0.8"), "proportion"), bound(parse("no worse than lenet5 by 0.01"), "proportion")
    ('interval with its low end ≥ 80 %', 'no worse than lenet5 by 1 pp')
    """
    if isinstance(limits, NoWorse):
        return f"no worse than {limits.than} by {_end(limits.by, unit).replace('%', 'pp')}"
    of = "" if limits.of == "value" else f"interval with its {limits.of.removeprefix('ci_')} end "
    return f"{of}{_range(limits, unit)}"


def _range(limits: Bound, unit: str) -> str:
    low, high = (_end(end, unit) for end in (limits.low, limits.high))
    if limits.high == inf:
        return f"{'>' if limits.strict else '≥'} {low}"
    if limits.low == -inf:
        return f"{'<' if limits.strict else '≤'} {high}"
    return f"between {low} and {high}"


def _end(value: float, unit: str) -> str:
    return f"{100 * value:.6g} %" if unit == "proportion" else number(value)


def metric(name: str, group: str = "") -> str:
    """The name of a metric, and its class or group.

    >>> metric("recall", "Shirt")
    'recall of Shirt'
    """
    words = _METRICS.get(name, name.replace("_", " "))
    return f"{words} of {group}" if group else words


def norm(name: str) -> str:
    """The sign of a norm."""
    return _NORMS.get(name, name)


def level(condition: Condition) -> str:
    """The strength of the perturbation, "" where there is none.

    >>> level(Condition("pgd", "pgd", "linf", 8 / 255, None))
    'L∞, ε = 8/255'
    """
    sizes = [norm(condition.norm)] if condition.norm else []
    if condition.eps is not None:
        sizes.append(f"ε = {radius(condition.eps, condition.norm)}")
    if condition.severity is not None:
        sizes.append(f"severity {condition.severity}")
    return ", ".join(sizes)


def details(condition: Condition) -> str:
    """The details that the name of the case omits: the perturbation, where it has another name, and the level."""
    named = condition.perturbation not in (condition.case, "clean", "")
    return ", ".join(filter(None, [condition.perturbation if named else "", level(condition)]))


def title(condition: Condition) -> str:
    """The case and the details that its name omits.

    >>> title(Condition("strong", "pgd", "linf", 8 / 255, None))
    'strong (pgd, L∞, ε = 8/255)'
    """
    more = details(condition)
    return f"{condition.case} ({more})" if more else condition.case
