"""The benchmark script runs and prints what it says; times are never asserted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pyrevm", reason="the bare engine is pyrevm")

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = "positions blocks txs reads bare_s run_s run/bare tx/s blocks/s outside MB memory"


@pytest.fixture(scope="module")
def printed() -> list[str]:
    command = ["--engines", "revm", "--positions", "30", "60", "--blocks", "20", "--repeats", "1"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "benchmarks" / "bench.py"), *command],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_table_has_a_row_for_each_case_and_its_columns(printed: list[str]) -> None:
    head = next(i for i, line in enumerate(printed) if line.startswith("engine"))
    names = printed[head].replace("bare s", "bare_s").replace("run s", "run_s").split()
    assert names == ["engine", *COLUMNS.split()]
    rows = [line.split() for line in printed[head + 1 : head + 3]]
    assert [row[:3] for row in rows] == [["revm", "30", "20"], ["revm", "60", "20"]]
    assert all(len(row) == len(names) for row in rows)


def test_growth_exponents_are_printed(printed: list[str]) -> None:
    assert any(line.startswith("revm: time grows as positions^") for line in printed)


def test_work_in_a_quiet_block_does_not_depend_on_the_number_of_accounts(
    printed: list[str],
) -> None:
    head = next(i for i, line in enumerate(printed) if line.split()[:1] == ["positions"])
    assert printed[head].split() == ["positions", "us", "reads", "bytes", "calls"]
    small, large = (line.split() for line in printed[head + 1 : head + 3])
    assert (small[0], large[0]) == ("30", "60")
    assert small[2:] == large[2:]
