"""Under which prefix a file keeps the tensors of a network, and what may be stored next to them."""

from collections import Counter
from collections.abc import Collection, Mapping

import numpy as np

from robust.core.errors import ModelError
from robust.models.pretrained.tensor import Tensor

UNUSED = {"num_batches_tracked", "n_averaged"}
"""Counters of BatchNorms and of averaged weights, which no prediction depends on."""
MEANS, STDS = ("mean", "mu", "new_mean"), ("std", "sigma", "new_std")
"""How the buffers of a layer that normalises pixels are called."""

Normalisation = tuple[tuple[float, ...], tuple[float, ...]]


def stripped(tensors: Mapping[str, Tensor], wanted: Collection[str]) -> tuple[dict[str, Tensor], Normalisation | None]:
    """The tensors under the names that a network needs, and the mean and deviation of pixels kept with them.

    A prefix, as "module." and torch.compile's "_orig_mod.", also nested, is taken off if the wanted names
    follow it. What else the file holds is kept, since it has to be reported.

    Raises ModelError if two prefixes hold networks of other numbers: which one is meant is unclear.
    """
    tensors = {name: tensor for name, tensor in tensors.items() if name.rpartition(".")[2] not in UNUSED}
    prefixes = _prefixes(tensors, set(wanted))
    first = prefixes[0] if prefixes else ""
    copies = [prefix for prefix in prefixes[1:] if not first.startswith(prefix)]
    for other in copies:
        if not all(_same(tensors[first + name], tensors[other + name]) for name in wanted):
            raise ModelError(f"holds two networks, under {first!r} and {other!r}; save one of them separately")
    rest = {n: t for n, t in tensors.items() if not (first and n.startswith(first))}
    if first:
        rest = {n: t for n, t in rest.items() if not any(n.startswith(c) and n[len(c) :] in wanted for c in copies)}
    found = normalisation(tensors, {first + name for name in wanted})
    inner = {n[len(first) :]: t for n, t in tensors.items() if first and n.startswith(first)}
    return {n: t for n, t in (rest | inner).items() if not (found and _is_buffer(n))}, found


def _prefixes(tensors: Mapping[str, Tensor], wanted: set[str]) -> list[str]:
    """The prefixes of wanted names: all that hold a whole network, if any, else the one that holds the most."""
    counts: Counter[str] = Counter()
    for name in tensors:
        parts = name.split(".")
        for at in range(len(parts)):
            if (inner := ".".join(parts[at:])) in wanted:
                counts[name[: len(name) - len(inner)]] += 1
    whole = [prefix for prefix, count in counts.items() if count == len(wanted)]
    return sorted(whole, key=len) or [prefix for prefix, _ in counts.most_common(1)]


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool(np.array_equal(one.values(), other.values()))


def _is_buffer(name: str) -> bool:
    return name.rpartition(".")[2] in (*MEANS, *STDS)


def normalisation(tensors: Mapping[str, Tensor], network: set[str]) -> Normalisation | None:
    """Of pixels in [0, 1]; numbers above 1 are of [0, 255]. None where the file has none, or several."""
    found: dict[str, dict[str, tuple[float, ...]]] = {"mean": {}, "std": {}}
    for name, tensor in tensors.items():
        place, _, last = name.rpartition(".")
        if name not in network and _is_buffer(name) and np.prod(tensor.shape) in (1, 3):
            key = "mean" if last in MEANS else "std"
            found[key][place] = tuple(float(n) for n in tensor.values().ravel())
    pairs = {(mean, found["std"][place]) for place, mean in found["mean"].items() if place in found["std"]}
    if len(pairs) != 1:
        return None
    [(mean, std)] = pairs
    unit = 255.0 if max(mean + std) > 2 else 1.0
    return tuple(n / unit for n in mean), tuple(n / unit for n in std)
