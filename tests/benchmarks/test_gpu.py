"""benchmarks/gpu.py in its small form: every row comes, with a value that can be."""

import math
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks/gpu.py"
ROWS = [
    "bare pass, XLA off", "bare pass, XLA on", "pgd step / bare pass, XLA off", "pgd step / bare pass, XLA on",
    "pgd step, XLA off / on", "AutoAttack, occupancy", "AutoAttack, time / passes", "training step, float32",
    "training step, fit / ours, float32", "training step, mixed_float16", "training step, fit / ours, mixed_float16",
    "agreement with the CPU, 16 images",
]  # fmt: skip


@pytest.mark.slow
def test_the_small_form_prints_every_row_with_a_value_that_can_be():
    done = subprocess.run([sys.executable, SCRIPT, "--tiny"], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    lines = [line[14:] for line in done.stdout.splitlines()[1:]]
    values = {line[:44].strip(): float(line[44:].split()[0]) for line in lines}
    assert values.keys() >= {*ROWS, *(f"peak memory of {part}" for part in ("pgd", "AutoAttack", "training"))}
    assert all(math.isfinite(values[row]) and values[row] > 0 for row in ROWS)
    assert values["AutoAttack, occupancy"] <= 1
    assert values["agreement with the CPU, 16 images"] == 1
