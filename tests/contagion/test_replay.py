"""The replay of June 2022 on real series and positions prints what is committed beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPLAY = Path(__file__).parents[2] / "scripts" / "replays" / "staked_eth_loops.py"


@pytest.mark.slow
@pytest.mark.skipif(
    not os.environ.get("LIQUIDATION_HARNESS_DATA"),
    reason="LIQUIDATION_HARNESS_DATA names no folder of real files",
)
def test_replay_prints_what_is_committed():
    done = subprocess.run(
        [sys.executable, str(REPLAY)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == REPLAY.with_suffix(".txt").read_text("utf-8")


def test_replay_without_data_says_so_in_one_line():
    clean = {name: value for name, value in os.environ.items() if "HARNESS_DATA" not in name}
    done = subprocess.run(
        [sys.executable, str(REPLAY)], capture_output=True, text=True, check=False, env=clean
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
