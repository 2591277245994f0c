"""The sweep benchmark runs and prints its ratios; times are never asserted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pyrevm", reason="the bare engine is pyrevm")

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_every_part_prints_its_figure() -> None:
    small = ["--trials", "4", "--borrowers", "20", "--blocks", "8"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "benchmarks" / "sweeps.py"), *small],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode in (0, 1), done.stderr  # 1: four trials are too few for two workers
    for text in (
        "trials a second over those of the bare engine: ",
        "two workers at least 1.7 times one: ",
        "memory of a worker constant over trials",
        "the seed, and with it the population: ",
    ):
        assert text in done.stdout
